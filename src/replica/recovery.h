// Recovery: from the stream of the WAL's records to the Raft logs of the groups that this node
// holds.
#pragma once

#include <map>
#include <vector>

#include "base/status.h"
#include "raft/log.h"
#include "wal/wal.h"

namespace drumlin::replica {

class RecoveredLogs {
 public:
  // `cache_bytes`: how much of each group's newest entries stays in memory.
  RecoveredLogs(const std::vector<GroupId>& groups, size_t cache_bytes);
  // For wal::Wal::open. kCorrupt for a group that is not ours: its log would be lost unseen.
  // kUnsupported for a kind of entry that this build does not know.
  Status visit(const wal::Record& record);
  raft::Log take(GroupId group);
  uint64_t records() const { return records_; }

 private:
  std::map<GroupId, raft::Log> logs_;
  uint64_t records_ = 0;
};

}  // namespace drumlin::replica
