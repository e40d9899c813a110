// AWS Signature Version 4, as S3 uses it: verifying requests by header or by presigned query,
// signing them (simulator, tests, tools), and the chains of signatures over streamed chunks. Pure;
// nothing yields.
//
// A request is good if its signature covers method, raw path, query, host, every x-amz-* header and
// a payload declaration, was made with the secret of a known key, for our region and service "s3",
// at most 15 minutes away from our clock.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/canonical.h"
#include "auth/credentials.h"
#include "base/time.h"

namespace drumlin::auth {

inline constexpr Duration kMaxClockSkew = 15min;
inline constexpr uint64_t kMaxPresignedSeconds = 604800;

inline constexpr std::string_view kUnsignedPayloadText = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kStreamingSignedText = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
inline constexpr std::string_view kStreamingSignedTrailerText =
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
inline constexpr std::string_view kStreamingUnsignedTrailerText =
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

// What x-amz-content-sha256 says of the body.
enum class PayloadKind : uint8_t {
  kExact,  // its SHA-256
  kUnsigned,
  kStreamingSigned,
  kStreamingSignedTrailer,
  kStreamingUnsignedTrailer,
};
constexpr bool is_streaming(PayloadKind kind) {
  return kind >= PayloadKind::kStreamingSigned;
}

enum class AuthFailure : uint8_t {
  kMissing,      // nothing to authenticate with
  kUnsupported,  // another mechanism, or a payload kind that we do not have
  kMalformed,    // the Authorization header or the query's X-Amz-* (message: what)
  kWrongRegion,  // a special case of malformed: the answer names ours
  kUnknownAccessKey,
  kSignatureMismatch,
  kTimeSkewed,
  kExpired,          // presigned, past its time
  kInvalidDate,      // no usable x-amz-date
  kUnsignedHeaders,  // host or an x-amz-* header is outside the signature (message: which)
  kMissingContentSha256,
  kInvalidContentSha256,
};

struct AuthError {
  AuthFailure failure;
  std::string message;  // for the client; AWS's words where it has some
};

// What signs the chunks that follow a request.
struct SigningContext {
  std::string key;       // derived for one day, region and service; as secret as its origin
  std::string amz_date;  // "20130524T000000Z"
  std::string scope;     // "20130524/us-east-1/s3/aws4_request"
};

struct Verified {
  std::string access_key;
  bool presigned = false;
  PayloadKind payload = PayloadKind::kUnsigned;
  std::string payload_sha256;  // lower-case hex, for kExact
  std::string signature;       // the seed of a chunk chain
  SigningContext context;
};

using VerifyResult = std::variant<Verified, AuthError>;

// Derived keys that have verified a signature: deriving one costs more than all else in a check. Asked
// with the secret itself, so that a secret that has changed finds nothing. Bounded; what was not used
// for longest goes. Only who can sign gets a place.
class SigningKeys {
 public:
  std::optional<std::string> find(std::string_view secret, std::string_view date,
                                  std::string_view region, std::string_view service);
  void keep(std::string_view secret, std::string_view date, std::string_view region,
            std::string_view service, std::string_view key);
  size_t size() const { return entries_.size(); }
  static constexpr size_t kMost = 64;

 private:
  struct Entry {
    std::string secret, date, region, service, key;
  };
  std::vector<Entry> entries_;  // the one used last comes first
};

struct Verifier {
  std::string region;
  SecretLookup lookup;
  mutable SigningKeys keys{};

  // By Authorization header, or by query if it has X-Amz-Algorithm; both at once is malformed.
  VerifyResult verify(const RequestView& request, WallTime now) const {
    return verify(request, now, lookup);
  }
  // With the lookup of this one request.
  VerifyResult verify(const RequestView& request, WallTime now,
                      const SecretLookup& secret_of) const;
};

struct Signed {
  std::string amz_date;        // to be sent as x-amz-date
  std::string content_sha256;  // to be sent as x-amz-content-sha256
  std::string authorization;
  std::string signature;
  SigningContext context;
};

// Signs all headers of `request` (host must be among them, x-amz-date, x-amz-content-sha256 and
// authorization must not) and the two that it returns. `payload`: hex SHA-256 or one of the
// constants.
Signed sign(const RequestView& request, const Credentials& credentials, std::string_view region,
            WallTime now, std::string_view payload);

// The target with the query of a presigned request added; `headers` (host among them) are signed.
std::string presign(const RequestView& request, const Credentials& credentials,
                    std::string_view region, WallTime now, uint64_t expires_seconds);

std::string signing_key(std::string_view secret, std::string_view date, std::string_view region,
                        std::string_view service);

// The signatures of one streamed body, each covering the one before it. The same object serves the
// side that makes them and the side that checks them.
class ChunkChain {
 public:
  ChunkChain(SigningContext context, std::string seed_signature);

  // Signature of the next chunk, whose data has this digest (the last one: of no data). Advances.
  std::string next(std::string_view data_sha256_hex);
  // Signature of the trailer, after the last chunk; `canonical`: "name:value\n" each, as sent.
  // Advances.
  std::string trailer(std::string_view canonical);

 private:
  std::string advance(std::string string_to_sign);
  SigningContext context_;
  std::string previous_;
};

}  // namespace drumlin::auth
