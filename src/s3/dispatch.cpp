#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <string>

#include "s3/conditions.h"
#include "s3/operations.h"

namespace drumlin::s3 {
namespace {

// Parameters of the operations that exist, and those that mean nothing.
constexpr std::array<std::string_view, 24> kOrdinary = {"bucket-region",
                                                        "continuation-token",
                                                        "delimiter",
                                                        "encoding-type",
                                                        "fetch-owner",
                                                        "id",
                                                        "key-marker",
                                                        "list-type",
                                                        "location",
                                                        "marker",
                                                        "max-buckets",
                                                        "max-keys",
                                                        "prefix",
                                                        "response-cache-control",
                                                        "response-content-disposition",
                                                        "response-content-encoding",
                                                        "response-content-language",
                                                        "response-content-type",
                                                        "response-expires",
                                                        "start-after",
                                                        "version-id-marker",
                                                        "versionId",
                                                        "x-id",
                                                        ""};

// What Amazon has besides buckets and objects themselves.
constexpr std::array<std::string_view, 39> kSubresources = {"abac",
                                                            "accelerate",
                                                            "acl",
                                                            "analytics",
                                                            "append",
                                                            "attributes",
                                                            "cors",
                                                            "delete",
                                                            "encryption",
                                                            "intelligent-tiering",
                                                            "inventory",
                                                            "legal-hold",
                                                            "lifecycle",
                                                            "logging",
                                                            "metadataConfiguration",
                                                            "metadataTable",
                                                            "metrics",
                                                            "notification",
                                                            "object-lock",
                                                            "ownershipControls",
                                                            "partNumber",
                                                            "policy",
                                                            "policyStatus",
                                                            "publicAccessBlock",
                                                            "renameObject",
                                                            "replication",
                                                            "requestPayment",
                                                            "restore",
                                                            "retention",
                                                            "select",
                                                            "select-type",
                                                            "session",
                                                            "tagging",
                                                            "torrent",
                                                            "uploadId",
                                                            "uploads",
                                                            "versioning",
                                                            "versions",
                                                            "website"};

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool iequals_prefix(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && http::iequals(text.substr(0, prefix.size()), prefix);
}

// The one subresource that the target names, if any.
Outcome<std::string_view> subresource_of(const Target& target) {
  std::string_view found;
  for (const auto& [name, value] : target.query.items()) {
    if (contains(kOrdinary, name) || iequals_prefix(name, "X-Amz-")) continue;
    // A name without a value that nobody knows is most likely a subresource of a later day.
    if (!contains(kSubresources, name)) {
      if (value.empty()) return parameter_not_implemented(name);
      continue;
    }
    if (!found.empty() && found != name) return parameter_not_implemented(name);
    found = name;
  }
  return found;
}

Check check_version_id(std::string_view method, const Target& target) {
  const auto version = target.query.find("versionId");
  if (!version.has_value()) return good();
  if (method != "GET" && method != "HEAD" && method != "DELETE") {
    return invalid_argument("This operation does not accept a version-id.", "versionId", *version);
  }
  if (version->empty()) {
    return invalid_argument("Version id cannot be the empty string", "versionId", *version);
  }
  if (*version == "null") return good();
  return invalid_argument("Invalid version id specified", "versionId", *version);
}

Outcome<Operation> route_subresource(std::string_view method, const Target& target,
                                     std::string_view name) {
  const bool of_object = !target.key.empty();
  if (target.bucket.empty()) return parameter_not_implemented(name);
  if (method == "GET" && is_readable_configuration(name, of_object)) {
    return Operation::kGetConfiguration;
  }
  if (method == "DELETE" && is_deletable_configuration(name, of_object)) {
    return Operation::kDeleteConfiguration;
  }
  if (!of_object && method == "GET" && name == "versions") return Operation::kListObjectVersions;
  if (!of_object && method == "POST" && name == "delete") return Operation::kDeleteObjects;
  return parameter_not_implemented(name);
}

Outcome<Operation> route_bucket(std::string_view method, const Target& target) {
  if (method == "PUT") return Operation::kCreateBucket;
  if (method == "HEAD") return Operation::kHeadBucket;
  if (method == "DELETE") return Operation::kDeleteBucket;
  if (method == "POST") return not_implemented("Upload by POST form");
  if (method != "GET") return ErrorCode::kMethodNotAllowed;
  if (target.query.has("location")) return Operation::kGetBucketLocation;
  const auto list_type = target.query.find("list-type");
  if (!list_type.has_value()) return Operation::kListObjects;
  if (*list_type == "2") return Operation::kListObjectsV2;
  return invalid_argument("Invalid List Type specified in Query", "list-type", *list_type);
}

Outcome<Operation> route_object(std::string_view method) {
  if (method == "PUT") return Operation::kPutObject;
  if (method == "GET") return Operation::kGetObject;
  if (method == "HEAD") return Operation::kHeadObject;
  if (method == "DELETE") return Operation::kDeleteObject;
  return ErrorCode::kMethodNotAllowed;
}

// Headers that mean one thing only: not built.
constexpr std::array<std::string_view, 7> kRefusedPrefixes = {
    "x-amz-copy-source",  "x-amz-grant-",
    "x-amz-object-lock-", "x-amz-server-side-encryption",
    "x-amz-tagging",      "x-amz-website-redirect-",
    "x-amz-write-offset-"};
constexpr std::array<std::string_view, 3> kRefused = {"x-amz-mfa", "x-amz-rename-source",
                                                      "x-amz-bypass-governance-retention"};

struct Tolerated {
  std::string_view name;
  std::array<std::string_view, 2> values;
};
// Headers that many clients send with the one value that changes nothing.
constexpr std::array kTolerated = {
    Tolerated{"x-amz-acl", {"private", "bucket-owner-full-control"}},
    Tolerated{"x-amz-storage-class", {"STANDARD", "STANDARD"}},
    Tolerated{"x-amz-object-ownership", {"BucketOwnerEnforced", "ObjectWriter"}},
    Tolerated{"x-amz-bucket-object-lock-enabled", {"false", "False"}},
    Tolerated{"x-amz-checksum-type", {"FULL_OBJECT", "FULL_OBJECT"}},
};

// A condition that this operation evaluates; a cache's validators on a plain GET ask for nothing that an
// answer in full does not give.
bool evaluates(Operation operation, std::string_view name) {
  const auto is_any = [&](std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view each) { return http::iequals(name, each); });
  };
  switch (operation) {
    case Operation::kGetObject:
    case Operation::kHeadObject:
      return is_any(
          {"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"});
    case Operation::kPutObject:
      return is_any({"If-Match", "If-None-Match"});
    case Operation::kDeleteObject:
      return is_any({"If-Match", kIfMatchSize, kIfMatchTime});
    default:
      return false;
  }
}

