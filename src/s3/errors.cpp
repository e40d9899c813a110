#include "s3/errors.h"

#include <array>

#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

using enum ErrorCode;

// In the order of the enumeration.
constexpr std::array kTable = {
    ErrorInfo{kAccessDenied, "AccessDenied", 403, "Access Denied"},
    ErrorInfo{kAuthorizationHeaderMalformed, "AuthorizationHeaderMalformed", 400,
              "The authorization header you provided is invalid."},
    ErrorInfo{kAuthorizationQueryParametersError, "AuthorizationQueryParametersError", 400,
              "The authorization query parameters you provided are invalid."},
    ErrorInfo{kBadDigest, "BadDigest", 400,
              "The Content-MD5 you specified did not match what we received."},
    ErrorInfo{kBadRequest, "BadRequest", 400, "The request is malformed."},
    ErrorInfo{kBucketAlreadyExists, "BucketAlreadyExists", 409,
              "The requested bucket name is not available. The bucket namespace is shared by all "
              "users of the system. Please select a different name and try again."},
    ErrorInfo{kBucketAlreadyOwnedByYou, "BucketAlreadyOwnedByYou", 409,
              "Your previous request to create the named bucket succeeded and you already own it."},
    ErrorInfo{kBucketNotEmpty, "BucketNotEmpty", 409,
              "The bucket you tried to delete is not empty"},
    ErrorInfo{kEntityTooLarge, "EntityTooLarge", 400,
              "Your proposed upload exceeds the maximum allowed size"},
    ErrorInfo{
        kIncompleteBody, "IncompleteBody", 400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header"},
    ErrorInfo{kInsufficientStorage, "InsufficientStorage", 507,
              "There is not enough space to store the object."},
    ErrorInfo{kInternalError, "InternalError", 500,
              "We encountered an internal error. Please try again."},
    ErrorInfo{kInvalidAccessKeyId, "InvalidAccessKeyId", 403,
              "The AWS Access Key Id you provided does not exist in our records."},
    ErrorInfo{kInvalidArgument, "InvalidArgument", 400, "Invalid Argument"},
    ErrorInfo{kInvalidBucketName, "InvalidBucketName", 400, "The specified bucket is not valid."},
    ErrorInfo{kInvalidDigest, "InvalidDigest", 400, "The Content-MD5 you specified was invalid."},
    ErrorInfo{kInvalidLocationConstraint, "InvalidLocationConstraint", 400,
              "The specified location-constraint is not valid"},
    ErrorInfo{kInvalidRange, "InvalidRange", 416, "The requested range is not satisfiable"},
    ErrorInfo{kInvalidRequest, "InvalidRequest", 400, "Invalid Request"},
    ErrorInfo{kInvalidToken, "InvalidToken", 400,
              "The provided token is malformed or otherwise invalid."},
    ErrorInfo{kInvalidUri, "InvalidURI", 400, "Couldn't parse the specified URI."},
    ErrorInfo{kKeyTooLong, "KeyTooLongError", 400, "Your key is too long"},
    ErrorInfo{kMalformedTrailer, "MalformedTrailerError", 400,
              "The request contained trailing data that was not well-formed or did not conform to "
              "our published schema."},
    ErrorInfo{kMalformedXml, "MalformedXML", 400,
              "The XML you provided was not well-formed or did not validate against our published "
              "schema"},
    ErrorInfo{kMetadataTooLarge, "MetadataTooLarge", 400,
              "Your metadata headers exceed the maximum allowed metadata size"},
    ErrorInfo{kMethodNotAllowed, "MethodNotAllowed", 405,
              "The specified method is not allowed against this resource."},
    ErrorInfo{kMissingContentLength, "MissingContentLength", 411,
              "You must provide the Content-Length HTTP header."},
    ErrorInfo{kNoSuchBucket, "NoSuchBucket", 404, "The specified bucket does not exist"},
    ErrorInfo{kNoSuchBucketPolicy, "NoSuchBucketPolicy", 404, "The bucket policy does not exist"},
    ErrorInfo{kNoSuchConfiguration, "NoSuchConfiguration", 404,
              "The specified configuration does not exist."},
    ErrorInfo{kNoSuchCorsConfiguration, "NoSuchCORSConfiguration", 404,
              "The CORS configuration does not exist"},
    ErrorInfo{kNoSuchKey, "NoSuchKey", 404, "The specified key does not exist."},
    ErrorInfo{kNoSuchLifecycleConfiguration, "NoSuchLifecycleConfiguration", 404,
              "The lifecycle configuration does not exist"},
    ErrorInfo{kNoSuchPublicAccessBlockConfiguration, "NoSuchPublicAccessBlockConfiguration", 404,
              "The public access block configuration was not found"},
    ErrorInfo{kNoSuchTagSet, "NoSuchTagSet", 404, "The TagSet does not exist"},
    ErrorInfo{kNoSuchVersion, "NoSuchVersion", 404, "The specified version does not exist."},
    ErrorInfo{kNoSuchWebsiteConfiguration, "NoSuchWebsiteConfiguration", 404,
              "The specified bucket does not have a website configuration"},
    ErrorInfo{kNotImplemented, "NotImplemented", 501,
              "A header or query you provided implies functionality that is not implemented"},
    ErrorInfo{kObjectLockConfigurationNotFound, "ObjectLockConfigurationNotFoundError", 404,
              "Object Lock configuration does not exist for this bucket"},
    ErrorInfo{kOperationAborted, "OperationAborted", 409,
              "A conflicting conditional operation is currently in progress against this resource. "
              "Please try again."},
    ErrorInfo{kPreconditionFailed, "PreconditionFailed", 412,
              "At least one of the pre-conditions you specified did not hold"},
    ErrorInfo{kReplicationConfigurationNotFound, "ReplicationConfigurationNotFoundError", 404,
              "The replication configuration was not found"},
    ErrorInfo{kRequestHeaderSectionTooLarge, "RequestHeaderSectionTooLarge", 431,
              "Your request header section exceeds the maximum allowed size."},
    ErrorInfo{kRequestTimeTooSkewed, "RequestTimeTooSkewed", 403,
              "The difference between the request time and the current time is too large."},
    ErrorInfo{kRequestTimeout, "RequestTimeout", 400,
              "Your socket connection to the server was not read from or written to within the "
              "timeout period. Idle connections will be closed."},
    ErrorInfo{kServerSideEncryptionConfigurationNotFound,
              "ServerSideEncryptionConfigurationNotFoundError", 404,
              "The server side encryption configuration was not found"},
    ErrorInfo{kServiceUnavailable, "ServiceUnavailable", 503,
              "Service is unable to handle request."},
    ErrorInfo{kSignatureDoesNotMatch, "SignatureDoesNotMatch", 403,
              "The request signature we calculated does not match the signature you provided. "
              "Check your key and signing method."},
    ErrorInfo{kSlowDown, "SlowDown", 503, "Please reduce your request rate."},
    ErrorInfo{kTooManyBuckets, "TooManyBuckets", 400,
              "You have attempted to create more buckets than allowed"},
    ErrorInfo{kUriTooLong, "URITooLong", 414, "The request URI is too long."},
    ErrorInfo{kVersionNotSupported, "HTTPVersionNotSupported", 505,
              "The HTTP version of the request is not supported."},
    ErrorInfo{kXAmzContentSha256Mismatch, "XAmzContentSHA256Mismatch", 400,
              "The provided 'x-amz-content-sha256' header does not match what was computed."},
};

constexpr bool table_is_in_order() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].code) != i) return false;
  }
  return kTable.size() == static_cast<size_t>(kXAmzContentSha256Mismatch) + 1;
}
static_assert(table_is_in_order());

}  // namespace

