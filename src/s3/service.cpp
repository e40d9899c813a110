// Operations of the service: ListBuckets.
#include <algorithm>
#include <vector>

#include "observe/log.h"
#include "s3/list_token.h"
#include "s3/operations.h"
#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

constexpr size_t kMaxBuckets = 10000;
constexpr std::string_view kTokenScope;  // no bucket: never the scope of a token for objects

struct Page {
  std::vector<shard::BucketRecord> buckets;
  std::string next_token;
};

Outcome<Page> select(std::vector<shard::BucketRecord> all, const Query& query,
                     std::string_view secret) {
  DRUMLIN_S3_ASSIGN(const size_t limit, parse_limit(query, "max-buckets", kMaxBuckets));
  const std::string_view prefix = query.get("prefix");
  std::string after;
  if (const std::string_view token = query.get("continuation-token"); !token.empty()) {
    const auto position = read_list_token(token, kTokenScope, secret);
    if (!position.has_value()) {
      return invalid_argument("The continuation token provided is incorrect", "continuation-token",
                              token);
    }
    after = position->key;
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  Page page;
  for (shard::BucketRecord& bucket : all) {
    if (bucket.name <= after || !bucket.name.starts_with(prefix)) continue;
    if (page.buckets.size() == limit) {
      if (limit > 0) {
        page.next_token = make_list_token({page.buckets.back().name, false}, kTokenScope, secret);
      }
      break;
    }
    page.buckets.push_back(std::move(bucket));
  }
  return page;
}

}  // namespace

Outcome<Response> list_buckets(Context& context, const Request& request) {
  auto all = context.store.list_buckets(context.call());
  if (!all.ok()) return from_store(all.status());
  const Query& query = request.target.query;
  DRUMLIN_S3_ASSIGN(const Page page,
                    select(std::move(all).value(), query, context.settings.secret_key));
  XmlDocument document("ListAllMyBucketsResult", kNamespace);
  const XmlNode root = document.root();
  const XmlNode owner = root.child("Owner");
  owner.text("ID", context.caller.owner_id);
  owner.text("DisplayName", context.caller.principal.name);
  const XmlNode list = root.child("Buckets");
  for (const shard::BucketRecord& bucket : page.buckets) {
    const XmlNode item = list.child("Bucket");
    item.text("Name", bucket.name);
    item.text("CreationDate", observe::rfc3339(bucket.created));
    if (query.has("max-buckets")) item.text("BucketRegion", context.settings.region);
  }
  if (!page.next_token.empty()) root.text("ContinuationToken", page.next_token);
  if (!query.get("prefix").empty()) root.text("Prefix", query.get("prefix"));
  Response response;
  response.headers.append("Content-Type", "application/xml");
  response.text = document.to_string();
  return response;
}

}  // namespace drumlin::s3
