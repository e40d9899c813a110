#include "router/buckets.h"

#include <algorithm>

#include "runtime/fan_out.h"
#include "shard/placement.h"

namespace drumlin::router {
namespace {

using shard::BucketRecord;
using shard::BucketState;
using shard::Reply;

constexpr uint32_t kCatalogue = 0;
// How often a driver may find that somebody else has moved the record on under it.
constexpr int kRounds = 8;
constexpr Duration kSweepTimePerBucket = 1s;

bool visible(BucketState state) {
  return state == BucketState::kActive || state == BucketState::kDeleting ||
         state == BucketState::kReopening;
}

Status status_of(const Reply& reply) {
  return reply.code == Code::kOk ? Status() : Status(reply.code, reply.message);
}

template <typename Payload>
shard::Command command_of(Payload payload) {
  shard::Command command;
  command.payload = std::move(payload);
  return command;
}

Status concurrent_change(std::string_view name) {
  return {Code::kAborted,
          "bucket \"" + std::string(name) + "\" is being changed by another request"};
}

Status not_empty(std::string_view name) {
  return {Code::kFailedPrecondition, "bucket \"" + std::string(name) + "\" is not empty"};
}

// The catalogue holds the first step: a sweep will take the others. "Nothing was done" would be a lie.
Status begun_change(Status ended) {
  const bool claims_nothing =
      ended.is(Code::kUnavailable) || ended.is(Code::kExhausted) || ended.is(Code::kTimeout);
  return claims_nothing ? Status(Code::kOutcomeUnknown, ended.message()) : ended;
}

Status no_such_bucket(std::string_view name) {
  return {Code::kNotFound, "no bucket \"" + std::string(name) + "\""};
}

}  // namespace

Result<Reply> Buckets::catalogue(shard::Command command, Instant deadline) {
  return shards_.write(kCatalogue, std::move(command), deadline);
}

// All at once; the first failure in order of partitions counts.
Result<std::vector<Reply>> Buckets::on_each_partition(const BucketRecord& bucket,
                                                      const Step& step) {
  const uint32_t n = bucket.partitions;
  const auto replies = std::make_shared<std::vector<Result<Reply>>>(n, Status(Code::kCancelled));
  fan_out(runtime_, "bucket step", n, n, [this, replies, step, name = bucket.name](size_t i) {
    const uint32_t partition = static_cast<uint32_t>(i);
    (*replies)[i] = step(shard::shard_of_partition(name, partition, shards_.shards()));
  });
  std::vector<Reply> out;
  for (Result<Reply>& reply : *replies) {
    if (!reply.ok()) return reply.status();
    out.push_back(std::move(*reply));
  }
  return out;
}

Result<BucketRecord> Buckets::record(std::string_view name, Instant deadline) {
  replica::QueryRequest request;
  request.shard = kCatalogue;
  request.query = shard::encode_query(shard::GetBucket{std::string(name)});
  DRUMLIN_ASSIGN(const auto answer, shards_.read(std::move(request), deadline));
  DRUMLIN_ASSIGN(const auto reply, shard::decode_get_bucket_reply(answer.reply));
  if (!reply.record) return no_such_bucket(name);
  return *reply.record;
}

void Buckets::remember(const BucketRecord& bucket) {
  const size_t most = runtime_.buggify("router.few_remembered_buckets",
                                       settings_.remembered_buckets, size_t{1}, size_t{1});
  if (known_.size() >= most) known_.clear();
  known_.insert_or_assign(bucket.name, bucket);
}

Result<BucketRecord> Buckets::lookup(std::string_view name, bool fresh, Instant deadline) {
  if (!fresh) {
    const auto known = known_.find(name);
    if (known != known_.end()) return known->second;
  }
  auto found = record(name, deadline);
  if (found.ok() && visible(found->state)) {
    remember(*found);
    return found;
  }
  if (found.ok() || found.is(Code::kNotFound)) {
    const auto known = known_.find(name);
    if (known != known_.end()) known_.erase(known);
    return no_such_bucket(name);
  }
  return found;
}

Result<BucketRecord> Buckets::get(std::string_view name, Instant deadline) {
  return lookup(name, /*fresh=*/true, deadline);
}

// One query's worth, so that it fits a frame however many buckets there are.
Result<shard::ListBucketsReply> Buckets::page(shard::ListBuckets query, Instant deadline) {
  query.limit = runtime_.buggify("router.short_bucket_pages", query.limit, 1U, 2U);
  replica::QueryRequest request;
  request.shard = kCatalogue;
  request.query = shard::encode_query(query);
  DRUMLIN_ASSIGN(const auto answer, shards_.read(std::move(request), deadline));
  DRUMLIN_ASSIGN(auto reply, shard::decode_list_buckets_reply(answer.reply));
  // Else the next page might be this one again.
  if (reply.more && reply.next <= query.after) {
    return Status(Code::kCorrupt, "a page of buckets leads nowhere");
  }
  return reply;
}

Result<BucketListing> Buckets::list(const ListBucketsRequest& request, const Call& call) {
  BucketListing out;
  shard::ListBuckets query{request.prefix, request.after, shard::kMaxListedBuckets,
                           call.only_owner};
  for (;;) {
    // One more than wanted tells whether there is more. Of an owner's nobody knows how many there are
    // among those that are looked at.
    const size_t wanted = request.limit + 1 - out.buckets.size();
    query.limit = shard::kMaxListedBuckets;
    if (!query.owner && wanted < query.limit) query.limit = static_cast<uint32_t>(wanted);
    DRUMLIN_ASSIGN(auto reply, page(query, call.deadline));
    query.after = std::move(reply.next);
    for (BucketRecord& bucket : reply.records) {
      if (!visible(bucket.state)) continue;
      if (out.buckets.size() == request.limit) {
        out.truncated = true;
        return out;
      }
      out.buckets.push_back(std::move(bucket));
    }
    if (!reply.more) return out;
  }
}

Status Buckets::create(std::string_view name, const Call& call) {
  const uint32_t partitions = std::min<uint32_t>(16, shards_.shards());
  DRUMLIN_ASSIGN(
      const Reply reply,
      catalogue(command_of(shard::CreateCountedBucket{std::string(name), partitions, call.user,
                                                      settings_.buckets_per_user}),
                call.deadline));
  if (reply.code == Code::kPermissionDenied) {
    return reply.bucket ? Status(Code::kFailedPrecondition, "the bucket is another's")
                        : Status(Code::kPermissionDenied, "there is no such user any more");
  }
  if (reply.code == Code::kTooLarge) {
    return {Code::kTooLarge, "the owner has as many buckets as it may have"};
  }
  if (reply.code == Code::kAborted) {
    // Somebody's delete lies half way. Help it along, so that the caller's next try finds it done.
    if (reply.bucket) roll_forward(*reply.bucket, call.deadline).ignore();
    return concurrent_change(name);
  }
  DRUMLIN_TRY(status_of(reply));
  DRUMLIN_CHECK(reply.bucket.has_value());
  return begun_change(finish_create(*reply.bucket, call.deadline));
}

Status Buckets::finish_create(const BucketRecord& bucket, Instant deadline) {
  DRUMLIN_ASSIGN(const auto rows, on_each_partition(bucket, [&](uint32_t shard) {
                   return shards_.write(
                       shard,
                       command_of(shard::InstallRow{bucket.name, bucket.incarnation, bucket.epoch}),
                       deadline);
                 }));
  for (const Reply& row : rows) {
    // A later life of the row: somebody has activated, and perhaps deleted, this incarnation
    // already.
    if (row.code != Code::kOk && row.code != Code::kAborted) return status_of(row);
  }
  DRUMLIN_ASSIGN(
      const Reply active,
      catalogue(command_of(shard::ActivateBucket{bucket.name, bucket.incarnation}), deadline));
  DRUMLIN_TRY(status_of(active));
  if (active.bucket) remember(*active.bucket);
  return {};
}

Status Buckets::remove(std::string_view name, const Call& call) {
  for (int round = 0; round < kRounds; ++round) {
    shard::Command command =
        call.only_owner ? command_of(shard::BeginOwnedDelete{std::string(name), *call.only_owner})
                        : command_of(shard::BeginDelete{std::string(name)});
    DRUMLIN_ASSIGN(const Reply begun, catalogue(std::move(command), call.deadline));
    if (begun.code == Code::kNotFound) return no_such_bucket(name);
    if (begun.code == Code::kPermissionDenied && begun.bucket) {
      if (!visible(begun.bucket->state)) return no_such_bucket(name);
      return {Code::kPermissionDenied, "bucket \"" + std::string(name) + "\" is another's"};
    }
    if (begun.code == Code::kAborted && begun.bucket) {
      // CREATING must first become ACTIVE; REMOVING or REOPENING is somebody's decision to finish.
      DRUMLIN_TRY(roll_forward(*begun.bucket, call.deadline));
      continue;
    }
    DRUMLIN_TRY(status_of(begun));
    DRUMLIN_CHECK(begun.bucket.has_value());
    return begun_change(close_and_decide(*begun.bucket, call.deadline));
  }
  return concurrent_change(name);
}

Status Buckets::close_and_decide(const BucketRecord& bucket, Instant deadline) {
  DRUMLIN_ASSIGN(const auto closed, on_each_partition(bucket, [&](uint32_t shard) {
                   return shards_.write(shard,
                                        command_of(shard::CloseRowIfEmpty{
                                            bucket.name, bucket.incarnation, bucket.epoch}),
                                        deadline);
                 }));
  bool all_closed = true;
  for (const Reply& row : closed) {
    if (row.code == Code::kFailedPrecondition) {
      all_closed = false;
    } else if (row.code == Code::kAborted) {
      return decided_elsewhere(bucket, deadline);  // and the row has moved on
    } else {
      DRUMLIN_TRY(status_of(row));
    }
  }
  DRUMLIN_ASSIGN(const Reply decided,
                 catalogue(command_of(shard::DecideDelete{bucket.name, bucket.incarnation,
                                                          bucket.epoch, all_closed}),
                           deadline));
  if (decided.code == Code::kNotFound || decided.code == Code::kAborted) {
    return decided_elsewhere(bucket, deadline);
  }
  DRUMLIN_TRY(status_of(decided));
  DRUMLIN_CHECK(decided.bucket.has_value());
  if (decided.bucket->state == BucketState::kRemoving) {
    return finish_remove(*decided.bucket, deadline);
  }
  DRUMLIN_TRY(finish_reopen(*decided.bucket, deadline));
  return not_empty(bucket.name);
}

// Another driver (a sweep, or a second delete) has decided about `bucket` while we were closing its
// rows. Our caller hears what became of it.
Status Buckets::decided_elsewhere(const BucketRecord& bucket, Instant deadline) {
  runtime_.probe("bucket.decided_elsewhere");
  const auto now = record(bucket.name, deadline);
  if (now.is(Code::kNotFound)) return {};
  if (!now.ok()) return now.status();
  if (now->incarnation != bucket.incarnation) return {};  // gone, and made again since
  if (now->state == BucketState::kRemoving) return finish_remove(*now, deadline);
  if (now->epoch == bucket.epoch) return concurrent_change(bucket.name);
  if (now->state == BucketState::kReopening) DRUMLIN_TRY(finish_reopen(*now, deadline));
  return not_empty(bucket.name);
}

Status Buckets::finish_remove(const BucketRecord& bucket, Instant deadline) {
  const auto known = known_.find(bucket.name);
  if (known != known_.end()) known_.erase(known);
  DRUMLIN_ASSIGN(const auto rows, on_each_partition(bucket, [&](uint32_t shard) {
                   return shards_.write(
                       shard,
                       command_of(shard::RemoveRow{bucket.name, bucket.incarnation, bucket.epoch}),
                       deadline);
                 }));
  for (const Reply& row : rows) {
    if (row.code != Code::kAborted) DRUMLIN_TRY(status_of(row));
  }
  DRUMLIN_ASSIGN(
      const Reply gone,
      catalogue(command_of(shard::FinishRemove{bucket.name, bucket.incarnation}), deadline));
  if (gone.code == Code::kNotFound || gone.code == Code::kAborted) return {};  // by somebody else
  return status_of(gone);
}

Status Buckets::finish_reopen(const BucketRecord& bucket, Instant deadline) {
  DRUMLIN_ASSIGN(const auto rows, on_each_partition(bucket, [&](uint32_t shard) {
                   return shards_.write(
                       shard,
                       command_of(shard::ReopenRow{bucket.name, bucket.incarnation, bucket.epoch}),
                       deadline);
                 }));
  for (const Reply& row : rows) {
    if (row.code != Code::kAborted) DRUMLIN_TRY(status_of(row));
  }
  DRUMLIN_ASSIGN(
      const Reply active,
      catalogue(command_of(shard::FinishReopen{bucket.name, bucket.incarnation, bucket.epoch}),
                deadline));
  if (active.code == Code::kNotFound || active.code == Code::kAborted) return {};
  if (active.bucket) remember(*active.bucket);
  return status_of(active);
}

Status Buckets::roll_forward(const BucketRecord& bucket, Instant deadline) {
  runtime_.probe("bucket.rolled_forward");
  switch (bucket.state) {
    case BucketState::kCreating:
      return finish_create(bucket, deadline);
    case BucketState::kDeleting: {
      const Status ended = close_and_decide(bucket, deadline);
      // Both decisions are a way forward.
      return ended.is(Code::kFailedPrecondition) || ended.is(Code::kAborted) ? Status() : ended;
    }
    case BucketState::kRemoving:
      return finish_remove(bucket, deadline);
    case BucketState::kReopening:
      return finish_reopen(bucket, deadline);
    case BucketState::kActive:
      return {};
  }
  DRUMLIN_UNREACHABLE("bucket state");
}

Status Buckets::sweep(Instant deadline) {
  Status first_failure;
  shard::ListBuckets query;
  for (;;) {
    DRUMLIN_ASSIGN(const auto reply, page(query, deadline));
    for (const BucketRecord& bucket : reply.records) {
      if (bucket.state == BucketState::kActive) continue;
      observer_.log.info("bucket", "rolling a half-done change forward", {{"bucket", bucket.name}});
      // One that is stuck must not hold up those behind it.
      const Instant limit = std::min(deadline, after(runtime_.clock(), kSweepTimePerBucket));
      const Status moved = roll_forward(bucket, limit);
      if (!moved.ok() && first_failure.ok()) first_failure = moved;
    }
    if (!reply.more) return first_failure;
    query.after = reply.next;
  }
}

}  // namespace drumlin::router
