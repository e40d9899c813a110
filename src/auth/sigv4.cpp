#include "auth/sigv4.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/digest.h"

namespace drumlin::auth {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kService = "s3";
constexpr std::string_view kTerminator = "aws4_request";
constexpr std::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr size_t kMaxSignedHeaders = 64;

std::string hmac(std::string_view key, std::string_view bytes) {
  return std::string(as_view(hmac_sha256(key, bytes)));
}

// What an Authorization header or a presigned query says, not yet believed.
struct Claim {
  std::string_view access_key, date, region, service, terminator;
  std::vector<std::string_view> signed_headers;
  std::string_view signed_headers_text;
  std::string_view signature;
  std::string scope() const {
    return std::string(date)
        .append("/")
        .append(region)
        .append("/")
        .append(service)
        .append("/")
        .append(terminator);
  }
};

AuthError malformed(std::string_view what, bool presigned) {
  if (presigned) return {AuthFailure::kMalformed, std::string(what)};
  return {AuthFailure::kMalformed, "The authorization header is malformed; " + std::string(what)};
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

bool is_hex_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// All values of a header; names compare without case.
std::vector<std::string_view> values_of(const RequestView& request, std::string_view name) {
  std::vector<std::string_view> out;
  for (const HeaderView& header : request.headers) {
    if (header.name.size() == name.size() && lower(header.name) == name) {
      out.push_back(trim(header.value));
    }
  }
  return out;
}

// "key/20130524/us-east-1/s3/aws4_request"; the key itself may hold slashes.
bool parse_credential(std::string_view text, Claim& claim) {
  std::string_view* const parts[] = {&claim.terminator, &claim.service, &claim.region, &claim.date};
  for (std::string_view* part : parts) {
    const size_t slash = text.rfind('/');
    if (slash == std::string_view::npos) return false;
    *part = text.substr(slash + 1);
    text = text.substr(0, slash);
  }
  claim.access_key = text;
  return !text.empty();
}

// Lower case, ascending, none twice: the only form that a correct client makes.
bool parse_signed_headers(std::string_view text, Claim& claim) {
  claim.signed_headers_text = text;
  claim.signed_headers = split(text, ';');
  if (claim.signed_headers.size() > kMaxSignedHeaders) return false;
  for (size_t i = 0; i < claim.signed_headers.size(); ++i) {
    const std::string_view name = claim.signed_headers[i];
    if (name.empty() || lower(name) != name) return false;
    if (i > 0 && name <= claim.signed_headers[i - 1]) return false;
  }
  return true;
}

AuthError other_mechanism() {
  return AuthError{AuthFailure::kUnsupported,
                   "The authorization mechanism you have provided is not supported. Please use "
                   "AWS4-HMAC-SHA256."};
}

std::optional<AuthError> parse_header(std::string_view text, Claim& claim) {
  if (text.substr(0, kAlgorithm.size()) != kAlgorithm || text.size() == kAlgorithm.size() ||
      text[kAlgorithm.size()] != ' ') {
    return other_mechanism();
  }
  std::string_view credential, names;
  for (std::string_view part : split(text.substr(kAlgorithm.size()), ',')) {
    part = trim(part);
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    std::string_view* slot = name == "Credential"      ? &credential
                             : name == "SignedHeaders" ? &names
                             : name == "Signature"     ? &claim.signature
                                                       : nullptr;
    if (slot == nullptr || !slot->empty()) {
      return malformed("an unknown or repeated component.", false);
    }
    *slot = value;
  }
  if (credential.empty() || names.empty() || claim.signature.empty()) {
    return malformed(
        "the authorization header requires three components: Credential, "
        "SignedHeaders, and Signature.",
        false);
  }
  if (!parse_credential(credential, claim)) {
    return malformed(
        "the Credential is mal-formed; expecting "
        "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        false);
  }
  if (!parse_signed_headers(names, claim)) {
    return malformed("SignedHeaders must be lower case and in order.", false);
  }
  return std::nullopt;
}

std::optional<AuthError> check_scope(const Claim& claim, std::string_view amz_date,
                                     std::string_view region, bool presigned) {
  if (claim.terminator != kTerminator) {
    return malformed("the credential must end in \"aws4_request\".", presigned);
  }
  if (claim.service != kService) {
    return malformed("incorrect service \"" + std::string(claim.service) +
                         "\". This endpoint belongs to \"s3\".",
                     presigned);
  }
  if (claim.region != region) {
    AuthError error = malformed("the region '" + std::string(claim.region) +
                                    "' is wrong; expecting '" + std::string(region) + "'",
                                presigned);
    error.failure = AuthFailure::kWrongRegion;
    return error;
  }
  if (claim.date != amz_date.substr(0, 8)) {
    return malformed("Invalid credential date \"" + std::string(claim.date) +
                         "\". This date is not the same as X-Amz-Date: \"" +
                         std::string(amz_date.substr(0, 8)) + "\".",
                     presigned);
  }
  return std::nullopt;
}

// Everything that changes what a request means must be under its signature.
std::optional<AuthError> check_coverage(const RequestView& request, const Claim& claim) {
  const auto covered = [&](std::string_view name) {
    return std::binary_search(claim.signed_headers.begin(), claim.signed_headers.end(), name);
  };
  std::string missing = covered("host") ? "" : "host";
  for (const HeaderView& header : request.headers) {
    if (header.name.size() < 6) continue;
    const std::string name = lower(header.name);
    if (name.substr(0, 6) == "x-amz-" && !covered(name)) {
      if (!missing.empty()) missing.append(", ");
      missing.append(name);
    }
  }
  if (missing.empty()) return std::nullopt;
  return AuthError{AuthFailure::kUnsignedHeaders,
                   "There were headers present in the request which were not signed: " + missing};
}

std::optional<AuthError> read_payload(std::string_view declared, Verified& out) {
  static constexpr std::pair<std::string_view, PayloadKind> kKinds[] = {
      {kUnsignedPayloadText, PayloadKind::kUnsigned},
      {kStreamingSignedText, PayloadKind::kStreamingSigned},
      {kStreamingSignedTrailerText, PayloadKind::kStreamingSignedTrailer},
      {kStreamingUnsignedTrailerText, PayloadKind::kStreamingUnsignedTrailer},
  };
  for (const auto& [name, kind] : kKinds) {
    if (declared != name) continue;
    out.payload = kind;
    return std::nullopt;
  }
  if (is_hex_digest(declared)) {
    out.payload = PayloadKind::kExact;
    out.payload_sha256 = declared;
    return std::nullopt;
  }
  if (declared.substr(0, 10) == "STREAMING-") {
    return AuthError{AuthFailure::kUnsupported, "This streaming payload is not supported."};
  }
  return AuthError{AuthFailure::kInvalidContentSha256,
                   "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                   "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                   "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value."};
}

std::string string_to_sign(std::string_view amz_date, std::string_view scope,
                           std::string_view canonical) {
  std::string out(kAlgorithm);
  out.append("\n").append(amz_date).append("\n").append(scope).append("\n");
  return out.append(hex(sha256(canonical)));
}

// Fills in what is derived from the claim, and compares. `payload` as it entered the signature.
std::optional<AuthError> check_signature(const RequestView& request, const Claim& claim,
                                         std::string_view amz_date, std::string_view payload,
                                         const Verifier& verifier, const SecretLookup& secret_of,
                                         Verified& out) {
  const std::optional<std::string> secret = secret_of(claim.access_key);
  if (!secret.has_value()) {
    return AuthError{AuthFailure::kUnknownAccessKey,
                     "The AWS Access Key Id you provided does not exist in our records."};
  }
  out.access_key = claim.access_key;
  std::optional<std::string> key =
      verifier.keys.find(*secret, claim.date, claim.region, claim.service);
  const bool known = key.has_value();
  if (!known) key = signing_key(*secret, claim.date, claim.region, claim.service);
  out.context = {std::move(*key), std::string(amz_date), claim.scope()};
  const std::optional<std::string> headers =
      canonical_headers(request.headers, claim.signed_headers);
  std::string expected;
  if (headers.has_value()) {
    const std::string canonical = canonical_request(
        {request.method, request.target, *headers, claim.signed_headers_text, payload},
        out.presigned ? "X-Amz-Signature" : "");
    expected =
        hex(hmac_sha256(out.context.key, string_to_sign(amz_date, out.context.scope, canonical)));
  }
  if (!constant_time_equal(expected, claim.signature)) {
    return AuthError{AuthFailure::kSignatureMismatch,
                     "The request signature we calculated does not match the signature you "
                     "provided. Check your key and signing method."};
  }
  if (!known) {
    verifier.keys.keep(*secret, claim.date, claim.region, claim.service, out.context.key);
  }
  out.signature = std::move(expected);
  return std::nullopt;
}

VerifyResult verify_header(const RequestView& request, std::string_view authorization, WallTime now,
                           const Verifier& verifier, const SecretLookup& secret_of) {
  Claim claim;
  Verified out;
  if (auto error = parse_header(authorization, claim)) return std::move(*error);
  std::vector<std::string_view> dates = values_of(request, "x-amz-date");
  if (dates.empty()) dates = values_of(request, "date");
  const std::optional<WallTime> time = dates.size() == 1 ? parse_amz_date(dates[0]) : std::nullopt;
  if (!time.has_value()) {
    return AuthError{AuthFailure::kInvalidDate,
                     "AWS authentication requires a valid Date or x-amz-date header"};
  }
  const std::vector<std::string_view> payloads = values_of(request, "x-amz-content-sha256");
  if (payloads.empty()) {
    return AuthError{AuthFailure::kMissingContentSha256,
                     "Missing required header for this request: x-amz-content-sha256"};
  }
  if (payloads.size() > 1) return malformed("x-amz-content-sha256 is repeated.", false);
  if (auto error = read_payload(payloads[0], out)) return std::move(*error);
  if (auto error = check_scope(claim, dates[0], verifier.region, false)) return std::move(*error);
  if (auto error = check_coverage(request, claim)) return std::move(*error);
  if (auto error =
          check_signature(request, claim, dates[0], payloads[0], verifier, secret_of, out)) {
    return std::move(*error);
  }
  // Last, so that only who holds the key learns about our clock; and a skewed clock is then the
  // cause.
  const Duration skew = *time > now ? *time - now : now - *time;
  if (skew > kMaxClockSkew) {
    return AuthError{AuthFailure::kTimeSkewed,
                     "The difference between the request time and the current time is too large."};
  }
  return out;
}

// The X-Amz-* parameters of a query, decoded. Owns the text that a Claim then views.
struct PresignedQuery {
  std::string algorithm, credential, date, expires, signed_headers, signature, content_sha256;
};

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned char byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

std::string_view query_of(std::string_view target) {
  const size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::optional<AuthError> parse_presigned(std::string_view query, PresignedQuery& out) {
  const std::pair<std::string_view, std::string*> slots[] = {
      {"X-Amz-Algorithm", &out.algorithm},
      {"X-Amz-Credential", &out.credential},
      {"X-Amz-Date", &out.date},
      {"X-Amz-Expires", &out.expires},
      {"X-Amz-SignedHeaders", &out.signed_headers},
      {"X-Amz-Signature", &out.signature},
      {"X-Amz-Content-Sha256", &out.content_sha256}};
  for (std::string_view part : split(query, '&')) {
    const size_t equals = std::min(part.find('='), part.size());
    for (const auto& [name, slot] : slots) {
      if (part.substr(0, equals) != name) continue;
      std::optional<std::string> value =
          percent_decode(part.substr(std::min(equals + 1, part.size())));
      if (!value.has_value() || !slot->empty()) {
        return malformed(std::string(name) + " is malformed or repeated.", true);
      }
      *slot = std::move(*value);
    }
  }
  if (out.algorithm != kAlgorithm) {
    return malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"", true);
  }
  if (out.credential.empty() || out.date.empty() || out.expires.empty() ||
      out.signed_headers.empty() || out.signature.empty()) {
    return malformed(
        "Query-string authentication version 4 requires the X-Amz-Algorithm, "
        "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
        "X-Amz-Expires parameters.",
        true);
  }
  return std::nullopt;
}

VerifyResult verify_presigned(const RequestView& request, WallTime now, const Verifier& verifier,
                              const SecretLookup& secret_of) {
  PresignedQuery query;
  Claim claim;
  Verified out;
  out.presigned = true;
  if (auto error = parse_presigned(query_of(request.target), query)) return std::move(*error);
  claim.signature = query.signature;
  if (!parse_credential(query.credential, claim) ||
      !parse_signed_headers(query.signed_headers, claim)) {
    return malformed("Error parsing the X-Amz-Credential or X-Amz-SignedHeaders parameter.", true);
  }
  const std::optional<WallTime> time = parse_amz_date(query.date);
  if (!time.has_value()) {
    return malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
                     true);
  }
  uint64_t expires = 0;
  const char* const digits_end = query.expires.data() + query.expires.size();
  const auto [end, error] = std::from_chars(query.expires.data(), digits_end, expires);
  if (query.expires.starts_with('-')) return malformed("X-Amz-Expires must be non-negative", true);
  if (error == std::errc::invalid_argument || end != digits_end) {
    return malformed("X-Amz-Expires should be a number", true);
  }
  if (error != std::errc() || expires > kMaxPresignedSeconds) {
    return malformed(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
        "must "
        "be less than 604800 seconds",
        true);
  }
  if (expires < 1) return malformed("X-Amz-Expires must be at least one second", true);
  std::vector<std::string_view> payloads = values_of(request, "x-amz-content-sha256");
  if (!query.content_sha256.empty()) payloads.push_back(query.content_sha256);
  if (payloads.size() > 1) return malformed("X-Amz-Content-Sha256 is repeated.", true);
  const std::string_view payload = payloads.empty() ? kUnsignedPayloadText : payloads[0];
  if (auto failed = read_payload(payload, out)) return std::move(*failed);
  if (auto failed = check_scope(claim, query.date, verifier.region, true))
    return std::move(*failed);
  if (auto failed = check_coverage(request, claim)) return std::move(*failed);
  if (auto failed =
          check_signature(request, claim, query.date, payload, verifier, secret_of, out)) {
    return std::move(*failed);
  }
  if (*time > now + kMaxClockSkew) {
    return AuthError{AuthFailure::kTimeSkewed, "Request is not yet valid"};
  }
  if (now > *time + std::chrono::seconds(expires)) {
    return AuthError{AuthFailure::kExpired, "Request has expired"};
  }
  return out;
}

bool has_presigned_query(std::string_view target) {
  const std::vector<std::string_view> parts = split(query_of(target), '&');
  return std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.substr(0, 16) == "X-Amz-Algorithm=" || part.substr(0, 16) == "X-Amz-Signature=";
  });
}

