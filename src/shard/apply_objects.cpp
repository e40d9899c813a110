// Commands on objects.
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
