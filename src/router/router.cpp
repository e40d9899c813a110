#include "router/router.h"

#include <algorithm>

#include "router/merge.h"
#include "runtime/fan_out.h"
#include "shard/placement.h"
#include "shard/query.h"

namespace drumlin::router {
namespace {

constexpr Duration kSweepEvery = 5s;

// What a partition says of a command or query, as one of Store's errors. kAborted and nothing else
// means that our bucket record may be stale.
Status refusal(Code code, shard::Detail detail, std::string_view bucket) {
  if (code == Code::kOk) return {};
  if (code == Code::kAborted && detail == shard::Detail::kRowClosed) {
    return {Code::kAborted, "bucket \"" + std::string(bucket) + "\" is being deleted"};
  }
  return {code, "bucket \"" + std::string(bucket) + "\": refused by its partition"};
}

bool is_plain(const WriteTerms& terms) {
  return !terms.when.any() && !terms.request;
}

Status denied(std::string_view bucket) {
  return {Code::kPermissionDenied, "bucket \"" + std::string(bucket) + "\" is another's"};
}

}  // namespace

Router::Router(Runtime& runtime, observe::Observer observer, Origin origin,
               const placement::ShardTable& table, replica::ReplicaSet& local,
               std::map<NodeId, rpc::Peer*> peers, Settings settings)
    : runtime_(runtime),
      observer_(observer),
      origin_(origin),
      local_(local),
      shards_(runtime, observer, origin, table.replicas, local, std::move(peers)),
      buckets_(runtime, observer, shards_, settings),
      users_(runtime, observer, shards_) {}

void Router::start() {
  runtime_.spawn("bucket sweep", [this] { sweep_loop(); });
}

void Router::stop() {
  stopping_.cancel();
  shards_.stop();
}

void Router::sweep_loop() {
  const auto pause = [this] {
    return runtime_.buggify("router.early_sweep", kSweepEvery, 10ms, 500ms);
  };
  while (runtime_.sleep_for(pause(), &stopping_).ok()) {
    if (local_.leader(0) != origin_.node) continue;
    const Status swept = buckets_.sweep(after(runtime_.clock(), kSweepEvery));
    if (!swept.ok()) {
      observer_.log.debug("bucket", "sweep will be tried again", {{"why", swept.to_string()}});
    }
  }
}

uint32_t Router::shard_of(const shard::BucketRecord& bucket, std::string_view key) const {
  return shard::shard_of(bucket.name, key, bucket.partitions, shards_.shards());
}

Status Router::check_bucket(std::string_view name, const Call& call) {
  return lookup_for(name, call, /*fresh=*/false).status();
}

Status Router::create_bucket(std::string_view name, const Call& call) {
  return buckets_.create(name, call);
}

Status Router::delete_bucket(std::string_view name, const Call& call) {
  return buckets_.remove(name, call);
}

Result<shard::BucketRecord> Router::get_bucket(std::string_view name, const Call& call) {
  return lookup_for(name, call, /*fresh=*/true);
}

Result<BucketListing> Router::list_buckets(const ListBucketsRequest& request, const Call& call) {
  return buckets_.list(request, call);
}

Result<shard::BucketRecord> Router::lookup_for(std::string_view bucket, const Call& call,
                                               bool fresh) {
  DRUMLIN_ASSIGN(shard::BucketRecord record, buckets_.lookup(bucket, fresh, call.deadline));
  if (!fresh && !call.may_use(record)) {
    // What we remember may be a former life's, and the present one the caller's.
    DRUMLIN_ASSIGN(record, buckets_.lookup(bucket, /*fresh=*/true, call.deadline));
  }
  if (!call.may_use(record)) return denied(bucket);
  return record;
}

template <typename T, typename Use>
Result<T> Router::with_bucket(std::string_view bucket, const Call& call, Use&& use) {
  DRUMLIN_ASSIGN(shard::BucketRecord record, lookup_for(bucket, call, /*fresh=*/false));
  Result<T> answer = use(record);
  if (!answer.is(Code::kAborted)) return answer;
  runtime_.probe("router.stale_bucket_record");
  // The record that we remembered may be of a former life, or the bucket is changing right now.
  const shard::BucketRecord used = record;
  DRUMLIN_ASSIGN(record, lookup_for(bucket, call, /*fresh=*/true));
  if (record.incarnation == used.incarnation && record.epoch == used.epoch) return answer;
  return use(record);
}

// A partition has closed itself for a delete. If that is decided the bucket is gone for everybody, and our
// remembered record must not make it live longer here.
Status Router::still_there(const shard::BucketRecord& bucket, Instant deadline) {
  DRUMLIN_ASSIGN(const auto now, buckets_.lookup(bucket.name, /*fresh=*/true, deadline));
  const bool same = now.incarnation == bucket.incarnation && now.epoch == bucket.epoch;
  return same ? Status() : Status(Code::kAborted, "the bucket has changed");
}

// A plain write travels as such: every version of a node understands it, and nothing is remembered of it.
Result<Written> Router::write_object(const shard::BucketRecord& bucket, std::string_view key,
                                     shard::Command command, Instant deadline) {
  DRUMLIN_ASSIGN(const shard::Reply reply,
                 shards_.write(shard_of(bucket, key), std::move(command), deadline));
  Written written;
  written.version = reply.version;
  if (reply.detail == shard::Detail::kCondition) {
    written.outcome = reply.code == Code::kNotFound ? Written::Outcome::kNothingToMatch
                                                    : Written::Outcome::kConditionFailed;
    return written;
  }
  DRUMLIN_TRY(refusal(reply.code, reply.detail, bucket.name));
  return written;
}

Result<Written> Router::put_object(std::string_view bucket, std::string_view key,
                                   shard::ObjectAttributes attributes, Blob body,
                                   const WriteTerms& terms, const Call& call) {
  return with_bucket<Written>(bucket, call, [&](const auto& record) {
    shard::PutIf put;
    put.bucket = record.name;
    put.incarnation = record.incarnation;
    put.epoch = record.epoch;
    put.key = key;
    put.attributes = attributes;
    put.body = body.view();
    put.when = terms.when;
    put.request = terms.request;
    shard::Command command;
    if (is_plain(terms)) {
      command.payload = static_cast<shard::Put&&>(put);
    } else {
      command.payload = std::move(put);
    }
    return write_object(record, key, std::move(command), call.deadline);
  });
}

Result<Written> Router::delete_object(std::string_view bucket, std::string_view key,
                                      const WriteTerms& terms, const Call& call) {
  return with_bucket<Written>(bucket, call, [&](const auto& record) {
    shard::Delete del{record.name, record.incarnation, record.epoch, std::string(key)};
    shard::Command command;
    if (is_plain(terms)) {
      command.payload = std::move(del);
    } else {
      command.payload = shard::DeleteIf{std::move(del), terms.when, terms.request};
    }
    return write_object(record, key, std::move(command), call.deadline);
  });
}

Result<GotObject> Router::get_object(std::string_view bucket, std::string_view key, bool with_body,
                                     std::optional<ByteRange> range, uint64_t max_body,
                                     const Call& call) {
  return with_bucket<GotObject>(bucket, call, [&](const auto& record) -> Result<GotObject> {
    replica::QueryRequest request;
    request.shard = shard_of(record, key);
    request.query = shard::encode_query(
        shard::GetObject{record.name, record.incarnation, record.epoch, std::string(key)});
    request.want_body = with_body;
    request.max_body = max_body;
    if (range) request.range = {range->first, range->last};
    DRUMLIN_ASSIGN(replica::QueryReply answer, shards_.read(std::move(request), call.deadline));
    DRUMLIN_ASSIGN(shard::GetObjectReply reply, shard::decode_get_object_reply(answer.reply));
    DRUMLIN_TRY(refusal(reply.code, reply.detail, bucket));
    if (reply.detail == shard::Detail::kRowClosed) DRUMLIN_TRY(still_there(record, call.deadline));
    GotObject out;
    out.found = reply.object.has_value();
    out.version = out.found ? reply.object->version : reply.version;
    if (out.found) out.object = std::move(*reply.object);
    out.unsatisfiable = answer.unsatisfiable;
    out.first = answer.first;
    out.body = std::move(answer.body);
    out.body_left_out = answer.body_left_out;
    return out;
  });
}

Result<Router::ListedPart> Router::list_partition(const shard::BucketRecord& bucket,
                                                  uint32_t partition, const ListRequest& request,
                                                  size_t limit, Instant deadline) {
  shard::ListPartition list;
  list.bucket = bucket.name;
  list.incarnation = bucket.incarnation;
  list.epoch = bucket.epoch;
  list.prefix = request.prefix;
  list.delimiter = request.delimiter;
  list.after = request.after;
  list.after_is_prefix = request.after_is_prefix;
  list.limit = static_cast<uint32_t>(limit);
  replica::QueryRequest query;
  query.shard = shard::shard_of_partition(bucket.name, partition, shards_.shards());
  query.query = shard::encode_query(list);
  DRUMLIN_ASSIGN(const replica::QueryReply answer, shards_.read(std::move(query), deadline));
  DRUMLIN_ASSIGN(shard::ListPartitionReply reply, shard::decode_list_partition_reply(answer.reply));
  DRUMLIN_TRY(refusal(reply.code, reply.detail, bucket.name));
  if (reply.detail == shard::Detail::kRowClosed) DRUMLIN_TRY(still_there(bucket, deadline));
  const bool cut = reply.detail == shard::Detail::kCut;
  if (cut && reply.items.empty()) return Status(Code::kCorrupt, "a cut listing leads nowhere");
  const bool more = cut || (!reply.items.empty() && reply.items.size() >= limit);
  return ListedPart{std::move(reply.items), more};
}

// All partitions or an error: a page with a hole would be a lie.
Result<Listing> Router::list_all(const shard::BucketRecord& bucket, const ListRequest& request,
                                 Instant deadline) {
  struct Shared {
    shard::BucketRecord bucket;
    ListRequest request;
    size_t quota;
    std::vector<Result<ListedPart>> parts;
  };
  Page page(bucket.partitions, request.limit, !request.delimiter.empty());
  const auto shared = std::make_shared<Shared>(Shared{bucket, request, page.quota(), {}});
  shared->parts.assign(bucket.partitions, Status(Code::kCancelled));
  fan_out(runtime_, "list partition", bucket.partitions, bucket.partitions,
          [this, shared, deadline](size_t i) {
            shared->parts[i] = list_partition(shared->bucket, static_cast<uint32_t>(i),
                                              shared->request, shared->quota, deadline);
          });
  for (uint32_t i = 0; i < bucket.partitions; ++i) {
    auto& part = shared->parts[i];
    if (!part.ok()) return part.status();
    page.add(i, std::move(part->items), part->more);
  }
  while (const auto partition = page.wants()) {
    ListRequest rest = request;
    rest.after = page.last_of(*partition).key;
    rest.after_is_prefix = page.last_of(*partition).common_prefix;
    DRUMLIN_ASSIGN(auto next, list_partition(bucket, static_cast<uint32_t>(*partition), rest,
                                             page.refill(), deadline));
    page.add(*partition, std::move(next.items), next.more);
  }
  return std::move(page).take();
}

Result<Listing> Router::list_objects(const ListRequest& request, const Call& call) {
  return with_bucket<Listing>(request.bucket, call, [&](const auto& record) -> Result<Listing> {
    DRUMLIN_ASSIGN(Listing out, list_all(record, request, call.deadline));
    out.owner = record.owner;
    return out;
  });
}

}  // namespace drumlin::router