// Version 2 by query: what boto3 makes of a presigned URL unless told otherwise.
bool has_version_2_query(std::string_view target) {
  const std::vector<std::string_view> parts = split(query_of(target), '&');
  return std::any_of(parts.begin(), parts.end(),
                     [](std::string_view part) { return part.substr(0, 15) == "AWSAccessKeyId="; });
}

// Names of headers as they enter a signature: lower case, ascending, each once.
std::vector<std::string> names_of(std::span<const HeaderView> headers) {
  std::vector<std::string> names;
  for (const HeaderView& header : headers)
    names.push_back(lower(header.name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string join(const std::vector<std::string>& names, std::string_view separator) {
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out.append(separator);
    out.append(name);
  }
  return out;
}

std::string headers_text(std::span<const HeaderView> headers,
                         const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return canonical_headers(headers, views).value();
}

}  // namespace

std::string signing_key(std::string_view secret, std::string_view date, std::string_view region,
                        std::string_view service) {
  const std::string day_key = hmac("AWS4" + std::string(secret), date);
  return hmac(hmac(hmac(day_key, region), service), kTerminator);
}

std::optional<std::string> SigningKeys::find(std::string_view secret, std::string_view date,
                                             std::string_view region, std::string_view service) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.date == date && entry.region == region && entry.service == service &&
           constant_time_equal(entry.secret, secret);
  });
  if (found == entries_.end()) return std::nullopt;
  std::rotate(entries_.begin(), found, found + 1);
  return entries_.front().key;
}

