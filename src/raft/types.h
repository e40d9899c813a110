// What Raft is made of (Ongaro and Ousterhout, ATC'14; Ongaro's thesis for pre-vote and ReadIndex).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/blob.h"
#include "base/strong_id.h"

namespace drumlin::raft {

enum class EntryKind : uint8_t {
  kNoop = 1,     // a new leader's first entry
  kCommand = 2,  // for the state machine
};

struct Entry {
  Term term;
  LogIndex index;
  EntryKind kind = EntryKind::kNoop;
  Blob data;
  bool operator==(const Entry&) const = default;
};

// What must survive a crash besides the log.
struct HardState {
  Term term;
  NodeId vote;  // in `term`; 0: none
  bool operator==(const HardState&) const = default;
};

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

enum class MessageType : uint8_t {
  kPreVote = 1,   // term: the one it would campaign in; index, log_term: its last entry
  kPreVoteReply,  // term: as asked, or the answerer's if rejected
  kVote,          // index, log_term: the candidate's last entry
  kVoteReply,
  kAppend,          // index, log_term: the entry before `entries`; commit
  kAppendReply,     // index: durable and equal up to here. Rejected: index as asked, and the hints
  kHeartbeat,       // commit: never beyond what the receiver has acknowledged; round
  kHeartbeatReply,  // round: as asked
};

struct Message {
  MessageType type = MessageType::kHeartbeat;
  NodeId from;
  NodeId to;
  bool reject = false;
  Term term;
  LogIndex index;
  Term log_term;
  LogIndex commit;
  LogIndex hint_index;  // the receiver's last entry that may be equal...
  Term hint_term;       // ...and its term
  uint64_t round = 0;   // of read confirmation
  std::vector<Entry> entries;
};

std::string to_string(Role role);
// One line, for transcripts and traces.
std::string to_string(const Message& message);

}  // namespace drumlin::raft
