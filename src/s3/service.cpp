// Operations of the service: ListBuckets.
#include "observe/log.h"
#include "s3/list_token.h"
#include "s3/operations.h"
#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

constexpr size_t kMaxBuckets = 10000;
constexpr std::string_view kTokenScope;  // no bucket: never the scope of a token for objects

Outcome<router::ListBucketsRequest> wanted(const Query& query, std::string_view secret) {
  router::ListBucketsRequest out;
  DRUMLIN_S3_ASSIGN(out.limit, parse_limit(query, "max-buckets", kMaxBuckets));
  out.prefix = query.get("prefix");
  if (const std::string_view token = query.get("continuation-token"); !token.empty()) {
    const auto position = read_list_token(token, kTokenScope, secret);
    if (!position.has_value()) {
      return invalid_argument("The continuation token provided is incorrect", "continuation-token",
                              token);
    }
    out.after = position->key;
  }
  return out;
}

}  // namespace

Outcome<Response> list_buckets(Context& context, const Request& request) {
  const Query& query = request.target.query;
  DRUMLIN_S3_ASSIGN(const auto asked, wanted(query, context.settings.secret_key));
  const auto page = context.store.list_buckets(asked, context.call());
  if (!page.ok()) return from_store(page.status());
  XmlDocument document("ListAllMyBucketsResult", kNamespace);
  const XmlNode root = document.root();
  const XmlNode owner = root.child("Owner");
  owner.text("ID", context.caller.owner_id);
  owner.text("DisplayName", context.caller.principal.name);
  const XmlNode list = root.child("Buckets");
  for (const shard::BucketRecord& bucket : page->buckets) {
    const XmlNode item = list.child("Bucket");
    item.text("Name", bucket.name);
    item.text("CreationDate", observe::rfc3339(bucket.created));
    if (query.has("max-buckets")) item.text("BucketRegion", context.settings.region);
  }
  if (page->truncated && !page->buckets.empty()) {
    root.text("ContinuationToken", make_list_token({page->buckets.back().name, false}, kTokenScope,
                                                   context.settings.secret_key));
  }
  if (!query.get("prefix").empty()) root.text("Prefix", query.get("prefix"));
  Response response;
  response.headers.append("Content-Type", "application/xml");
  response.text = document.to_string();
  return response;
}

}  // namespace drumlin::s3
