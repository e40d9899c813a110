// RaftChecker: the safety of consensus, seen from inside all nodes at once.
//
//   election     at most one leader of a term in a group (Raft, fig. 3), with a majority's votes on disk
//   vote         one vote of a node in a term, kept over crashes
//   completeness a new leader's log has every entry that was committed in an earlier term. Not those of later
//                terms: a candidate that stood still for long may hear only now that it had won
//   commit       an index is committed with one term only, on whichever node; a leader counts replicas of
//                entries of its own term alone                                (Raft, fig. 8)
//   apply        every node applies the same command and answers the same at an index, and only what its
//                own disk holds
//   acknowledge  a proposer hears the reply of its own entry, once that is applied
//   read         a read is served from a state at or after its read index
//   gate         nothing is promised to a peer before the disk holds it: votes, acknowledgements
//   durability   at the moment of commit a majority of the group's disks hold the entry
//   recovery     what a disk held is there again after any crash
//
// "The disk holds it" is asked of the platter itself, not of the code under test.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/strong_id.h"
#include "raft/log.h"
#include "raft/types.h"
#include "replica/observer.h"
#include "sim/check/verdict.h"

namespace drumlin::sim {

class RaftChecker {
 public:
  // Voters of each group; `on_platter(node, group, index)`: the node's log record of that entry
  // would survive a power cut at this moment.
  using OnPlatter = std::function<bool(NodeId, GroupId, LogIndex)>;
  RaftChecker(Verdict& verdict, std::map<GroupId, std::vector<NodeId>> voters, OnPlatter on_platter)
      : verdict_(verdict), voters_(std::move(voters)), on_platter_(std::move(on_platter)) {}

  // One entry of a group's committed history, from the first node that applied it.
  struct Applied {
    Term term;
    std::string command;  // empty: a no-op
    std::string reply;
  };
  const std::map<LogIndex, Applied>& history(GroupId group) const;
  LogIndex committed(GroupId group) const;

  // What the hooks of node/ report.
  void recovered(NodeId node, GroupId group, const raft::HardState& state, const raft::Log& log);
  void sending(NodeId node, GroupId group, const raft::Message& message);
  void became_leader(NodeId node, GroupId group, Term term, LogIndex last);
  void appended(NodeId node, GroupId group, std::span<const raft::Entry> entries);
  void durable(NodeId node, GroupId group, LogIndex index, Term term);
  void voted(NodeId node, GroupId group, Term term, NodeId vote);
  void committed(NodeId node, GroupId group, LogIndex index, Term term, Term leading);
  void applied(NodeId node, GroupId group, LogIndex index, Term term, std::string_view command,
               std::string_view reply);
  void installed(NodeId node, GroupId group, LogIndex index, Term term);
  void acknowledged(NodeId node, GroupId group, LogIndex index, Term term, std::string_view reply);
  void read_served(NodeId node, GroupId group, LogIndex read_index, LogIndex applied);

 private:
  struct Replica {
    std::map<LogIndex, Term> log;     // as handed to the WAL
    std::map<LogIndex, Term> stable;  // on the platter for sure
    raft::HardState durable_state;
    LogIndex commit;
  };
  struct Group {
    std::map<Term, NodeId> leaders;
    std::map<LogIndex, Term> committed;
    std::map<LogIndex, Term> committed_by;  // the leader's term at that moment
    std::map<LogIndex, Applied> applied;
    std::map<NodeId, Replica> replicas;
  };
  void check_majority(NodeId node, GroupId id, Group& group, LogIndex index, Term term);
  static std::string place(NodeId node, GroupId group, LogIndex index);

  Verdict& verdict_;
  std::map<GroupId, std::vector<NodeId>> voters_;
  OnPlatter on_platter_;
  std::map<GroupId, Group> groups_;
};

// The hooks of one node, as replica/ calls them.
class NodeWatch : public replica::ReplicaObserver {
 public:
  NodeWatch(RaftChecker& checker, NodeId node) : checker_(checker), node_(node) {}
  void recovered(GroupId group, const raft::HardState& state, const raft::Log& log) override {
    checker_.recovered(node_, group, state, log);
  }
  void sending(GroupId group, const raft::Message& message) override {
    checker_.sending(node_, group, message);
  }
  void became_leader(GroupId group, Term term, LogIndex last) override {
    checker_.became_leader(node_, group, term, last);
  }
  void appended(GroupId group, std::span<const raft::Entry> entries) override {
    checker_.appended(node_, group, entries);
  }
  void durable(GroupId group, LogIndex index, Term term) override {
    checker_.durable(node_, group, index, term);
  }
  void voted(GroupId group, Term term, NodeId vote) override {
    checker_.voted(node_, group, term, vote);
  }
  void committed(GroupId group, LogIndex index, Term term, Term leading) override {
    checker_.committed(node_, group, index, term, leading);
  }
  void applied(GroupId group, LogIndex index, Term term, std::string_view command,
               std::string_view reply) override {
    checker_.applied(node_, group, index, term, command, reply);
  }
  void installed(GroupId group, LogIndex index, Term term) override {
    checker_.installed(node_, group, index, term);
  }
  void acknowledged(GroupId group, LogIndex index, Term term, std::string_view reply) override {
    checker_.acknowledged(node_, group, index, term, reply);
  }
  void read_served(GroupId group, LogIndex read_index, LogIndex applied) override {
    checker_.read_served(node_, group, read_index, applied);
  }

 private:
  RaftChecker& checker_;
  NodeId node_;
};

}  // namespace drumlin::sim
