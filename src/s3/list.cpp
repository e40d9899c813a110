// ListObjectsV2, ListObjects for the clients that still use it, and ListObjectVersions, where each
// object is its own and only version.
#include <algorithm>
#include <optional>
#include <utility>

#include "observe/log.h"
#include "s3/body.h"
#include "s3/list_token.h"
#include "s3/operations.h"
#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

constexpr size_t kMaxKeys = 1000;
// Of memory: partitions give more than is asked for, and XML repeats it.
constexpr size_t kItemBytes = 2048;
constexpr std::string_view kOnlyVersion = "null";

// What both versions have in common.
struct Listed {
  std::string_view bucket;
  std::string_view prefix;
  std::string_view delimiter;
  size_t max_keys = kMaxKeys;
  bool url_encoded = false;
  router::Listing page;
  BodyBudget::Bytes memory;  // for the page, then for the answer

  std::string encoded(std::string_view text) const {
    return url_encoded ? percent_encode(text) : std::string(text);
  }
};

Outcome<Listed> parse_common(const Request& request) {
  const Query& query = request.target.query;
  Listed out;
  out.bucket = request.target.bucket;
  out.prefix = query.get("prefix");
  out.delimiter = query.get("delimiter");
  DRUMLIN_S3_ASSIGN(out.max_keys, parse_limit(query, "max-keys", kMaxKeys));
  const std::string_view encoding = query.get("encoding-type");
  if (!encoding.empty() && encoding != "url") {
    return invalid_argument("Invalid Encoding Method specified in Request", "encoding-type",
                            encoding);
  }
  out.url_encoded = !encoding.empty();
  return out;
}

Check fetch(Context& context, const ListPosition& after, Listed& out) {
  if (out.max_keys == 0) {
    // Nothing to list, but the bucket must be there.
    const auto bucket = context.store.get_bucket(out.bucket, context.call());
    return bucket.ok() ? good() : Check(bucket_error(bucket.status(), out.bucket));
  }
  router::ListRequest list;
  list.bucket = out.bucket;
  list.prefix = out.prefix;
  list.delimiter = out.delimiter;
  list.after = after.key;
  list.after_is_prefix = after.common_prefix;
  list.limit = out.max_keys;
  const size_t memory = std::min(out.max_keys * kItemBytes, context.body_bytes.share());
  DRUMLIN_S3_ASSIGN(out.memory, acquire_body_bytes(context, memory, context.deadline()));
  auto page = context.store.list_objects(list, context.call());
  if (!page.ok()) return bucket_error(page.status(), out.bucket);
  out.page = std::move(page).value();
  // A client that is told to go on must be told where.
  out.page.truncated = out.page.truncated && !out.page.items.empty();
  return good();
}

ListPosition last_of(const Listed& listed) {
  const shard::ListedKey& last = listed.page.items.back();
  return {last.key, last.common_prefix};
}

// A marker is a bare string: if it is what the delimiter makes of a key it is the common prefix that was
// listed last.
ListPosition position_of(std::string_view marker, const Listed& listed) {
  ListPosition out{std::string(marker), false};
  if (listed.delimiter.empty() || !marker.starts_with(listed.prefix)) return out;
  const size_t at = marker.find(listed.delimiter, listed.prefix.size());
  out.common_prefix = at != std::string_view::npos && at + listed.delimiter.size() == marker.size();
  return out;
}

// An object's owner is its bucket's. Only our own name is at hand.
void add_owner(const XmlNode& node, const Context& context, uint64_t bucket_owner) {
  const XmlNode owner = node.child("Owner");
  owner.text("ID", auth::canonical_user_id(bucket_owner, context.settings.access_key));
  const auth::Principal& caller = context.caller.principal;
  if (bucket_owner == caller.user) owner.text("DisplayName", caller.name);
}

void add_contents(const XmlNode& root, const Listed& listed, const Context* owner_for,
                  bool versions = false) {
  for (const shard::ListedKey& item : listed.page.items) {
    if (item.common_prefix) continue;
    const XmlNode node = root.child(versions ? "Version" : "Contents");
    node.text("Key", listed.encoded(item.key));
    if (versions) {
      node.text("VersionId", kOnlyVersion);
      node.boolean("IsLatest", true);
    }
    node.text("LastModified", observe::rfc3339(item.modified));
    node.text("ETag", "\"" + item.etag + "\"");
    node.number("Size", item.size);
    if (owner_for != nullptr) add_owner(node, *owner_for, listed.page.owner);
    node.text("StorageClass", "STANDARD");
  }
  for (const shard::ListedKey& item : listed.page.items) {
    if (item.common_prefix) root.child("CommonPrefixes").text("Prefix", listed.encoded(item.key));
  }
}

