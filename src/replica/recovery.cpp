#include "replica/recovery.h"

#include "base/codec.h"
#include "raft/types.h"

namespace drumlin::replica {

wal::Record mark_of(GroupId group, LogIndex index, Term term) {
  std::string data;
  Writer(data).u64(index.value());
  return wal::Record{group, wal::kMark, term, LogIndex(), Blob(std::move(data))};
}

RecoveredLogs::RecoveredLogs(const std::vector<GroupId>& groups, size_t cache_bytes) {
  for (const GroupId group : groups)
    groups_.emplace(group, Group{raft::Log(cache_bytes)});
}

Status RecoveredLogs::visit(const wal::Record& record) {
  const auto group = groups_.find(record.group);
  if (group == groups_.end()) {
    return {Code::kCorrupt, "the log has entries of shard " + record.group.to_string() +
                                ", which this node does not hold"};
  }
  ++records_;
  return record.kind == wal::kMark ? visit_mark(group->second, record)
                                   : visit_entry(group->second, record);
}

Status RecoveredLogs::visit_mark(Group& group, const wal::Record& record) {
  Reader reader(record.data.view());
  const LogIndex index(reader.u64());
  if (!reader.done() || record.index != LogIndex()) {
    return {Code::kCorrupt, "a malformed mark of shard " + record.group.to_string()};
  }
  // One before the first entry that is here says nothing of how the log gets there.
  if (index < group.log.start()) return {};
  // What begins nowhere is in the log only if it follows the entry that the mark names.
  if (group.begins_nowhere && index == group.log.start()) {
    group.log.set_start_term(record.term);
  } else {
    group.log.restore_start(index, record.term);
  }
  group.begins_nowhere = false;
  return {};
}

Status RecoveredLogs::visit_entry(Group& group, const wal::Record& record) {
  const auto kind = static_cast<raft::EntryKind>(record.kind);
  if (kind != raft::EntryKind::kNoop && kind != raft::EntryKind::kCommand) {
    return {Code::kUnsupported, "the log has an entry of shard " + record.group.to_string() +
                                    " of the unknown kind " + std::to_string(record.kind)};
  }
  const raft::Log& log = group.log;
  const bool before = group.begins_nowhere && record.index <= log.start();
  if (record.index > log.last_index() + 1 || (before && record.index != LogIndex())) {
    group.log.reset(record.index - 1, Term());
    group.begins_nowhere = record.index != LogIndex(1);
  }
  return group.log.restore(raft::Entry{record.term, record.index, kind, record.data});
}

Status RecoveredLogs::finish() const {
  for (const auto& [id, group] : groups_) {
    if (!group.begins_nowhere) continue;
    return {Code::kCorrupt, "the log of shard " + id.to_string() + " begins after entry " +
                                group.log.start().to_string() +
                                ", and nothing says that this is right: entries are missing"};
  }
  return {};
}

raft::Log RecoveredLogs::take(GroupId group) {
  return std::move(groups_.at(group).log);
}

}  // namespace drumlin::replica
