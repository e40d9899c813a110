// Raft: one group's consensus as a pure state machine. Calls go in (tick, step, propose, completions),
// one Output comes out: what to persist, what to send, what has become known. No I/O, no time.
//
// The core itself holds back what must wait for a disk, so everything in Output.messages may be sent at
// once:
//   - a message of term T (all but pre-votes) leaves once {term, vote} is durable as it is now;
//   - an append is acknowledged up to min(durable, verified equal) and no further;
//   - a candidate counts its own vote, and a leader its own log, only once they are durable. A leader
//     sends entries to others before its own disk has them: the disks work in parallel.
//
// Pre-vote, check-quorum and the leader's lease on votes keep a node that was away from disturbing
// (Ongaro's thesis 4.2.3, 9.6). Reads are ReadIndex (6.4): confirmed by a round of heartbeats that
// began after the request.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/probe.h"
#include "base/rng.h"
#include "base/status.h"
#include "raft/log.h"
#include "raft/progress.h"
#include "raft/quorum.h"
#include "raft/types.h"

namespace drumlin::raft {

struct Proposed {
  Term term;
  LogIndex index;
};

struct Output {
  struct Append {
    uint64_t id;                 // for log_persisted()
    std::vector<Entry> entries;  // the first replaces the log's suffix at its index
  };
  struct Fetch {
    LogIndex first;
    LogIndex last;
    size_t max_bytes = 0;
    NodeId peer;
  };
  // The peer needs a snapshot: entries that it lacks are not in our log any more. Whoever sends it tells
  // with snapshot_sent() how that ended.
  struct Snapshot {
    NodeId peer;
    Term term;  // of our leadership: once that is over the snapshot is not wanted any more
  };
  struct ReadReady {
    uint64_t id;
    LogIndex index;  // the read may be served once this is applied
  };

  std::optional<HardState> hard_state;  // to the hard-state file; supersedes earlier ones
  std::vector<Append> appends;          // to the write-ahead log, in this order
  std::vector<Message> messages;        // to the network, now
  std::vector<Fetch> fetches;           // entries to be read back: see fetched()
  std::vector<Snapshot> snapshots;
  std::vector<ReadReady> reads_ready;
  std::vector<uint64_t> reads_failed;  // leadership was lost before they were confirmed
  bool commit_changed = false;
  bool role_changed = false;
};

class Raft {
 public:
  struct Config {
    NodeId self;
    std::vector<NodeId> voters;  // with self
    uint32_t heartbeat_ticks = 2;
    uint32_t election_ticks_min = 8;
    uint32_t election_ticks_max = 16;
    size_t max_append_bytes = 1u << 20;  // a message; one entry may exceed it
    size_t max_inflight_bytes = 32u << 20;
    size_t max_inflight_messages = 256;
    size_t max_uncommitted_bytes = 64u << 20;
    Rng rng{0};
    ProbeSink* probes = nullptr;
  };

  // From what the disk holds: all of `log` is durable; `commit` is known to be committed (applied).
  Raft(Config config, HardState hard_state, Log log, LogIndex commit);

  void tick();
  // Whether writes of this node's disk hang. A leader whose disk does so steps down: its followers' disks could
  // go on, but it would never know of its own. And nobody campaigns with such a disk. A group that votes alone
  // takes no notice.
  void set_disk_stalled(bool stalled);
  void step(Message message);
  // kNotLeader; kExhausted while max_uncommitted_bytes wait for their commit, those that former leaders left
  // in the log included.
  Result<Proposed> propose(Blob data);
  // kNotLeader. Else `id` comes back in reads_ready or reads_failed.
  Status read_index(uint64_t id);
  // Nobody waits for the read any more: it may still come back, but does not wait for a round that cannot
  // begin.
  void forget_read(uint64_t id);

  // Completions, in the order in which the work was given out.
  void log_persisted(uint64_t append_id);
  void hard_state_persisted(HardState state);
  // The answer to a Fetch; empty if it failed (it will be asked for again).
  void fetched(const Output::Fetch& wanted, std::vector<Entry> entries);
  // The end of an Output::Snapshot: what it holds is durable there up to `index`; 0: it did not get there.
  void snapshot_sent(const Output::Snapshot& wanted, LogIndex index);
  // Applied up to here: these need not stay in the cache.
  void applied(LogIndex index);
  // The log may begin after `index`: the state machine has all before it for good. Followers that need
  // more will get a snapshot. REQUIRES: applied, and durable in our log.
  void compact(LogIndex index);
  // The state machine has, for good, become what a leader has sent: the state after entry `index`, of that
  // term. True if the log begins there now, and the write-ahead log must say so; what was being written
  // and does not follow it counts no more. False if our own log has all of that and goes on as it was.
  bool install_snapshot(LogIndex index, Term term);

