// The operations of the S3 API that exist, one function each, and the choice among them. Each
// function yields and returns what to answer. Internal to the room.
#pragma once

#include <cstddef>
#include <string_view>

#include "s3/request.h"

namespace drumlin::s3 {

enum class Operation : unsigned char {
  kListBuckets,
  kCreateBucket,
  kHeadBucket,
  kDeleteBucket,
  kGetBucketLocation,
  kListObjects,
  kListObjectsV2,
  kListObjectVersions,
  kDeleteObjects,
  kGetConfiguration,     // of a bucket or an object: policy, cors, tagging, ...
  kDeleteConfiguration,  // the same
  kPutObject,
  kGetObject,
  kHeadObject,
  kDeleteObject,
  kNone,  // refused before one was chosen
};
inline constexpr size_t kOperations = static_cast<size_t>(Operation::kNone) + 1;
std::string_view operation_name(Operation operation);

// By method and target. Subresources that do not exist here are kNotImplemented, never ignored: a
// client that asked for ?tagging must not get the object. Parameters that change nothing (x-id) are
// ignored.
Outcome<Operation> route(std::string_view method, const Target& target);

// Refuses headers that would change what the operation means and are not built, kNotImplemented.
Check refuse_unbuilt_headers(Operation operation, const http::Headers& headers);

Outcome<Response> run(Operation operation, Context& context, const Request& request);

Outcome<Response> list_buckets(Context& context, const Request& request);   // service.cpp
Outcome<Response> create_bucket(Context& context, const Request& request);  // bucket.cpp
Outcome<Response> head_bucket(Context& context, const Request& request);
Outcome<Response> delete_bucket(Context& context, const Request& request);
Outcome<Response> get_bucket_location(Context& context, const Request& request);
Outcome<Response> list_objects(Context& context, const Request& request);  // list.cpp
Outcome<Response> list_objects_v2(Context& context, const Request& request);
Outcome<Response> list_object_versions(Context& context, const Request& request);
Outcome<Response> put_object(Context& context, const Request& request);  // object_put.cpp
Outcome<Response> get_object(Context& context, const Request& request);  // object_get.cpp
Outcome<Response> head_object(Context& context, const Request& request);
Outcome<Response> delete_object(Context& context, const Request& request);   // object_delete.cpp
Outcome<Response> delete_objects(Context& context, const Request& request);  // objects_delete.cpp
Outcome<Response> get_configuration(Context& context, const Request& request);  // configuration.cpp
Outcome<Response> delete_configuration(Context& context, const Request& request);

// Subresources that nobody can configure here, and that Amazon answers about as long as nobody has.
bool is_readable_configuration(std::string_view name, bool of_object);
bool is_deletable_configuration(std::string_view name, bool of_object);

// Every object is its own and only version, "null". The answer says so to who asked by that id.
void add_version_id(const Request& request, http::Headers& headers);

// From the store, for an operation on an existing bucket: kNotFound names it.
Error bucket_error(const Status& status, std::string_view bucket);

inline constexpr std::string_view kVersionHeader = "x-drumlin-version";

// A range of 0..limit for max-keys, max-buckets; `limit` if it is not there, and above.
Outcome<size_t> parse_limit(const Query& query, std::string_view name, size_t limit);

}  // namespace drumlin::s3
