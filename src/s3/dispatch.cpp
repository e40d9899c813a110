#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "s3/operations.h"

namespace drumlin::s3 {
namespace {

// Parameters of the operations that exist, and those that mean nothing.
constexpr std::array<std::string_view, 21> kOrdinary = {"bucket-region",
                                                        "continuation-token",
                                                        "delimiter",
                                                        "encoding-type",
                                                        "fetch-owner",
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
                                                        "versionId",
                                                        "x-id",
                                                        ""};

// What Amazon has and Drumlin has not.
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

Check refuse_subresources(const Target& target) {
  for (const auto& [name, value] : target.query.items()) {
    if (contains(kOrdinary, name) || iequals_prefix(name, "X-Amz-")) continue;
    // A name without a value that nobody knows is most likely a subresource of a later day.
    if (contains(kSubresources, name) || value.empty()) {
      return not_implemented("The subresource '" + name + "'");
    }
  }
  const auto version = target.query.find("versionId");
  if (version.has_value() && !version->empty() && *version != "null") {
    return not_implemented("Versioning (versionId)");
  }
  return good();
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
constexpr std::array<std::string_view, 8> kRefusedPrefixes = {
    "x-amz-copy-source", "x-amz-grant-",  "x-amz-object-lock-",      "x-amz-server-side-encryption",
    "x-amz-if-match-",   "x-amz-tagging", "x-amz-website-redirect-", "x-amz-write-offset-"};
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

bool is_write(Operation operation) {
  return operation == Operation::kPutObject || operation == Operation::kDeleteObject ||
         operation == Operation::kCreateBucket || operation == Operation::kDeleteBucket;
}

Check refuse_header(Operation operation, const http::Header& header, std::string_view owner_id) {
  const std::string refusal = "The header " + std::string(header.name);
  for (const Tolerated& each : kTolerated) {
    if (!http::iequals(header.name, each.name)) continue;
    return contains(each.values, header.value)
               ? good()
               : Check(not_implemented(refusal + " with the value " + std::string(header.value)));
  }
  for (std::string_view name : kRefused) {
    if (http::iequals(header.name, name)) return not_implemented(refusal);
  }
  for (std::string_view prefix : kRefusedPrefixes) {
    if (iequals_prefix(header.name, prefix)) return not_implemented(refusal);
  }
  if (iequals_prefix(header.name, "x-drumlin-")) return not_implemented(refusal);
  if (is_write(operation) && iequals_prefix(header.name, "if-")) return not_implemented(refusal);
  if (http::iequals(header.name, "x-amz-expected-bucket-owner") && header.value != owner_id) {
    return ErrorCode::kAccessDenied;
  }
  return good();
}

}  // namespace

std::string_view operation_name(Operation operation) {
  static constexpr std::array<std::string_view, kOperations> kNames = {
      "ListBuckets",       "CreateBucket", "HeadBucket",    "DeleteBucket",
      "GetBucketLocation", "ListObjects",  "ListObjectsV2", "PutObject",
      "GetObject",         "HeadObject",   "DeleteObject",  "none"};
  return kNames[static_cast<size_t>(operation)];
}

Outcome<Operation> route(std::string_view method, const Target& target) {
  DRUMLIN_S3_TRY(refuse_subresources(target));
  if (!target.key.empty()) return route_object(method);
  if (!target.bucket.empty()) return route_bucket(method, target);
  if (method == "GET") return Operation::kListBuckets;
  return ErrorCode::kMethodNotAllowed;
}

Check refuse_unbuilt_headers(Operation operation, const http::Headers& headers,
                             std::string_view owner_id) {
  for (const http::Header& header : headers) {
    DRUMLIN_S3_TRY(refuse_header(operation, header, owner_id));
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
