// Recovery: from the stream of the WAL's records to the Raft logs of the groups that this node
// holds.
//
// A log that was cut at its front begins in the middle: with entries that nothing precedes, or what
// precedes is further back than one entry, until a mark says after which entry the group's log begins. A mark is a record of kind wal::kMark, index 0: its term and
// data are those of that entry. Whoever removes old files writes them for all groups first.
#pragma once

#include <map>
#include <vector>

#include "base/status.h"
#include "raft/log.h"
#include "wal/wal.h"

namespace drumlin::replica {

wal::Record mark_of(GroupId group, LogIndex index, Term term);

class RecoveredLogs {
 public:
  // `cache_bytes`: how much of each group's newest entries stays in memory.
  RecoveredLogs(const std::vector<GroupId>& groups, size_t cache_bytes);
  // For wal::Wal::open. kCorrupt for a group that is not ours: its log would be lost unseen.
  // kUnsupported for a kind of entry that this build does not know.
  Status visit(const wal::Record& record);
  // After the last record. kCorrupt if entries are missing at the front of a log.
  Status finish() const;
  raft::Log take(GroupId group);
  uint64_t records() const { return records_; }

 private:
  struct Group {
    raft::Log log;
    bool begins_nowhere =
        false;  // no mark covers its beginning so far: the term before it is not known
  };
  static Status visit_mark(Group& group, const wal::Record& record);
  static Status visit_entry(Group& group, const wal::Record& record);
  std::map<GroupId, Group> groups_;
  uint64_t records_ = 0;
};

}  // namespace drumlin::replica
