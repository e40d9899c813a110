// Snapshots: how a replica that is too far behind for the log gets the state itself.
//
// The leader reads its rows from one view of the kv and sends them in parts, one after the other, each a
// request of its own. The receiver fills a generation of the shard's rows that nobody reads, and at the end
// turns to it in one durable write (Applier::install). Until then it is the replica it was: it votes, and
// takes entries. A part that is lost is sent again; parts that come twice are known by their offset. If
// either side restarts, or leadership changes, the transfer is over, and the next one begins from the front.
//
// What has arrived is checked by a hash over all rows, and by what the shard's own records say.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "raft/raft.h"
#include "replica/applier.h"
#include "replica/services.h"
#include "replica/wire.h"

namespace drumlin::replica {

class Snapshots {
 public:
  // The shard is now the state after entry `index`, of `term`, for good. Must not yield.
  using Installed = std::function<void(LogIndex index, Term term)>;
  // All of these must outlive it, and the fibers that are in it.
  Snapshots(Services& services, Loop& loop, GroupId group, raft::Raft& core, Applier& applier,
            Installed installed);

  // Sends the shard as it is to who wants it, and tells the core how that ended. Yields.
  void send(const raft::Output::Snapshot& wanted);
  // Takes a part. kAborted: the transfer is over, or of a leader who is. kUnavailable: not now. Yields.
  Result<SnapshotReply> receive(SnapshotPart part);
  // What a follower with `match` will have when the transfer that is under way has arrived.
  LogIndex pinned(LogIndex match) const {
    return sending_.empty() ? match : std::max(match, *sending_.begin());
  }
  void stop() { stopped_ = true; }

 private:
  struct Incoming {
    uint64_t transfer = 0;
    uint64_t received = 0;
    uint64_t hash = 0;
  };
  class Source;
  Result<LogIndex> send_all(const raft::Output::Snapshot& wanted);
  Result<LogIndex> send_image(const Applier::Image& image, const raft::Output::Snapshot& wanted);
  Result<SnapshotReply> send_part(NodeId to, const SnapshotPart& part,
                                  const raft::Output::Snapshot& wanted);
  Status take_turn(size_t bytes);
  bool wanted_still(const raft::Output::Snapshot& wanted) const;
  Result<SnapshotReply> take(SnapshotPart& part);

  Services& services_;
  Loop& loop_;
  const GroupId group_;
  raft::Raft& core_;
  Applier& applier_;
  Installed installed_;
  std::optional<Incoming> incoming_;
  std::multiset<LogIndex> sending_;  // states that are on their way
  bool receiving_ = false;           // a part is being taken
  bool stopped_ = false;
};

}  // namespace drumlin::replica