Check refuse_header(Operation operation, const http::Header& header) {
  for (const Tolerated& each : kTolerated) {
    if (!http::iequals(header.name, each.name)) continue;
    return contains(each.values, header.value) ? good()
                                               : Check(header_not_implemented(header.name));
  }
  for (std::string_view name : kRefused) {
    if (http::iequals(header.name, name)) return header_not_implemented(header.name);
  }
  for (std::string_view prefix : kRefusedPrefixes) {
    if (iequals_prefix(header.name, prefix)) return header_not_implemented(header.name);
  }
  const bool condition =
      iequals_prefix(header.name, "if-") || iequals_prefix(header.name, "x-amz-if-");
  if (condition && !evaluates(operation, header.name)) return header_not_implemented(header.name);
  if (iequals_prefix(header.name, "x-drumlin-")) {
    const bool write = operation == Operation::kPutObject || operation == Operation::kDeleteObject;
    if (!write || !http::iequals(header.name, kRequestIdHeader)) {
      return header_not_implemented(header.name);
    }
    if (header.value.empty()) {
      return invalid_argument("A request id cannot be empty.", kRequestIdHeader, header.value);
    }
  }
  // There are no temporary keys here: no token can be a good one.
  if (http::iequals(header.name, "x-amz-security-token")) return ErrorCode::kInvalidToken;
  return good();
}

}  // namespace

std::string_view operation_name(Operation operation) {
  static constexpr std::array<std::string_view, kOperations> kNames = {
      "ListBuckets",       "CreateBucket",     "HeadBucket",          "DeleteBucket",
      "GetBucketLocation", "ListObjects",      "ListObjectsV2",       "ListObjectVersions",
      "DeleteObjects",     "GetConfiguration", "DeleteConfiguration", "PutObject",
      "GetObject",         "HeadObject",       "DeleteObject",        "none"};
  return kNames[static_cast<size_t>(operation)];
}

Outcome<Operation> route(std::string_view method, const Target& target) {
  DRUMLIN_S3_TRY(check_version_id(method, target));
  DRUMLIN_S3_ASSIGN(const std::string_view subresource, subresource_of(target));
  if (!subresource.empty()) return route_subresource(method, target, subresource);
  if (!target.key.empty()) return route_object(method);
  if (!target.bucket.empty()) return route_bucket(method, target);
  if (method == "GET") return Operation::kListBuckets;
  return ErrorCode::kMethodNotAllowed;
}

Check refuse_unbuilt_headers(Operation operation, const http::Headers& headers) {
  for (const http::Header& header : headers) {
    DRUMLIN_S3_TRY(refuse_header(operation, header));
  }
  return good();
}

Outcome<Response> run(Operation operation, Context& context, const Request& request) {
  switch (operation) {
    case Operation::kListBuckets:
      return list_buckets(context, request);
    case Operation::kCreateBucket:
      return create_bucket(context, request);
    case Operation::kHeadBucket:
      return head_bucket(context, request);
    case Operation::kDeleteBucket:
      return delete_bucket(context, request);
    case Operation::kGetBucketLocation:
      return get_bucket_location(context, request);
    case Operation::kListObjects:
      return list_objects(context, request);
    case Operation::kListObjectsV2:
      return list_objects_v2(context, request);
    case Operation::kListObjectVersions:
      return list_object_versions(context, request);
    case Operation::kDeleteObjects:
      return delete_objects(context, request);
    case Operation::kGetConfiguration:
      return get_configuration(context, request);
    case Operation::kDeleteConfiguration:
      return delete_configuration(context, request);
    case Operation::kPutObject:
      return put_object(context, request);
    case Operation::kGetObject:
      return get_object(context, request);
    case Operation::kHeadObject:
      return head_object(context, request);
    case Operation::kDeleteObject:
      return delete_object(context, request);
    case Operation::kNone:
      break;
  }
  return ErrorCode::kInternalError;
}

Error bucket_error(const Status& status, std::string_view bucket) {
  Error error = from_store(status);
  if (error.code != ErrorCode::kNoSuchBucket) return error;
  return std::move(error).with("BucketName", std::string(bucket));
}

void add_version_id(const Request& request, http::Headers& headers) {
  if (request.target.query.has("versionId")) headers.append("x-amz-version-id", "null");
}

Outcome<size_t> parse_limit(const Query& query, std::string_view name, size_t limit) {
  const auto text = query.find(name);
  if (!text.has_value() || text->empty()) return limit;
  int64_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size() || value < 0 ||
      value > INT32_MAX) {
    return invalid_argument(
        "Provided " + std::string(name) + " not an integer or within integer range", name, *text);
  }
  return std::min(static_cast<size_t>(value), limit);
}

}  // namespace drumlin::s3