Response xml_response(const Context& context, const XmlDocument& document, Listed& listed) {
  Response response;
  response.headers.append("Content-Type", "application/xml");
  response.headers.append("x-amz-bucket-region", context.settings.region);
  response.text = document.to_string();
  response.memory = std::move(listed.memory);
  response.memory.shrink(response.text.size());
  return response;
}

}  // namespace

Outcome<Response> list_objects_v2(Context& context, const Request& request) {
  const Query& query = request.target.query;
  DRUMLIN_S3_ASSIGN(Listed listed, parse_common(request));
  const std::string_view token = query.get("continuation-token");
  const std::string_view start_after = query.get("start-after");
  ListPosition after{std::string(start_after), false};
  if (!token.empty()) {
    auto position = read_list_token(token, listed.bucket, context.settings.secret_key);
    if (!position.has_value()) {
      return invalid_argument("The continuation token provided is incorrect", "continuation-token",
                              token);
    }
    after = std::move(*position);
  }
  DRUMLIN_S3_TRY(fetch(context, after, listed));
  XmlDocument document("ListBucketResult", kNamespace);
  const XmlNode root = document.root();
  root.text("Name", listed.bucket);
  root.text("Prefix", listed.encoded(listed.prefix));
  if (!start_after.empty()) root.text("StartAfter", listed.encoded(start_after));
  if (!token.empty()) root.text("ContinuationToken", token);
  if (listed.page.truncated) {
    root.text("NextContinuationToken",
              make_list_token(last_of(listed), listed.bucket, context.settings.secret_key));
  }
  root.number("KeyCount", listed.page.items.size());
  root.number("MaxKeys", listed.max_keys);
  if (!listed.delimiter.empty()) root.text("Delimiter", listed.encoded(listed.delimiter));
  if (listed.url_encoded) root.text("EncodingType", "url");
  root.boolean("IsTruncated", listed.page.truncated);
  const bool fetch_owner = query.get("fetch-owner") == "true";
  add_contents(root, listed, fetch_owner ? &context : nullptr);
  return xml_response(context, document, listed);
}

Outcome<Response> list_objects(Context& context, const Request& request) {
  DRUMLIN_S3_ASSIGN(Listed listed, parse_common(request));
  const std::string_view marker = request.target.query.get("marker");
  DRUMLIN_S3_TRY(fetch(context, position_of(marker, listed), listed));
  XmlDocument document("ListBucketResult", kNamespace);
  const XmlNode root = document.root();
  root.text("Name", listed.bucket);
  root.text("Prefix", listed.encoded(listed.prefix));
  root.text("Marker", listed.encoded(marker));
  // As at Amazon: without a delimiter clients go on from the last key.
  if (listed.page.truncated && !listed.delimiter.empty()) {
    root.text("NextMarker", listed.encoded(last_of(listed).key));
  }
  root.number("MaxKeys", listed.max_keys);
  if (!listed.delimiter.empty()) root.text("Delimiter", listed.encoded(listed.delimiter));
  if (listed.url_encoded) root.text("EncodingType", "url");
  root.boolean("IsTruncated", listed.page.truncated);
  add_contents(root, listed, &context);
  return xml_response(context, document, listed);
}

Outcome<Response> list_object_versions(Context& context, const Request& request) {
  const Query& query = request.target.query;
  DRUMLIN_S3_ASSIGN(Listed listed, parse_common(request));
  const std::string_view key_marker = query.get("key-marker");
  const std::string_view version_marker = query.get("version-id-marker");
  if (!version_marker.empty() && key_marker.empty()) {
    return invalid_argument("A version-id marker cannot be specified without a key marker.",
                            "version-id-marker", version_marker);
  }
  if (!version_marker.empty() && version_marker != kOnlyVersion) {
    return invalid_argument("Invalid version id specified", "version-id-marker", version_marker);
  }
  // After a key or after its only version: the same place.
  DRUMLIN_S3_TRY(fetch(context, position_of(key_marker, listed), listed));
  XmlDocument document("ListVersionsResult", kNamespace);
  const XmlNode root = document.root();
  root.text("Name", listed.bucket);
  root.text("Prefix", listed.encoded(listed.prefix));
  root.text("KeyMarker", listed.encoded(key_marker));
  root.text("VersionIdMarker", version_marker);
  if (listed.page.truncated) {
    const ListPosition last = last_of(listed);
    root.text("NextKeyMarker", listed.encoded(last.key));
    if (!last.common_prefix) root.text("NextVersionIdMarker", kOnlyVersion);
  }
  root.number("MaxKeys", listed.max_keys);
  if (!listed.delimiter.empty()) root.text("Delimiter", listed.encoded(listed.delimiter));
  if (listed.url_encoded) root.text("EncodingType", "url");
  root.boolean("IsTruncated", listed.page.truncated);
  add_contents(root, listed, &context, /*versions=*/true);
  return xml_response(context, document, listed);
}

}  // namespace drumlin::s3
