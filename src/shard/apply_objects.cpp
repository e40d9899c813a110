// Commands on objects.
#include <algorithm>
#include <chrono>

#include "shard/codec.h"
#include "shard/shard.h"

namespace drumlin::shard {
namespace {

Reply refused(Detail detail) {
  Reply reply;
  reply.code = Code::kAborted;
  reply.detail = detail;
  return reply;
}

Reply unmet(Code code, uint64_t version) {
  Reply reply;
  reply.code = code;
  reply.detail = Detail::kCondition;
  reply.version = version;
  return reply;
}

bool matches_something(const Precondition& when) {
  return when.present || !when.etags.empty() || when.size || when.modified;
}

WallTime whole_seconds(WallTime time) {
  return WallTime(std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()));
}

// Of an object that is there.
bool holds(const Precondition& when, const ObjectRecord& object) {
  if (when.absent) return false;
  if (!when.etags.empty() &&
      std::find(when.etags.begin(), when.etags.end(), object.attributes.etag) == when.etags.end()) {
    return false;
  }
  if (when.size && *when.size != object.size) return false;
  return !when.modified || whole_seconds(*when.modified) == whole_seconds(object.modified);
}

}  // namespace

Result<Detail> Shard::refuse_write(const kv::View& view, const std::string& bucket,
                                   uint64_t incarnation, uint64_t epoch) const {
  DRUMLIN_ASSIGN(const auto found, row(view, bucket));
  if (!found || found->incarnation != incarnation || found->state == RowState::kTombstone) {
    return Detail::kStaleBucket;
  }
  if (found->state == RowState::kClosed) return Detail::kRowClosed;
  // A row refuses what is older than itself; a sender may know of an epoch before the row does.
  return found->epoch <= epoch ? Detail::kNone : Detail::kStaleBucket;
}

Result<Reply> Shard::execute(Context& c, const Put& put) {
  DRUMLIN_ASSIGN(const Detail why, refuse_write(c.view, put.bucket, put.incarnation, put.epoch));
  if (why != Detail::kNone) return refused(why);
  DRUMLIN_ASSIGN(const auto before, object(c.view, put.incarnation, put.key));
  return put_object(c, put, before);
}

Result<Reply> Shard::execute(Context& c, const PutIf& put) {
  DRUMLIN_ASSIGN(const Detail why, refuse_write(c.view, put.bucket, put.incarnation, put.epoch));
  if (why != Detail::kNone) return refused(why);
  DRUMLIN_ASSIGN(const auto before, object(c.view, put.incarnation, put.key));
  if (!before && matches_something(put.when)) {
    return unmet(Code::kNotFound, c.state.last_delete);
  }
  if (before && !holds(put.when, *before)) {
    return unmet(Code::kFailedPrecondition, before->version);
  }
  return put_object(c, put, before);
}

Reply Shard::put_object(Context& c, const Put& put, const std::optional<ObjectRecord>& before) {
  if (before && before->size > 0) c.bodies.push_back({false, before->body, {}, before->size});
  ObjectRecord record;
  record.attributes = put.attributes;
  record.size = put.body.size();
  record.version = c.state.applied.value();
  record.modified = c.state.log_time;
  record.body = {shard_, record.version, 0};
  if (!put.body.empty()) c.bodies.push_back({true, record.body, put.body, record.size});
  c.batch.put(keys_.object(put.incarnation, put.key), encode_value(record));
  Reply reply;
  reply.version = record.version;
  return reply;
}

// Deleting what is not there is a success too, and has a version: it is ordered like any write.
Result<Reply> Shard::execute(Context& c, const Delete& del) {
  DRUMLIN_ASSIGN(const Detail why, refuse_write(c.view, del.bucket, del.incarnation, del.epoch));
  if (why != Detail::kNone) return refused(why);
  DRUMLIN_ASSIGN(const auto before, object(c.view, del.incarnation, del.key));
  return delete_object(c, del, before);
}

// What is not there matches every tag, size and date, as at Amazon: that it be gone is what the client
// wants. "*" alone asks for its presence.
Result<Reply> Shard::execute(Context& c, const DeleteIf& del) {
  DRUMLIN_ASSIGN(const Detail why, refuse_write(c.view, del.bucket, del.incarnation, del.epoch));
  if (why != Detail::kNone) return refused(why);
  DRUMLIN_ASSIGN(const auto before, object(c.view, del.incarnation, del.key));
  if (!before && del.when.present) return unmet(Code::kFailedPrecondition, c.state.last_delete);
  if (before && !holds(del.when, *before)) {
    return unmet(Code::kFailedPrecondition, before->version);
  }
  return delete_object(c, del, before);
}

Reply Shard::delete_object(Context& c, const Delete& del,
                           const std::optional<ObjectRecord>& before) {
  if (before) {
    if (before->size > 0) c.bodies.push_back({false, before->body, {}, before->size});
    c.batch.remove(keys_.object(del.incarnation, del.key));
  }
  c.state.last_delete = c.state.applied.value();
  Reply reply;
  reply.version = c.state.last_delete;
  return reply;
}

}  // namespace drumlin::shard
