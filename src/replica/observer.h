// ReplicaObserver: what the simulator's white-box checkers see of the replicas of one node. Calls are
// synchronous, on the reactor or (applied) in a job, and must neither suspend nor call back. Null in
// production.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/strong_id.h"
#include "raft/log.h"
#include "raft/types.h"

namespace drumlin::replica {

class ReplicaObserver {
 public:
  virtual ~ReplicaObserver() = default;
  // What the disk remembered of the group when the node started.
  virtual void recovered(GroupId group, const raft::HardState& state, const raft::Log& log) = 0;
  // Handed to the network: whatever the message promises must hold by now.
  virtual void sending(GroupId group, const raft::Message& message) = 0;
  // The node will act in `term` from now on; at most one node per (group, term).
  virtual void became_leader(GroupId group, Term term, LogIndex last) = 0;
  // Handed to the WAL: the group's log now ends with these, replacing any at or after the first.
  virtual void appended(GroupId group, std::span<const raft::Entry> entries) = 0;
  // The WAL says that the group's log is on stable storage up to here.
  virtual void durable(GroupId group, LogIndex index, Term term) = 0;
  // Term and vote are on stable storage, says the hard-state file.
  virtual void voted(GroupId group, Term term, NodeId vote) = 0;
  // `leading`: the node's own term if it leads and has counted replicas; 0 if a leader told it.
  virtual void committed(GroupId group, LogIndex index, Term term, Term leading) = 0;
  // The effects are in the kv. `command` is empty for a no-op. `reply` is what the proposer hears, if
  // it lives to.
  virtual void applied(GroupId group, LogIndex index, Term term, std::string_view command,
                       std::string_view reply) = 0;
  // The state after entry `index` came from elsewhere; it is durable. What the log had up to there counts no
  // more, nor what does not follow it.
  virtual void installed(GroupId group, LogIndex index, Term term) = 0;
  // A client of this node was answered for the command at (term, index).
  virtual void acknowledged(GroupId group, LogIndex index, Term term, std::string_view reply) = 0;
  // A linearizable read was served from the state at `applied`.
  virtual void read_served(GroupId group, LogIndex read_index, LogIndex applied) = 0;
};

}  // namespace drumlin::replica
