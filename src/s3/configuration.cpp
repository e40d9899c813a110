// Subresources that can be asked about and not be set: what Amazon answers about a bucket or object that
// nobody has configured. Clients ask many of these on their way (s3cmd info, rclone, Terraform).
#include <algorithm>
#include <array>
#include <optional>

#include "s3/operations.h"
#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

struct Unset {
  std::string_view name;
  std::optional<ErrorCode> error;  // that there is none; else an empty root...
  std::string_view root = {};
  std::string_view child = {};  // ...but for this
  std::string_view text = {};
  bool deletable = false;
};

constexpr std::array kOfBuckets = {
    Unset{"accelerate", {}, "AccelerateConfiguration"},
    Unset{"acl", {}, "AccessControlPolicy"},
    Unset{"analytics", {}, "ListBucketAnalyticsConfigurationResult", "IsTruncated", "false"},
    Unset{"cors", ErrorCode::kNoSuchCorsConfiguration, {}, {}, {}, true},
    Unset{"encryption", ErrorCode::kServerSideEncryptionConfigurationNotFound, {}, {}, {}, true},
    Unset{"intelligent-tiering",
          {},
          "ListBucketIntelligentTieringConfigurationsOutput",
          "IsTruncated",
          "false"},
    Unset{"inventory", {}, "ListInventoryConfigurationsResult", "IsTruncated", "false"},
    Unset{"lifecycle", ErrorCode::kNoSuchLifecycleConfiguration, {}, {}, {}, true},
    Unset{"logging", {}, "BucketLoggingStatus"},
    Unset{"metrics", {}, "ListMetricsConfigurationsResult", "IsTruncated", "false"},
    Unset{"notification", {}, "NotificationConfiguration"},
    Unset{"object-lock", ErrorCode::kObjectLockConfigurationNotFound},
    Unset{"ownershipControls", {}, "OwnershipControls"},
    Unset{"policy", ErrorCode::kNoSuchBucketPolicy, {}, {}, {}, true},
    Unset{"policyStatus", ErrorCode::kNoSuchBucketPolicy},
    Unset{"publicAccessBlock", ErrorCode::kNoSuchPublicAccessBlockConfiguration, {}, {}, {}, true},
    Unset{"replication", ErrorCode::kReplicationConfigurationNotFound, {}, {}, {}, true},
    Unset{"requestPayment", {}, "RequestPaymentConfiguration", "Payer", "BucketOwner"},
    Unset{"tagging", ErrorCode::kNoSuchTagSet, {}, {}, {}, true},
    Unset{"versioning", {}, "VersioningConfiguration"},
    Unset{"website", ErrorCode::kNoSuchWebsiteConfiguration, {}, {}, {}, true},
};
constexpr std::array kOfObjects = {
    Unset{"acl", {}, "AccessControlPolicy"},
    Unset{"legal-hold", ErrorCode::kInvalidRequest},
    Unset{"retention", ErrorCode::kInvalidRequest},
    Unset{"tagging", {}, "Tagging", {}, {}, true},
};

const Unset* find(std::string_view name, bool of_object) {
  const auto in = [&](const auto& table) -> const Unset* {
    const auto it = std::find_if(table.begin(), table.end(),
                                 [&](const Unset& each) { return each.name == name; });
    return it == table.end() ? nullptr : &*it;
  };
  return of_object ? in(kOfObjects) : in(kOfBuckets);
}

const Unset& asked_for(const Request& request) {
  const bool of_object = !request.target.key.empty();
  for (const auto& [name, value] : request.target.query.items()) {
    if (const Unset* unset = find(name, of_object)) return *unset;
  }
  DRUMLIN_UNREACHABLE("routed here without such a subresource");
}

// Everything is its owner's alone. Only our own name is at hand.
void add_acl(const XmlNode& root, const Context& context, uint64_t owner) {
  const auth::Principal& caller = context.caller.principal;
  const auto describe = [&](const XmlNode& node) {
    node.text("ID", auth::canonical_user_id(owner, context.settings.access_key));
    if (owner == caller.user) node.text("DisplayName", caller.name);
  };
  describe(root.child("Owner"));
  const XmlNode grant = root.child("AccessControlList").child("Grant");
  const XmlNode grantee = grant.child("Grantee");
  grantee.attribute("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
  grantee.attribute("xsi:type", "CanonicalUser");
  describe(grantee);
  grant.text("Permission", "FULL_CONTROL");
}

// The bucket must be there, and the object, if one is meant.
Check check_target(Context& context, const Request& request) {
  const std::string& bucket = request.target.bucket;
  if (request.target.key.empty()) {
    const auto found = context.store.get_bucket(bucket, context.call());
    return found.ok() ? good() : Check(bucket_error(found.status(), bucket));
  }
  const auto got =
      context.store.get_object(bucket, request.target.key, false, std::nullopt, 0, context.call());
  if (!got.ok()) return bucket_error(got.status(), bucket);
  if (got->found) return good();
  return Error(ErrorCode::kNoSuchKey).with("Key", request.target.key);
}

Error not_set(const Unset& unset, const Request& request) {
  if (*unset.error == ErrorCode::kInvalidRequest) {
    return {ErrorCode::kInvalidRequest, "Bucket is missing Object Lock Configuration"};
  }
  return Error(*unset.error).with("BucketName", request.target.bucket);
}

}  // namespace

bool is_readable_configuration(std::string_view name, bool of_object) {
  return find(name, of_object) != nullptr;
}

bool is_deletable_configuration(std::string_view name, bool of_object) {
  const Unset* unset = find(name, of_object);
  return unset != nullptr && unset->deletable;
}

Outcome<Response> get_configuration(Context& context, const Request& request) {
  DRUMLIN_S3_TRY(check_target(context, request));
  const Unset& unset = asked_for(request);
  if (unset.error.has_value()) return not_set(unset, request);
  // One of several that have names: there is none of any name.
  if (request.target.query.has("id")) return ErrorCode::kNoSuchConfiguration;
  XmlDocument document(unset.root, kNamespace);
  const XmlNode root = document.root();
  if (!unset.child.empty()) root.text(unset.child, unset.text);
  if (unset.name == "acl") {
    const auto bucket = context.store.get_bucket(request.target.bucket, context.call());
    if (!bucket.ok()) return bucket_error(bucket.status(), request.target.bucket);
    add_acl(root, context, bucket->owner);
  }
  if (unset.name == "tagging") root.child("TagSet").set_text({});
  if (unset.name == "ownershipControls") {
    root.child("Rule").text("ObjectOwnership", "BucketOwnerEnforced");
  }
  Response response;
  response.headers.append("Content-Type", "application/xml");
  response.text = document.to_string();
  add_version_id(request, response.headers);
  return response;
}

// What is not set is soon removed.
Outcome<Response> delete_configuration(Context& context, const Request& request) {
  DRUMLIN_S3_TRY(check_target(context, request));
  Response response;
  response.status = 204;
  add_version_id(request, response.headers);
  return response;
}

}  // namespace drumlin::s3
