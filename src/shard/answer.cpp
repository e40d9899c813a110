// Queries.
#include <algorithm>

#include "shard/codec.h"
#include "shard/shard.h"

namespace drumlin::shard {
namespace {

// May a reader who knows (incarnation, epoch) read here? A closed row is empty, not stale. A row that
// has yet to hear of the reader's epoch holds the same objects.
bool readable(const std::optional<BucketRow>& row, uint64_t incarnation, uint64_t epoch) {
  return row && row->incarnation == incarnation && row->epoch <= epoch &&
         row->state != RowState::kTombstone;
}

// A closed row may be that of a bucket that is invisible by now: the catalogue knows.
Detail detail_of(const BucketRow& row) {
  return row.state == RowState::kClosed ? Detail::kRowClosed : Detail::kNone;
}

// One pass over a partition's keys that fit the request.
class Lister {
 public:
  Lister(const ListPartition& request, size_t key_at) : request_(request), key_at_(key_at) {}

  // Where to begin, relative to the bucket's first key. Nothing: no key can fit the request.
  std::optional<std::string> first() const {
    const std::string& after = request_.after;
    const bool skip_group = request_.after_is_prefix && !after.empty();
    if (skip_group && request_.prefix.starts_with(after)) return std::nullopt;
    if (after < request_.prefix) return request_.prefix;
    if (after.empty()) return after;
    if (!skip_group) return after + std::string(1, '\0');
    std::string next = Keys::after_prefix(after);
    // Nothing comes after a group whose name is all 0xff.
    return next.empty() ? std::nullopt : std::optional<std::string>(std::move(next));
  }

  // Whether it went as far as the request says; else a bound of the shard came first.
  Result<bool> run(kv::Cursor& cursor, const std::string& base, std::vector<ListedKey>& out) {
    size_t bytes = 0;
    while (cursor.valid() && out.size() < request_.limit) {
      if (out.size() == kMaxListedKeys || bytes >= kMaxListedBytes) return false;
      const std::string_view key = cursor.key().substr(key_at_);
      if (!key.starts_with(request_.prefix)) break;
      if (const auto cut = common_prefix(key)) {
        ListedKey item;
        item.key = key.substr(0, *cut);
        item.common_prefix = true;
        const std::string next = Keys::after_prefix(base + item.key);
        // `after` may lie inside a group: the group itself does not come after it.
        if (item.key > request_.after) {
          bytes += bytes_of(item);
          out.push_back(std::move(item));
        }
        cursor.seek(next);
        continue;
      }
      DRUMLIN_ASSIGN(ObjectRecord record,
                     decode_value<ObjectRecord>(cursor.value(), "object record"));
      ListedKey item;
      item.key = key;
      item.size = record.size;
      item.version = record.version;
      item.modified = record.modified;
      item.etag = std::move(record.attributes.etag);
      bytes += bytes_of(item);
      out.push_back(std::move(item));
      cursor.next();
    }
    DRUMLIN_TRY(cursor.status());
    return true;
  }

 private:
  static size_t bytes_of(const ListedKey& item) {
    return sizeof(ListedKey) + item.key.size() + item.etag.size();
  }
  std::optional<size_t> common_prefix(std::string_view key) const {
    if (request_.delimiter.empty()) return std::nullopt;
    const size_t at = key.find(request_.delimiter, request_.prefix.size());
    if (at == std::string_view::npos) return std::nullopt;
    return at + request_.delimiter.size();
  }
  const ListPartition& request_;
  size_t key_at_;
};

}  // namespace

Result<std::string> Shard::answer(const kv::View& view, const GetObject& get) const {
  GetObjectReply reply;
  DRUMLIN_ASSIGN(const auto bucket_row, row(view, get.bucket));
  if (!readable(bucket_row, get.incarnation, get.epoch)) {
    reply.code = Code::kAborted;
    reply.detail = Detail::kStaleBucket;
    return encode(reply);
  }
  reply.detail = detail_of(*bucket_row);
  DRUMLIN_ASSIGN(reply.object, object(view, get.incarnation, get.key));
  reply.version = reply.object ? reply.object->version : state_.last_delete;
  return encode(reply);
}

Result<std::string> Shard::answer(const kv::View& view, const ListPartition& list) const {
  ListPartitionReply reply;
  DRUMLIN_ASSIGN(const auto bucket_row, row(view, list.bucket));
  if (!readable(bucket_row, list.incarnation, list.epoch)) {
    reply.code = Code::kAborted;
    reply.detail = Detail::kStaleBucket;
    return encode(reply);
  }
  reply.detail = detail_of(*bucket_row);
  const std::string base = keys_.objects(list.incarnation);
  Lister lister(list, base.size());
  const auto first = lister.first();
  if (!first) return encode(reply);
  const auto cursor = view.cursor(base + *first, Keys::after_prefix(base));
  DRUMLIN_ASSIGN(const bool whole, lister.run(*cursor, base, reply.items));
  // No detail is lost: a closed row has no objects.
  if (!whole) reply.detail = Detail::kCut;
  return encode(reply);
}

Result<std::string> Shard::answer(const kv::View& view, const GetBucket& get) const {
  GetBucketReply reply;
  DRUMLIN_ASSIGN(reply.record, record(view, get.name));
  return encode(reply);
}

Result<std::string> Shard::answer(const kv::View& view, const ListBuckets& list) const {
  ListBucketsReply reply;
  const size_t limit = std::clamp(list.limit, uint32_t{1}, kMaxListedBuckets);
  const std::string base = keys_.records();
  const std::string first = base + std::max(list.prefix, list.after + std::string(1, '\0'));
  const std::string end = Keys::after_prefix(base + list.prefix);
  if (first >= end) return encode(reply);
  const auto cursor = view.cursor(first, end);
  std::string last;
  for (size_t seen = 0; cursor->valid(); cursor->next(), ++seen) {
    if (seen == limit) {
      reply.more = true;
      reply.next = std::move(last);
      break;
    }
    DRUMLIN_ASSIGN(BucketRecord record,
                   decode_value<BucketRecord>(cursor->value(), "bucket record"));
    last = record.name;
    if (list.owner && record.owner != *list.owner) continue;
    reply.records.push_back(std::move(record));
  }
  DRUMLIN_TRY(cursor->status());
  return encode(reply);
}

}  // namespace drumlin::shard