  bool has_output() const { return has_output_; }
  Output take_output();

  Role role() const { return role_; }
  Term term() const { return term_; }
  NodeId vote() const { return vote_; }
  NodeId leader() const { return leader_; }  // 0: unknown
  LogIndex commit() const { return commit_; }
  LogIndex durable() const { return durable_; }
  LogIndex last_index() const { return log_.last_index(); }
  size_t uncommitted_bytes() const { return uncommitted_bytes_; }  // of a leader; else 0
  const Log& log() const { return log_; }
  const std::map<NodeId, Progress>& progress() const { return progress_; }

 private:
  struct PendingAppend {
    uint64_t id;
    LogIndex last;
  };
  struct PendingRead {
    uint64_t id;
    LogIndex index;
  };

  // Elections (election.cpp)
  void become_follower(Term term, NodeId leader);
  void campaign();
  void become_candidate();
  void become_leader();
  void count_votes();
  void check_quorum();
  void reset_election_timer();
  bool in_lease() const;
  bool up_to_date(const Message& m) const;
  void handle_vote_request(const Message& m);
  void handle_vote_reply(const Message& m);
  void set_role(Role role);
  void set_hard_state(Term term, NodeId vote);

  // Log and followers (replication.cpp)
  void append_own(EntryKind kind, Blob data);
  void count_uncommitted(LogIndex index, size_t bytes);
  void hand_to_log(Entry entry);
  void truncate_from(LogIndex first);
  void handle_append(Message& m);
  void handle_append_reply(const Message& m);
  void reject_append(const Message& m);
  void acknowledge();
  void send_appends(NodeId to);
  void send_append(NodeId to, Progress& progress, std::vector<Entry> entries);
  void send_check(NodeId to, const Progress& progress);
  void want_snapshot(NodeId to, Progress& progress);
  bool may_send(const Progress& progress) const;
  void advance_commit(LogIndex to);
  void commit_by_majority();

  // Heartbeats and reads (reads.cpp)
  void broadcast_heartbeat();
  void handle_heartbeat(const Message& m);
  void handle_heartbeat_reply(const Message& m);
  void begin_read_round();
  void end_read_round();
  void fail_reads();

  void send(Message message);
  void gate(Message message);
  void release_gated();
  bool is_voter(NodeId node) const;
  void probe(std::string_view name) const { drumlin::probe(config_.probes, name); }
  bool alone() const { return config_.voters.size() == 1; }
  Output& output() {
    has_output_ = true;
    return output_;
  }

  Config config_;
  Log log_;
  Term term_;
  NodeId vote_;
  HardState durable_state_;     // {term, vote} on disk
  std::vector<Message> gated_;  // of the present term, waiting for {term, vote}: see gate()
  LogIndex commit_;
  LogIndex applied_;
  LogIndex durable_;  // of our own log
  std::deque<PendingAppend> pending_;
  uint64_t next_append_id_ = 1;

  uint64_t ticks_ = 0;
  bool disk_stalled_ = false;
  Role role_ = Role::kFollower;
  NodeId leader_;
  LogIndex verified_;  // follower: equal to the leader's log up to here
  uint32_t election_elapsed_ = 0;
  uint32_t election_timeout_ = 0;
  Votes votes_;

  std::map<NodeId, Progress> progress_;  // leader: of the others
  uint32_t quorum_elapsed_ = 0;
  std::deque<std::pair<LogIndex, size_t>> uncommitted_;  // leader: index, bytes
  size_t uncommitted_bytes_ = 0;

  std::vector<uint64_t> reads_waiting_;  // for the next round
  std::vector<PendingRead> reads_in_round_;
  uint64_t round_ = 0;
  bool round_open_ = false;

  Output output_;
  bool has_output_ = false;
};

}  // namespace drumlin::raft
