// Compaction: keeps log and restart short. After so many bytes of log the kv is flushed; what each shard
// had applied by then is in it for good. Entries up to there, in files older than the newest that are
// retained, are cut out of the logs, and files without any entry left are removed.
//
// Order: entries durable in the log, applied, durable in the kv (flush), marks durable in the log, files
// removed. A crash anywhere leaves more than is needed, never less.
//
// A follower that needs what was cut gets a snapshot. A group that cannot apply what it has (no majority)
// keeps its entries, but not the files they lie in for ever: they are written anew at the log's end.
#pragma once

#include <map>
#include <memory>

#include "replica/group.h"
#include "replica/services.h"

namespace drumlin::replica {

class Compaction {
 public:
  using Groups = std::map<GroupId, std::unique_ptr<Group>>;
  // Both must outlive it.
  Compaction(Services& services, Groups& groups);

  // Runs until `stop`: a fiber of its own. Halts the node if the disk fails it.
  void run(Cancellation& stop);
  // The log may have grown. Does not yield.
  void log_grew();

 private:
  void flush();
  void cut(const std::map<GroupId, LogIndex>& kept_by_kv);
  void move_stragglers();

  Services& services_;
  Groups& groups_;
  WaitQueue wanted_;
  uint64_t flushed_at_bytes_ = 0;  // a long log at the start is reason enough
};

}  // namespace drumlin::replica