void SigningKeys::keep(std::string_view secret, std::string_view date, std::string_view region,
                       std::string_view service, std::string_view key) {
  if (entries_.size() == kMost) entries_.pop_back();
  entries_.insert(entries_.begin(), {std::string(secret), std::string(date), std::string(region),
                                     std::string(service), std::string(key)});
}

VerifyResult Verifier::verify(const RequestView& request, WallTime now,
                              const SecretLookup& secret_of) const {
  const std::vector<std::string_view> authorization = values_of(request, "authorization");
  if (has_presigned_query(request.target)) {
    if (!authorization.empty()) {
      return malformed(
          "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter "
          "or the Authorization header should be specified",
          true);
    }
    return verify_presigned(request, now, *this, secret_of);
  }
  if (authorization.empty()) {
    if (has_version_2_query(request.target)) return other_mechanism();
    return AuthError{AuthFailure::kMissing, "Access Denied"};
  }
  if (authorization.size() > 1) return malformed("the header is repeated.", false);
  return verify_header(request, authorization[0], now, *this, secret_of);
}

Signed sign(const RequestView& request, const Credentials& credentials, std::string_view region,
            WallTime now, std::string_view payload) {
  Signed out;
  out.amz_date = format_amz_date(now);
  out.content_sha256 = payload;
  std::vector<HeaderView> headers(request.headers.begin(), request.headers.end());
  headers.push_back({"x-amz-date", out.amz_date});
  headers.push_back({"x-amz-content-sha256", out.content_sha256});
  const std::vector<std::string> names = names_of(headers);
  const std::string signed_headers = join(names, ";");
  const std::string date = out.amz_date.substr(0, 8);
  out.context = {signing_key(credentials.secret_key, date, region, kService), out.amz_date,
                 date + "/" + std::string(region) + "/s3/aws4_request"};
  const std::string canonical =
      canonical_request({request.method, request.target, headers_text(headers, names),
                         signed_headers, out.content_sha256});
  out.signature =
      hex(hmac_sha256(out.context.key, string_to_sign(out.amz_date, out.context.scope, canonical)));
  out.authorization = std::string(kAlgorithm) + " Credential=" + credentials.access_key + "/" +
                      out.context.scope + ", SignedHeaders=" + signed_headers +
                      ", Signature=" + out.signature;
  return out;
}

