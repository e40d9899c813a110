// sigv4_campaign: src/auth against a second implementation of Signature Version 4, written from
// Amazon's description alone and from the decoded request: it encodes path and query itself, where
// src/auth takes them as sent. Odd paths, queries and headers; by header and presigned; both ways;
// and one change after signing is refused.
#include "fuzz/campaign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <utility>

#include "auth/sigv4.h"

namespace drumlin::auth::test {
namespace {

using Strings = std::vector<std::pair<std::string, std::string>>;

const Credentials kWho{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
constexpr const char* kRegion = "eu-central-1";
constexpr const char* kDate = "20240229T235959Z";

// --- the second implementation ---
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html

std::string sha256_hex(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out += "0123456789abcdef"[digest[i] / 16];
    out += "0123456789abcdef"[digest[i] % 16];
  }
  return out;
}

std::string hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

std::string uri_encode(const std::string& text, bool encode_slash) {
  std::string out;
  for (const char c : text) {
    const auto n = static_cast<unsigned char>(c);
    const bool letter = (n >= 'A' && n <= 'Z') || (n >= 'a' && n <= 'z') || (n >= '0' && n <= '9');
    if (letter || c == '_' || c == '-' || c == '~' || c == '.' || (c == '/' && !encode_slash)) {
      out += c;
    } else {
      out += '%';
      out += "0123456789ABCDEF"[n / 16];
      out += "0123456789ABCDEF"[n % 16];
    }
  }
  return out;
}

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// Words with one space between: white space around goes, runs of it become one.
std::string trim_all(const std::string& text) {
  std::string out;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      out += (out.empty() ? "" : " ") + word;
      word.clear();
    }
  }
  return out;
}

// What is asked for, before anything is encoded.
struct Wish {
  std::string method;
  std::string path;  // decoded, with its first slash
  Strings query;     // decoded
  Strings headers;   // as sent, in their order
};

std::string encoded_query(const Strings& query) {
  Strings encoded;
  for (const auto& [name, value] : query)
    encoded.emplace_back(uri_encode(name, true), uri_encode(value, true));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded)
    out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

struct Canonical {
  std::string headers;
  std::string names;
};
Canonical canonical(const Strings& headers) {
  std::map<std::string, std::string> joined;
  for (const auto& [name, value] : headers) {
    const auto [it, is_new] = joined.try_emplace(lower_case(name), trim_all(value));
    if (!is_new) it->second += "," + trim_all(value);
  }
  Canonical out;
  for (const auto& [name, value] : joined) {
    out.headers += name + ":" + value + "\n";
    out.names += (out.names.empty() ? "" : ";") + name;
  }
  return out;
}

std::string signature(const Wish& wish, const std::string& payload) {
  const Canonical headers = canonical(wish.headers);
  const std::string request = wish.method + "\n" + uri_encode(wish.path, false) + "\n" +
                              encoded_query(wish.query) + "\n" + headers.headers + "\n" +
                              headers.names + "\n" + payload;
  const std::string day = std::string(kDate).substr(0, 8);
  const std::string scope = day + "/" + kRegion + "/s3/aws4_request";
  const std::string key =
      hmac(hmac(hmac(hmac("AWS4" + kWho.secret_key, day), kRegion), "s3"), "aws4_request");
  const std::string mac = hmac(
      key, std::string("AWS4-HMAC-SHA256\n") + kDate + "\n" + scope + "\n" + sha256_hex(request));
  std::string out;
  for (const char c : mac) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) / 16];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) % 16];
  }
  return out;
}

// --- cases ---

struct Case {
  Wish wish;
  std::vector<uint32_t> order;  // of the parameters on the wire
  uint32_t bend = 0;
  bool presigned = false;
  bool bare = false;  // "k" on the wire where the value is empty
};

void showValue(const Case& c, std::ostream& out) {
  out << (c.presigned ? "presigned " : "signed ") << c.wish.method << " "
      << uri_encode(c.wish.path, false) << "\n";
  for (const auto& [name, value] : c.wish.query)
    out << "  ?" << uri_encode(name, true) << "=" << uri_encode(value, true) << "\n";
  for (const auto& [name, value] : c.wish.headers)
    out << "  " << name << ": [" << uri_encode(value, true) << "]\n";
}

rc::Gen<std::string> text_of(const std::string& alphabet) {
  return rc::gen::container<std::string>(rc::gen::elementOf(alphabet));
}
rc::Gen<std::string> odd_text() {
  return rc::gen::oneOf(text_of("abAB01-_.~"), text_of("/ +%&=?;:,#[]!$'()*@\"<>\\^`{|}"),
                        text_of("ab/ .\xc3\xa4\xe2\x82\xac%2F"), rc::gen::arbitrary<std::string>());
}
rc::Gen<std::string> header_name() {
  return rc::gen::map(text_of("abAB0-"), [](std::string tail) { return "X-" + tail; });
}
rc::Gen<std::string> header_value() {
  return rc::gen::oneOf(text_of("ab \t,"), text_of("a b=;\"\t\t  "));
}

rc::Gen<Case> any_case() {
  const auto wish = rc::gen::build<Wish>(
      rc::gen::set(&Wish::method,
                   rc::gen::element<std::string>("GET", "PUT", "HEAD", "DELETE", "POST")),
      rc::gen::set(&Wish::path, rc::gen::map(odd_text(), [](std::string p) { return "/" + p; })),
      rc::gen::set(
          &Wish::query,
          rc::gen::scale(0.1, rc::gen::container<Strings>(rc::gen::scale(
                                  5, rc::gen::pair(rc::gen::nonEmpty(odd_text()), odd_text()))))),
      rc::gen::set(&Wish::headers,
                   rc::gen::scale(0.1, rc::gen::container<Strings>(rc::gen::scale(
                                           5, rc::gen::pair(header_name(), header_value()))))));
  return rc::gen::build<Case>(
      rc::gen::set(&Case::wish, wish),
      rc::gen::set(&Case::order,
                   rc::gen::container<std::vector<uint32_t>>(
                       20, rc::gen::resize(100, rc::gen::inRange<uint32_t>(0, 1000)))),
      rc::gen::set(&Case::bend, rc::gen::inRange<uint32_t>(0, 1000)),
      rc::gen::set(&Case::presigned), rc::gen::set(&Case::bare));
}

