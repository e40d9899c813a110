// Signature Version 4. Mode 0: a request as a client sent it, line by line, goes to the verifier as
// it is. Mode 1: a request is made from the bytes, signed, verified, bent, and verified again.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "auth/basic.h"
#include "auth/sigv4.h"
#include "base/check.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "http/date.h"
#include "s3/list_token.h"

namespace drumlin::fuzz {
namespace {

using auth::Credentials;
using auth::HeaderView;
using auth::RequestView;
using auth::VerifyResult;

const Credentials& credentials() {
  static const Credentials kPair{"AKIAIOSFODNN7EXAMPLE",
                                 "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  return kPair;
}
WallTime now() {
  return auth::parse_amz_date("20130524T000000Z").value();
}

using Fields = std::vector<std::pair<std::string, std::string>>;

std::vector<HeaderView> views_of(const Fields& fields) {
  std::vector<HeaderView> out;
  for (const auto& [name, value] : fields)
    out.push_back({name, value});
  return out;
}

struct Request {
  std::string method;
  std::string target;
  Fields headers;

  VerifyResult verify() const {
    const std::vector<HeaderView> views = views_of(headers);
    const auth::Verifier verifier{"us-east-1", auth::single_key(credentials())};
    return verifier.verify({method, target, views}, now());
  }
  bool verifies() const { return std::holds_alternative<auth::Verified>(verify()); }
};

// "GET /target", then "name: value" a line.
Request parse(std::string_view text) {
  Request out;
  const std::vector<std::string_view> lines = auth::split(text, '\n');
  const size_t space = std::min(lines[0].find(' '), lines[0].size());
  out.method = lines[0].substr(0, space);
  out.target = lines[0].substr(std::min(space + 1, lines[0].size()));
  for (size_t i = 1; i < lines.size() && i < 100; ++i) {
    const size_t colon = lines[i].find(':');
    if (colon == std::string_view::npos) continue;
    out.headers.emplace_back(lines[i].substr(0, colon), lines[i].substr(colon + 1));
  }
  return out;
}

// Only who knows the secret makes a request that verifies: it is one of the seeds, or means the same.
void as_sent(std::string_view text) {
  const Request request = parse(text);
  const VerifyResult result = request.verify();
  const auto* verified = std::get_if<auth::Verified>(&result);
  if (verified == nullptr) {
    DRUMLIN_CHECK(!std::get<auth::AuthError>(result).message.empty());
    return;
  }
  DRUMLIN_CHECK_EQ(verified->access_key, credentials().access_key);
  DRUMLIN_CHECK_EQ(verified->signature.size(), size_t{64});
  DRUMLIN_CHECK_EQ(verified->payload == auth::PayloadKind::kExact,
                   !verified->payload_sha256.empty());
  Request bent = request;
  bent.method += "X";
  DRUMLIN_CHECK(!bent.verifies(), "another method under the same signature");
}

std::string token(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto n = static_cast<unsigned char>(c);
    out.push_back("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-."[n % 44]);
  }
  return out;
}

// Bytes that may stand in a request line.
std::string visible(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto n = static_cast<unsigned char>(c);
    out.push_back(static_cast<char>(n <= ' ' || n == 0x7f ? '%' : n));
  }
  return out;
}

void signed_then_bent(Source source) {
  Request request;
  request.method = "PUT";
  request.target = "/" + visible(source.text(200));
  std::replace(request.target.begin() + 1, request.target.end(), '?', '&');
  if (source.flag()) request.target += "?" + visible(source.text(200));
  request.headers.emplace_back("Host", token(source.text(40)));
  for (size_t n = source.below(6); n > 0; --n) {
    request.headers.emplace_back("x-" + token(source.text(20)), source.string(60));
  }
  const std::string before = request.target;
  const std::vector<HeaderView> views = views_of(request.headers);
  const bool presigned = source.flag();
  // A request that says twice how it is signed is refused, whoever signed it.
  const bool odd = before.find("X-Amz-") != std::string::npos ||
                   std::any_of(views.begin(), views.end(), [](const HeaderView& h) {
                     const std::string name = auth::lower(h.name);
                     return name == "x-amz-date" || name == "x-amz-content-sha256";
                   });
  if (presigned) {
    request.target =
        auth::presign({request.method, before, views}, credentials(), "us-east-1", now(), 60);
  } else {
    const auth::Signed made = auth::sign({request.method, before, views}, credentials(),
                                         "us-east-1", now(), auth::kUnsignedPayloadText);
    request.headers.emplace_back("x-amz-date", made.amz_date);
    request.headers.emplace_back("x-amz-content-sha256", made.content_sha256);
    request.headers.emplace_back("Authorization", made.authorization);
  }
  if (odd) {
    (void)request.verify();
    return;
  }
  const VerifyResult result = request.verify();
  if (const auto* error = std::get_if<auth::AuthError>(&result))
    DRUMLIN_CHECK(false, error->message, " ", request.target);
  Request bent = request;
  bent.target.insert(1, "x");
  DRUMLIN_CHECK(!bent.verifies(), "another path");
  bent = request;
  bent.target += bent.target.find('?') == std::string::npos ? "?y=" : "&y=";
  DRUMLIN_CHECK(!bent.verifies(), "another query");
  bent = request;
  bent.headers[source.below(presigned ? bent.headers.size() : bent.headers.size() - 3)].second +=
      "z";
  DRUMLIN_CHECK(!bent.verifies(), "another value of a signed header");
  bent = request;
  bent.headers.emplace_back("x-amz-acl", "public-read-write");
  DRUMLIN_CHECK(!bent.verifies(), "one more x-amz header");
}

}  // namespace

void sigv4(std::string_view input) {
  Source source(input);
  if (source.flag()) return signed_then_bent(source);
  as_sent(source.rest());
}

// Small texts that a client brings back: list tokens, HTTP Basic, dates.
void tokens(std::string_view input) {
  const std::optional<s3::ListPosition> position = s3::read_list_token(input, "bucket", "secret");
  if (position) {
    DRUMLIN_CHECK_EQ(s3::make_list_token(*position, "bucket", "secret"), input);
  }
  DRUMLIN_CHECK(!s3::read_list_token(input, "other", "secret") || !position);
  const s3::ListPosition place{std::string(input), input.size() % 2 == 1};
  const std::string made = s3::make_list_token(place, "bucket", "secret");
  DRUMLIN_CHECK(s3::read_list_token(made, "bucket", "secret") == place);
  DRUMLIN_CHECK(!s3::read_list_token(made, "bucke", "secret"));
  DRUMLIN_CHECK(!s3::read_list_token(made, "bucket", "secre"));

  if (const auto basic = auth::parse_basic(input)) {
    DRUMLIN_CHECK(basic->access_key.find(':') == std::string::npos);
    const auto again = auth::parse_basic(auth::make_basic(*basic));
    DRUMLIN_CHECK(again && again->access_key == basic->access_key &&
                  again->secret_key == basic->secret_key);
  }
  if (const auto time = auth::parse_amz_date(input)) {
    DRUMLIN_CHECK_EQ(auth::format_amz_date(*time), input);
  }
  if (const auto time = http::parse_date(input)) {
    DRUMLIN_CHECK(http::parse_date(http::format_date(*time)) == *time);
  }
}

}  // namespace drumlin::fuzz
