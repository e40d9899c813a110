// Errors as S3 words them: a code, a status, a message and an XML body. Clients match codes and
// often the messages too, so both are Amazon's wherever Amazon has them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "http/message.h"

namespace drumlin::s3 {

enum class ErrorCode : unsigned char {
  kAccessDenied,
  kAuthorizationHeaderMalformed,
  kAuthorizationQueryParametersError,
  kBadDigest,
  kBadRequest,
  kBucketAlreadyExists,
  kBucketAlreadyOwnedByYou,
  kBucketNotEmpty,
  kEntityTooLarge,
  kIncompleteBody,
  kInsufficientStorage,
  kInternalError,
  kInvalidAccessKeyId,
  kInvalidArgument,
  kInvalidBucketName,
  kInvalidDigest,
  kInvalidLocationConstraint,
  kInvalidRange,
  kInvalidRequest,
  kInvalidToken,
  kInvalidUri,
  kKeyTooLong,
  kMalformedTrailer,
  kMalformedXml,
  kMetadataTooLarge,
  kMethodNotAllowed,
  kMissingContentLength,
  kNoSuchBucket,
  kNoSuchBucketPolicy,
  kNoSuchConfiguration,
  kNoSuchCorsConfiguration,
  kNoSuchKey,
  kNoSuchLifecycleConfiguration,
  kNoSuchPublicAccessBlockConfiguration,
  kNoSuchTagSet,
  kNoSuchVersion,
  kNoSuchWebsiteConfiguration,
  kNotImplemented,
  kObjectLockConfigurationNotFound,
  kOperationAborted,
  kPreconditionFailed,
  kReplicationConfigurationNotFound,
  kRequestHeaderSectionTooLarge,
  kRequestTimeTooSkewed,
  kRequestTimeout,
  kServerSideEncryptionConfigurationNotFound,
  kServiceUnavailable,
  kSignatureDoesNotMatch,
  kSlowDown,
  kTooManyBuckets,
  kUriTooLong,
  kVersionNotSupported,
  kXAmzContentSha256Mismatch,
};

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;
  int status;
  std::string_view message;
};
const ErrorInfo& info(ErrorCode code);

struct Error {
  // 503 comes with a Retry-After.
  Error(ErrorCode error_code, std::string text = {});     // NOLINT(google-explicit-constructor)
  Error with(std::string element, std::string value) &&;  // one more element of the XML

  ErrorCode code;
  std::string message;  // instead of the usual one, unless empty
  std::vector<std::pair<std::string, std::string>> details;
  http::Headers headers;
};

Error not_implemented(std::string_view what);
Error header_not_implemented(std::string_view name);
Error parameter_not_implemented(std::string_view name);
Error invalid_argument(std::string message, std::string_view name, std::string_view value);

// For trouble in the store that has no meaning of its own for the operation at hand.
Error from_store(const Status& status);

std::string render(const Error& error, std::string_view resource, std::string_view request_id,
                   std::string_view host_id);

// A T, or the error to answer with.
template <typename T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Outcome(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  Outcome(ErrorCode code) : state_(Error(code)) {}    // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  T& value() & {
    DRUMLIN_CHECK(ok());
    return std::get<T>(state_);
  }
  const T& value() const& {
    DRUMLIN_CHECK(ok());
    return std::get<T>(state_);
  }
  T&& value() && {
    DRUMLIN_CHECK(ok());
    return std::get<T>(std::move(state_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  const Error& error() const& { return std::get<Error>(state_); }
  Error&& error() && { return std::get<Error>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

struct Nothing {};
using Check = Outcome<Nothing>;
inline Check good() {
  return Nothing{};
}

}  // namespace drumlin::s3

// As DRUMLIN_TRY and DRUMLIN_ASSIGN (base/status.h), for functions that return an Outcome.
#define DRUMLIN_S3_TRY(expr)                                                \
  do {                                                                      \
    auto drumlin_outcome_ = (expr);                                         \
    if (!drumlin_outcome_.ok()) return std::move(drumlin_outcome_).error(); \
  } while (false)
#define DRUMLIN_S3_ASSIGN(decl, expr) \
  DRUMLIN_S3_ASSIGN_IMPL_(DRUMLIN_CONCAT_(drumlin_outcome_, __LINE__), decl, expr)
#define DRUMLIN_S3_ASSIGN_IMPL_(tmp, decl, expr) \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).error();  \
  decl = std::move(tmp).value()