struct Totals {
  uint64_t header = 0;
  uint64_t presigned = 0;
  uint64_t bent = 0;
};

WallTime now() {
  return parse_amz_date(kDate).value() + 30s;
}

std::vector<HeaderView> views_of(const Strings& headers) {
  std::vector<HeaderView> out;
  for (const auto& [name, value] : headers)
    out.push_back({name, value});
  return out;
}

// What goes over the wire.
struct Sent {
  std::string method;
  std::string target;
  Strings headers;

  std::string verdict() const {
    const std::vector<HeaderView> views = views_of(headers);
    const Verifier verifier{kRegion, single_key(kWho)};
    const VerifyResult result = verifier.verify({method, target, views}, now());
    if (const auto* error = std::get_if<AuthError>(&result)) return error->message;
    return "";
  }
};

// The parameters in any order: the canonical one is the verifier's affair.
std::string on_the_wire(const Case& c, const Strings& query) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : query) {
    const bool bare = c.bare && value.empty();
    parts.push_back(uri_encode(name, true) + (bare ? "" : "=" + uri_encode(value, true)));
  }
  for (size_t i = parts.size(); i > 1; --i)
    std::swap(parts[i - 1], parts[c.order[i % c.order.size()] % i]);
  std::string out;
  for (const std::string& part : parts)
    out += (out.empty() ? "?" : "&") + part;
  return out;
}

// One byte of what was signed becomes another.
void bend(Sent& sent, uint32_t which) {
  const auto turn = [&](std::string& text, size_t from) {
    char& c = text[from + which / 8 % (text.size() - from)];
    c = c == 'q' ? 'r' : 'q';
  };
  switch (which % 4) {
    case 0:
      sent.method += "S";
      return;
    case 1:
      if (sent.target.size() == 1) sent.target += "s";
      return turn(sent.target, 1);
    case 2:
      sent.headers.front().second += "q";  // host
      return;
    default:
      sent.headers.emplace_back("x-amz-acl", "public-read");
  }
}

void check(Case c, Totals& totals) {
  c.wish.headers.insert(c.wish.headers.begin(), {"Host", "bucket.example:9000"});
  const Strings headers = c.wish.headers;  // what `views` looks at
  const std::vector<HeaderView> views = views_of(headers);
  const std::string path = uri_encode(c.wish.path, false);
  const std::string target = path + on_the_wire(c, c.wish.query);
  Sent sent{c.wish.method, target, c.wish.headers};
  const std::string scope = std::string(kDate).substr(0, 8) + "/" + kRegion + "/s3/aws4_request";
  const WallTime signing_time = parse_amz_date(kDate).value();
  if (!c.presigned) {
    ++totals.header;
    const std::string payload = sha256_hex(c.wish.path);
    const Signed ours = sign({c.wish.method, target, views}, kWho, kRegion, signing_time, payload);
    c.wish.headers.emplace_back("X-Amz-Date", kDate);
    c.wish.headers.emplace_back("x-amz-content-sha256", payload);
    const std::string theirs = signature(c.wish, payload);
    RC_ASSERT(ours.signature == theirs);
    sent.headers = c.wish.headers;
    sent.headers.emplace_back("authorization",
                              "AWS4-HMAC-SHA256 Credential=" + kWho.access_key + "/" + scope +
                                  ",SignedHeaders=" + canonical(c.wish.headers).names +
                                  ",  Signature=" + theirs);
  } else {
    ++totals.presigned;
    const std::string ours =
        presign({c.wish.method, target, views}, kWho, kRegion, signing_time, 3600);
    c.wish.query.emplace_back("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
    c.wish.query.emplace_back("X-Amz-Credential", kWho.access_key + "/" + scope);
    c.wish.query.emplace_back("X-Amz-Date", kDate);
    c.wish.query.emplace_back("X-Amz-Expires", "3600");
    c.wish.query.emplace_back("X-Amz-SignedHeaders", canonical(c.wish.headers).names);
    const std::string theirs = signature(c.wish, "UNSIGNED-PAYLOAD");
    RC_ASSERT(ours.substr(ours.rfind('=') + 1) == theirs);
    c.wish.query.emplace_back("X-Amz-Signature", theirs);
    sent.target = path + on_the_wire(c, c.wish.query);
    RC_ASSERT((Sent{c.wish.method, ours, c.wish.headers}.verdict()) == "");
  }
  RC_ASSERT(sent.verdict() == "");
  bend(sent, c.bend);
  RC_ASSERT(sent.verdict() != "");
  ++totals.bent;
}

}  // namespace
}  // namespace drumlin::auth::test

int main(int argc, char** argv) {
  using namespace drumlin::auth::test;  // NOLINT(google-build-using-namespace)
  Totals totals;
  drumlin::fuzz::Campaign campaign;
  campaign.name = "sigv4_campaign";
  campaign.property = [&] { check(*any_case(), totals); };
  campaign.totals = [&] {
    return std::to_string(totals.header) + " signed by header, " +
           std::to_string(totals.presigned) + " presigned, " + std::to_string(totals.bent) +
           " of them bent and refused";
  };
  return drumlin::fuzz::run_campaign(campaign, {argv + 1, argv + argc});
}
