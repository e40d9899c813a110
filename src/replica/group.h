// Group: one shard's replica on this node: the Raft core, its waiters, and the order between log,
// network and apply. Driven by ReplicaSet; every call runs on the reactor.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "raft/raft.h"
#include "replica/applier.h"
#include "replica/services.h"
#include "replica/snapshots.h"
#include "replica/wire.h"

namespace drumlin::replica {

class Group {
 public:
  Group(Services& services, Loop& loop, GroupId id, std::unique_ptr<raft::Raft> core,
        std::unique_ptr<Applier> applier);
  ~Group();

  GroupId id() const { return id_; }
  const raft::Raft& core() const { return *core_; }
  LogIndex applied() const { return applier_->applied(); }
  Applier& applier() { return *applier_; }

  // Leader only. Stamps log time, appends, and yields until the command is applied here. The reply is
  // the shard's. kNotLeader, kExhausted and kUnavailable: it was not and will not be applied.
  // kOutcomeUnknown: it may yet be.
  Result<std::string> propose(std::string command, Instant deadline);
  // Leader only. Linearizable (ReadIndex). Yields. kNotLeader, kTimeout, and those of Applier::query.
  Result<QueryReply> query(const QueryRequest& request, Instant deadline);

  void tick();
  void set_disk_stalled(bool stalled);
  void step(raft::Message message);
  // What was appended under `append` is durable in the WAL.
  void appended(uint64_t append, LogIndex last, Term term);
  void voted(Term term, NodeId vote);
  // One turn: all that the core wants done, messages to `out`, then apply what can be applied.
  void pump(std::vector<raft::Message>& out);
  // The log may begin after `index`, which is in the kv for good: see Raft::compact(). Not so far that a
  // follower would need a snapshot, unless `pressed`.
  void compact(LogIndex index, bool pressed);
  // Writes all entries that the log has once more, at the end of the WAL: they leave the files they lie in.
  // Does nothing if the log changes meanwhile, or exceeds Options::uncommitted_bytes. Yields.
  void rewrite_log();
  // As Snapshots::receive().
  Result<SnapshotReply> receive_snapshot(SnapshotPart part) {
    return snapshots_.receive(std::move(part));
  }
  // Fails everything that waits. After it the group takes no more calls.
  void stop();

 private:
  struct Proposal;
  struct Read;
  struct ProposalKey {
    LogIndex index;
    Term term;
    auto operator<=>(const ProposalKey&) const = default;
  };
  void append(raft::Output::Append batch);
  void fetch(const raft::Output::Fetch& wanted);
  void finish_reads(const raft::Output& output);
  void snapshot_installed(LogIndex index, Term term);
  void role_changed();
  void apply_committed();
  void apply_slowly();
  void finish_apply(const raft::Entry& entry, std::string reply);
  LogIndex may_apply() const;
  void abandon_proposals();
  void count_uncommitted();
  Result<LogIndex> read_barrier(Instant deadline);

  Services& services_;
  Loop& loop_;
  GroupId id_;
  std::unique_ptr<raft::Raft> core_;
  std::unique_ptr<Applier> applier_;
  Snapshots snapshots_;
  std::map<ProposalKey, Proposal*> proposals_;
  std::map<uint64_t, Read*> reads_;
  uint64_t next_read_ = 1;
  WaitQueue applied_;               // somebody waits for applied() to advance
  size_t counted_uncommitted_ = 0;  // our part of Services::uncommitted_bytes
  bool applying_slowly_ = false;
  bool was_leader_ = false;
  Instant lost_leadership_ = kNever;
  bool stopped_ = false;
};

}  // namespace drumlin::replica
