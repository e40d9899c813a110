// Invariants: what must hold of any cluster at any time, checked after every step by looking at all
// nodes, their disks and what they say (Ongaro and Ousterhout, fig. 3, and what a disk adds to it).
// Knows nothing of how the core works.
//
//   election safety       one leader in a term; one vote of a node in a term, crashes included
//   log matching          an entry is known by (index, term), and so is all before it
//   leader completeness   who leads a term has all that was committed in earlier ones
//   state machine safety  nobody commits another entry at the same index
//   commit                only by a leader, by an entry of its term, on a majority of disks
//   promises              nothing is said that the disk could forget: term, vote, entries
//   monotone              term, commit; and what was promised survives a crash
//   reads                 at or beyond all that was committed when the read came, confirmed since
//   then
//                         by a majority; each answered once, and none outstanding but at a leader
//   progress              match < next; a match is on that disk; the window's account adds up
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster.h"

namespace drumlin::raft::test {

class Invariants : public Watcher {
 public:
  // Registers itself. The cluster must outlive it.
  explicit Invariants(Cluster& cluster);

  void stepped(NodeId id, const Message& m) override;
  void read_asked(NodeId id, uint64_t read, const Status& status) override;
  void crashed(NodeId id) override;
  void restarted(NodeId id) override;
  void output(NodeId id, const Output& output) override;
  void settled(NodeId id) override;

  // Every entry that any node has known to be committed, from index 1 on.
  const std::vector<Entry>& committed() const { return committed_; }
  uint64_t reads_served() const { return reads_served_; }

 private:
  struct Known {
    Term before;  // the term of the entry before it
    std::optional<Entry> entry;
  };
  struct Read {
    LogIndex at_least;
    uint64_t step = 0;
    Term term;
  };
  struct Seen {
    Term term;
    LogIndex commit;
    Term promised;  // the highest term it has spoken for
    std::map<uint64_t, Read> reads;
  };

  void promise(NodeId id, const Message& m);
  void check_vote(NodeId id, Term term, NodeId candidate);
  void check_acknowledgement(NodeId id, const Message& m);
  void check_entries(const Message& m);
  void know(LogIndex index, Term term, Term before, const Entry* entry);
  void check_log(NodeId id);
  void check_commit(NodeId id);
  void check_new_commit(NodeId id, LogIndex index, Term term);
  void check_leader(NodeId id);
  void check_progress(NodeId id);
  void confirm(NodeId id, uint64_t read, LogIndex index);
  size_t disks_with(LogIndex index, Term term) const;

  Cluster& cluster_;
  uint64_t step_ = 0;
  std::map<NodeId, Seen> seen_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::map<std::pair<LogIndex, Term>, Known> entries_;
  std::vector<Entry> committed_;
  std::vector<Term> committed_in_;  // by the leader of this term
  // When a leader first sent (to whom, in which term, a heartbeat of which round); and when the
  // newest such round was sent whose answer it has got.
  std::map<std::tuple<NodeId, Term, uint64_t>, uint64_t> round_sent_;
  std::map<std::pair<NodeId, Term>, uint64_t> answered_;
  uint64_t reads_served_ = 0;
};

}  // namespace drumlin::raft::test