std::string presign(const RequestView& request, const Credentials& credentials,
                    std::string_view region, WallTime now, uint64_t expires_seconds) {
  const std::string amz_date = format_amz_date(now);
  const std::string date = amz_date.substr(0, 8);
  const std::vector<std::string> names = names_of(request.headers);
  std::string target(request.target);
  target.push_back(query_of(target).empty() && target.find('?') == std::string::npos ? '?' : '&');
  target += "X-Amz-Algorithm=" + std::string(kAlgorithm) +
            "&X-Amz-Credential=" + credentials.access_key + "%2F" + date + "%2F" +
            std::string(region) + "%2Fs3%2Faws4_request&X-Amz-Date=" + amz_date +
            "&X-Amz-Expires=" + std::to_string(expires_seconds) +
            "&X-Amz-SignedHeaders=" + join(names, "%3B");
  const std::string canonical =
      canonical_request({request.method, target, headers_text(request.headers, names),
                         join(names, ";"), kUnsignedPayloadText});
  const std::string scope = date + "/" + std::string(region) + "/s3/aws4_request";
  const std::string key = signing_key(credentials.secret_key, date, region, kService);
  return target +
         "&X-Amz-Signature=" + hex(hmac_sha256(key, string_to_sign(amz_date, scope, canonical)));
}

ChunkChain::ChunkChain(SigningContext context, std::string seed_signature)
    : context_(std::move(context)), previous_(std::move(seed_signature)) {}

std::string ChunkChain::advance(std::string string_to_sign) {
  previous_ = hex(hmac_sha256(context_.key, string_to_sign));
  return previous_;
}

std::string ChunkChain::next(std::string_view data_sha256_hex) {
  std::string text = "AWS4-HMAC-SHA256-PAYLOAD\n";
  text.append(context_.amz_date).append("\n").append(context_.scope).append("\n");
  text.append(previous_).append("\n").append(kEmptySha256).append("\n").append(data_sha256_hex);
  return advance(std::move(text));
}

std::string ChunkChain::trailer(std::string_view canonical) {
  std::string text = "AWS4-HMAC-SHA256-TRAILER\n";
  text.append(context_.amz_date).append("\n").append(context_.scope).append("\n");
  text.append(previous_).append("\n").append(hex(sha256(canonical)));
  return advance(std::move(text));
}

}  // namespace drumlin::auth
