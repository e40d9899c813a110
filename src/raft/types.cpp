#include "raft/types.h"

#include "base/check.h"

namespace drumlin::raft {

std::string to_string(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  DRUMLIN_UNREACHABLE("role");
}

namespace {

std::string at(LogIndex index, Term term) {
  return index.to_string() + "@" + term.to_string();
}

std::string entries_of(const Message& m) {
  if (m.entries.empty()) return " empty";
  std::string out = " entries";
  for (const Entry& entry : m.entries)
    out += " " + at(entry.index, entry.term);
  return out;
}

}  // namespace

std::string to_string(const Message& m) {
  const std::string head =
      m.from.to_string() + "->" + m.to.to_string() + " t" + m.term.to_string() + " ";
  const std::string verdict = m.reject ? "no" : "yes";
  switch (m.type) {
    case MessageType::kPreVote:
      return head + "pre-vote? last " + at(m.index, m.log_term);
    case MessageType::kPreVoteReply:
      return head + "pre-vote " + verdict;
    case MessageType::kVote:
      return head + "vote? last " + at(m.index, m.log_term);
    case MessageType::kVoteReply:
      return head + "vote " + verdict;
    case MessageType::kAppend:
      return head + "append after " + at(m.index, m.log_term) + entries_of(m) + " commit " +
             m.commit.to_string();
    case MessageType::kAppendReply:
      if (m.reject) {
        return head + "append no, asked " + m.index.to_string() + " hint " +
               at(m.hint_index, m.hint_term);
      }
      return head + "append yes, durable " + m.index.to_string();
    case MessageType::kHeartbeat:
      return head + "heartbeat commit " + m.commit.to_string() + " round " +
             std::to_string(m.round);
    case MessageType::kHeartbeatReply:
      return head + "heartbeat yes round " + std::to_string(m.round);
  }
  DRUMLIN_UNREACHABLE("message type");
}

}  // namespace drumlin::raft
