// Commands of the bucket protocol. The catalogue's record decides, the partitions' rows follow;
// every command may come late, twice, or from several drivers, and then does nothing.
#include "shard/codec.h"
#include "shard/shard.h"

namespace drumlin::shard {
namespace {

Reply with(Code code, std::optional<BucketRecord> bucket = std::nullopt) {
  Reply reply;
  reply.code = code;
  reply.bucket = std::move(bucket);
  return reply;
}

bool same_life(const std::optional<BucketRecord>& record, uint64_t incarnation) {
  return record && record->incarnation == incarnation;
}

}  // namespace

Result<BucketCount> Shard::bucket_count(const kv::View& view, uint64_t owner) const {
  DRUMLIN_ASSIGN(const auto bytes, view.get(keys_.bucket_count(owner)));
  if (!bytes) return BucketCount();
  return decode_value<BucketCount>(*bytes, "count of buckets");
}

void Shard::put_count(Context& c, uint64_t owner, const BucketCount& count) {
  c.batch.put(keys_.bucket_count(owner), encode_value(count));
}

Result<Reply> Shard::execute(Context& c, const CreateBucket& create) {
  return create_bucket(c, {create.name, create.partitions, kRootUser}, std::nullopt);
}

Result<Reply> Shard::execute(Context& c, const CreateOwnedBucket& create) {
  return create_bucket(c, create, std::nullopt);
}

Result<Reply> Shard::execute(Context& c, const CreateCountedBucket& create) {
  return create_bucket(c, {create.name, create.partitions, create.owner}, create.most);
}

Result<Reply> Shard::create_bucket(Context& c, const CreateOwnedBucket& create,
                                   std::optional<uint64_t> most) {
  DRUMLIN_ASSIGN(const bool user_there, user_exists(c.view, create.owner));
  if (!user_there) return with(Code::kPermissionDenied);
  DRUMLIN_ASSIGN(auto found, record(c.view, create.name));
  if (found && found->owner != create.owner) {
    // Of another: not there yet, or on its way out; else there.
    return with(found->state == BucketState::kActive ? Code::kPermissionDenied : Code::kAborted,
                found);
  }
  if (found) {
    switch (found->state) {
      case BucketState::kCreating:  // another driver began: join it
        return with(Code::kOk, found);
      case BucketState::kActive:
        return with(Code::kAlreadyExists, found);
      default:
        return with(Code::kAborted, found);
    }
  }
  if (create.partitions == 0) return with(Code::kInvalidArgument);  // who maps a key divides by it
  DRUMLIN_ASSIGN(const BucketCount count, bucket_count(c.view, create.owner));
  if (most && count.buckets >= *most) {
    probe(probes_, "shard.too_many_buckets");
    return with(Code::kTooLarge);
  }
  put_count(c, create.owner, {count.buckets + 1});
  BucketRecord made;
  made.name = create.name;
  made.incarnation = c.state.applied.value();
  made.partitions = create.partitions;
  made.epoch = 1;
  made.state = BucketState::kCreating;
  made.created = c.state.log_time;
  made.owner = create.owner;
  put_record(c, made);
  return with(Code::kOk, made);
}

Result<Reply> Shard::execute(Context& c, const ActivateBucket& activate) {
  DRUMLIN_ASSIGN(auto found, record(c.view, activate.name));
  if (!same_life(found, activate.incarnation)) return with(Code::kAborted, found);
  if (found->state == BucketState::kCreating) {
    found->state = BucketState::kActive;
    put_record(c, *found);
  }
  return with(Code::kOk, found);
}

Result<Reply> Shard::execute(Context& c, const BeginOwnedDelete& begin) {
  DRUMLIN_ASSIGN(auto found, record(c.view, begin.name));
  if (found && found->owner != begin.owner) return with(Code::kPermissionDenied, found);
  return execute(c, BeginDelete{begin.name});
}

Result<Reply> Shard::execute(Context& c, const BeginDelete& begin) {
  DRUMLIN_ASSIGN(auto found, record(c.view, begin.name));
  if (!found) return with(Code::kNotFound);
  switch (found->state) {
    case BucketState::kActive:
      found->state = BucketState::kDeleting;
      put_record(c, *found);
      return with(Code::kOk, found);
    case BucketState::kDeleting:  // join
      return with(Code::kOk, found);
    default:
      return with(Code::kAborted, found);
  }
}

Result<Reply> Shard::execute(Context& c, const DecideDelete& decide) {
  DRUMLIN_ASSIGN(auto found, record(c.view, decide.name));
  if (!found) return with(Code::kNotFound);
  if (!same_life(found, decide.incarnation)) return with(Code::kAborted, found);
  if (found->state == BucketState::kDeleting && found->epoch == decide.epoch) {
    if (decide.remove) {
      found->state = BucketState::kRemoving;
    } else {
      found->state = BucketState::kReopening;
      found->epoch += 1;
    }
    put_record(c, *found);
    return with(Code::kOk, found);
  }
  // Another driver has decided about this very attempt: its decision stands.
  const bool removing = found->state == BucketState::kRemoving && found->epoch == decide.epoch;
  const bool reopening =
      found->state == BucketState::kReopening && found->epoch == decide.epoch + 1;
  return with(removing || reopening ? Code::kOk : Code::kAborted, found);
}

Result<Reply> Shard::execute(Context& c, const FinishRemove& finish) {
  DRUMLIN_ASSIGN(auto found, record(c.view, finish.name));
  if (!found) return with(Code::kNotFound);
  if (!same_life(found, finish.incarnation) || found->state != BucketState::kRemoving) {
    return with(Code::kAborted, found);
  }
  DRUMLIN_ASSIGN(const BucketCount count, bucket_count(c.view, found->owner));
  if (count.buckets == 0) return Status(Code::kCorrupt, "a bucket that was not counted");
  put_count(c, found->owner, {count.buckets - 1});
  c.batch.remove(keys_.record(finish.name));
  return with(Code::kOk);
}

Result<Reply> Shard::execute(Context& c, const FinishReopen& finish) {
  DRUMLIN_ASSIGN(auto found, record(c.view, finish.name));
  if (!found) return with(Code::kNotFound);
  if (!same_life(found, finish.incarnation) || found->epoch != finish.epoch) {
    return with(Code::kAborted, found);
  }
  if (found->state == BucketState::kReopening) {
    found->state = BucketState::kActive;
    put_record(c, *found);
  }
  return with(Code::kOk, found);
}

Result<Reply> Shard::execute(Context& c, const InstallRow& install) {
  DRUMLIN_ASSIGN(const auto found, row(c.view, install.bucket));
  if (!found || found->incarnation < install.incarnation) {
    put_row(c, install.bucket, {install.incarnation, install.epoch, RowState::kOpen});
    return with(Code::kOk);
  }
  const bool there = found->incarnation == install.incarnation && found->epoch == install.epoch &&
                     found->state == RowState::kOpen;
  return with(there ? Code::kOk : Code::kAborted);
}

Result<Reply> Shard::execute(Context& c, const CloseRowIfEmpty& close) {
  DRUMLIN_ASSIGN(auto found, row(c.view, close.bucket));
  if (!found || found->incarnation != close.incarnation || found->epoch != close.epoch ||
      found->state == RowState::kTombstone) {
    return with(Code::kAborted);
  }
  if (found->state == RowState::kClosed) return with(Code::kOk);
  const std::string objects = keys_.objects(close.incarnation);
  const auto cursor = c.view.cursor(objects, Keys::after_prefix(objects));
  DRUMLIN_TRY(cursor->status());
  if (cursor->valid()) return with(Code::kFailedPrecondition);
  found->state = RowState::kClosed;
  put_row(c, close.bucket, *found);
  return with(Code::kOk);
}

Result<Reply> Shard::execute(Context& c, const ReopenRow& reopen) {
  DRUMLIN_ASSIGN(auto found, row(c.view, reopen.bucket));
  if (!found || found->incarnation != reopen.incarnation || found->epoch > reopen.epoch ||
      found->state == RowState::kTombstone) {
    return with(Code::kAborted);
  }
  if (found->epoch < reopen.epoch) {
    put_row(c, reopen.bucket, {reopen.incarnation, reopen.epoch, RowState::kOpen});
    return with(Code::kOk);
  }
  return with(found->state == RowState::kOpen ? Code::kOk : Code::kAborted);
}

Result<Reply> Shard::execute(Context& c, const RemoveRow& remove) {
  DRUMLIN_ASSIGN(auto found, row(c.view, remove.bucket));
  if (!found || found->incarnation != remove.incarnation || found->epoch != remove.epoch ||
      found->state == RowState::kOpen) {
    return with(Code::kAborted);
  }
  if (found->state == RowState::kClosed) {
    found->state = RowState::kTombstone;
    put_row(c, remove.bucket, *found);
  }
  return with(Code::kOk);
}

}  // namespace drumlin::shard
