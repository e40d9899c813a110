// Operations on a bucket itself: create, head, delete, location.
#include "s3/body.h"
#include "s3/operations.h"
#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

constexpr uint64_t kMaxConfigurationBytes = 64 << 10;
constexpr std::string_view kClassicRegion = "us-east-1";

// An empty body is a bucket where we are; a location must be our region.
Check check_configuration(std::string_view body, std::string_view region) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return good();
  const auto location = read_xml_child(body, "CreateBucketConfiguration", "LocationConstraint");
  if (!location.has_value()) return ErrorCode::kMalformedXml;
  if (location->empty() || *location == region) return good();
  return Error(ErrorCode::kInvalidLocationConstraint).with("LocationConstraint", *location);
}

}  // namespace

Outcome<Response> create_bucket(Context& context, const Request& request) {
  DRUMLIN_S3_ASSIGN(const BodyPlan plan, plan_body(request, kMaxConfigurationBytes, false));
  DRUMLIN_S3_ASSIGN(const auto memory, acquire_body_bytes(context, plan.size, context.deadline()));
  DRUMLIN_S3_ASSIGN(const Body body, read_body(context, request, plan));
  DRUMLIN_S3_TRY(check_configuration(body.bytes, context.settings.region));
  const std::string& name = request.target.bucket;
  const Status status = context.store.create_bucket(name, context.call());
  if (status.is(Code::kAlreadyExists)) {
    return Error(ErrorCode::kBucketAlreadyOwnedByYou).with("BucketName", name);
  }
  if (status.is(Code::kFailedPrecondition)) {
    return Error(ErrorCode::kBucketAlreadyExists).with("BucketName", name);
  }
  if (status.is(Code::kTooLarge)) return ErrorCode::kTooManyBuckets;
  if (!status.ok()) return from_store(status);
  Response response;
  response.headers.append("Location", "/" + name);
  return response;
}

Outcome<Response> head_bucket(Context& context, const Request& request) {
  const auto bucket = context.store.get_bucket(request.target.bucket, context.call());
  if (!bucket.ok()) return bucket_error(bucket.status(), request.target.bucket);
  Response response;
  response.headers.append("x-amz-bucket-region", context.settings.region);
  response.headers.append("x-amz-access-point-alias", "false");
  response.headers.append("Content-Type", "application/xml");
  return response;
}

Outcome<Response> delete_bucket(Context& context, const Request& request) {
  const std::string& name = request.target.bucket;
  const Status status = context.store.delete_bucket(name, context.call());
  if (status.is(Code::kFailedPrecondition)) {
    return Error(ErrorCode::kBucketNotEmpty).with("BucketName", name);
  }
  if (!status.ok()) return bucket_error(status, name);
  Response response;
  response.status = 204;
  return response;
}

Outcome<Response> get_bucket_location(Context& context, const Request& request) {
  const auto bucket = context.store.get_bucket(request.target.bucket, context.call());
  if (!bucket.ok()) return bucket_error(bucket.status(), request.target.bucket);
  XmlDocument document("LocationConstraint", kNamespace);
  // The first region has no name here, for historical reasons.
  if (context.settings.region != kClassicRegion) document.root().set_text(context.settings.region);
  Response response;
  response.headers.append("Content-Type", "application/xml");
  response.text = document.to_string();
  return response;
}

}  // namespace drumlin::s3
