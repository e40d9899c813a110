// ReplicaSet: all replicas of one node and the loop around them:
//
//   raft output -> hard-state file, WAL, network -> durable? -> raft -> commit -> apply -> answer
//
// One fiber drives: it takes the groups that have something to do, lets each have its turn, and sends
// what they said, one frame per peer and lane. Heartbeats and answers have a lane of their own, so
// they never wait behind entries. Disk completions and messages only mark groups; nothing here blocks.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replica/compaction.h"
#include "replica/group.h"
#include "replica/recovery.h"
#include "replica/services.h"
#include "rpc/peer.h"
#include "rpc/server.h"

namespace drumlin::replica {

// Where one shard stands on this node. For status pages and tests.
struct ShardStatus {
  uint32_t shard = 0;
  raft::Role role = raft::Role::kFollower;
  NodeId leader;
  Term term;
  LogIndex commit;
  LogIndex applied;
  LogIndex durable;
  LogIndex last;
};

class ReplicaSet : public rpc::Handler, private Loop {
 public:
  // The groups that this node holds, with the nodes that vote in each.
  using Voters = std::map<GroupId, std::vector<NodeId>>;
  // `services` and the peers must outlive it. Peers: every other node of the cluster.
  ReplicaSet(Services& services, Voters voters, std::map<NodeId, rpc::Peer*> peers);
  ~ReplicaSet() override;

  // Makes the groups out of what the disk remembers. Yields. kCorrupt if hard state, log and kv
  // contradict each other.
  Status open(RecoveredLogs& logs);
  // Starts the loop. Until admit() the node takes no part: no votes, no acknowledgements.
  void start();
  void admit();
  bool admitted() const { return admitted_; }
  // Fails all that waits and ends the loop's fibers. Does not yield.
  void stop();

  // On a node that does not lead the shard: kNotLeader, see leader_in(). Otherwise as Group's.
  Result<std::string> propose(uint32_t shard, std::string command, Instant deadline);
  Result<QueryReply> query(const QueryRequest& request, Instant deadline);

  bool holds(uint32_t shard) const { return groups_.contains(GroupId(shard)); }
  NodeId leader(uint32_t shard) const;  // as far as this node knows; 0 if it does not
  std::vector<ShardStatus> status() const;
  // Every shard that we hold has a leader.
  bool ready() const;
  Group* group(uint32_t shard);

  // rpc::Handler
  void on_message(NodeId from, uint8_t kind, std::string payload) override;
  Result<std::string> on_request(NodeId from, uint8_t kind, std::string payload) override;

 private:
  struct Outbox {
    std::vector<GroupMessage> control;
    std::vector<GroupMessage> bulk;
    size_t bulk_bytes = 0;
  };
  struct Pending {
    Lsn lsn;
    Group* group;
    uint64_t append;
    LogIndex last;
    Term term;
  };
  void wake(Group& group) override;
  void wake(GroupId group) override;
  Semaphore& snapshot_turns() override { return snapshot_turns_; }
  Result<std::string> call(NodeId to, uint8_t kind, std::string payload, Instant deadline) override;
  void await_append(Group& group, Lsn lsn, uint64_t append, LogIndex last, Term term) override;
  void wal_durable(Lsn lsn);
  Status adopt_snapshot(GroupId id, const Applier& applier, raft::Log& log);
  void drive();
  void tick_loop();
  void watch_disk();
  void post(GroupId group, std::vector<raft::Message>& messages);
  void send_frame(NodeId to, rpc::Lane lane, uint8_t kind, std::string payload);
  void send_batches(NodeId to, rpc::Lane lane, uint8_t kind, std::vector<GroupMessage>& messages);
  void send_bulk(NodeId to, Outbox& outbox);
  void send_all();

  Services& services_;
  Voters voters_;
  std::map<NodeId, rpc::Peer*> peers_;
  std::map<GroupId, std::unique_ptr<Group>> groups_;
  std::vector<Group*> dirty_;
  std::map<GroupId, bool> is_dirty_;
  std::deque<Pending> pending_;
  std::map<NodeId, Outbox> outboxes_;
  WaitQueue work_;
  Compaction compaction_;
  Semaphore snapshot_turns_;
  Cancellation stopping_;
  bool admitted_ = false;
  // The write of the WAL that was under way at the last tick, and at how many before it.
  std::optional<Instant> write_seen_;
  uint32_t write_ticks_ = 0;
  bool disk_stalled_ = false;
  observe::Counter& messages_sent_;
  observe::Counter& frames_sent_;
  observe::Counter& messages_dropped_;
  observe::Counter& appends_dropped_;
};

}  // namespace drumlin::replica