const ErrorInfo& info(ErrorCode code) {
  return kTable[static_cast<size_t>(code)];
}

Error Error::with(std::string element, std::string value) && {
  details.emplace_back(std::move(element), std::move(value));
  return std::move(*this);
}

Error::Error(ErrorCode error_code, std::string text) : code(error_code), message(std::move(text)) {
  if (info(code).status == 503) headers.append("Retry-After", "1");
}

Error not_implemented(std::string_view what) {
  return {kNotImplemented, std::string(what) + " is not implemented."};
}

Error header_not_implemented(std::string_view name) {
  return Error(kNotImplemented,
               "A header you provided implies functionality that is not implemented")
      .with("Header", std::string(name));
}

Error parameter_not_implemented(std::string_view name) {
  return Error(kNotImplemented,
               "A parameter you provided implies functionality that is not implemented")
      .with("Parameter", std::string(name));
}

Error invalid_argument(std::string message, std::string_view name, std::string_view value) {
  return Error(kInvalidArgument, std::move(message))
      .with("ArgumentName", std::string(name))
      .with("ArgumentValue", std::string(value));
}

Error from_store(const Status& status) {
  switch (status.code()) {
    case Code::kNotFound:
      return kNoSuchBucket;
    case Code::kPermissionDenied:
      return kAccessDenied;
    case Code::kAborted:
      return kOperationAborted;
    case Code::kExhausted:
      return kSlowDown;
    case Code::kUnavailable:
    case Code::kNotLeader:
    case Code::kTimeout:
    case Code::kCancelled:
      return kServiceUnavailable;
    case Code::kOutcomeUnknown: {
      Error error(kInternalError,
                  "The outcome is unknown: the request may or may not have taken effect.");
      error.headers.append("x-drumlin-outcome", "unknown");
      return error;
    }
    case Code::kNoSpace:
      return kInsufficientStorage;
    case Code::kTooLarge:
      return kEntityTooLarge;
    case Code::kInvalidArgument:
      return {kInvalidArgument, status.message()};
    default:
      return kInternalError;
  }
}

std::string render(const Error& error, std::string_view resource, std::string_view request_id,
                   std::string_view host_id) {
  XmlDocument document("Error");
  const XmlNode root = document.root();
  root.text("Code", info(error.code).name);
  root.text("Message", error.message.empty() ? info(error.code).message : error.message);
  for (const auto& [element, value] : error.details)
    root.text(element, value);
  root.text("Resource", resource);
  root.text("RequestId", request_id);
  root.text("HostId", host_id);
  return document.to_string();
}

}  // namespace drumlin::s3
