#include "replica/recovery.h"

#include "raft/types.h"

namespace drumlin::replica {

RecoveredLogs::RecoveredLogs(const std::vector<GroupId>& groups, size_t cache_bytes) {
  for (const GroupId group : groups)
    logs_.emplace(group, raft::Log(cache_bytes));
}

Status RecoveredLogs::visit(const wal::Record& record) {
  const auto log = logs_.find(record.group);
  if (log == logs_.end()) {
    return {Code::kCorrupt, "the log has entries of shard " + record.group.to_string() +
                                ", which this node does not hold"};
  }
  const auto kind = static_cast<raft::EntryKind>(record.kind);
  if (kind != raft::EntryKind::kNoop && kind != raft::EntryKind::kCommand) {
    return {Code::kUnsupported, "the log has an entry of shard " + record.group.to_string() +
                                    " of the unknown kind " + std::to_string(record.kind)};
  }
  ++records_;
  return log->second.restore(raft::Entry{record.term, record.index, kind, record.data});
}

raft::Log RecoveredLogs::take(GroupId group) {
  return std::move(logs_.at(group));
}

}  // namespace drumlin::replica
