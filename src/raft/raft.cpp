#include "raft/raft.h"

#include <algorithm>

namespace drumlin::raft {

Raft::Raft(Config config, HardState hard_state, Log log, LogIndex commit)
    : config_(std::move(config)),
      log_(std::move(log)),
      // An entry of a term proves that the term has begun, even if its hard state was never ours.
      term_(std::max(hard_state.term, log_.last_term())),
      vote_(term_ == hard_state.term ? hard_state.vote : NodeId()),
      durable_state_(hard_state),
      commit_(commit),
      applied_(commit),
      durable_(log_.last_index()) {
  DRUMLIN_CHECK(is_voter(config_.self));
  DRUMLIN_CHECK_LE(commit_, log_.last_index());
  DRUMLIN_CHECK_GE(commit_, log_.start());
  if (HardState{term_, vote_} != durable_state_) output().hard_state = HardState{term_, vote_};
  reset_election_timer();
  // Nobody else could lead: no reason to wait.
  if (alone()) election_timeout_ = 1;
}

bool Raft::is_voter(NodeId node) const {
  return std::find(config_.voters.begin(), config_.voters.end(), node) != config_.voters.end();
}

Output Raft::take_output() {
  has_output_ = false;
  return std::exchange(output_, Output{});
}

// Pre-votes promise nothing and change nothing; everything else speaks for a term and must not be
// said by a node that could forget, in a crash, that it has entered that term or voted in it.
void Raft::send(Message message) {
  message.from = config_.self;
  const bool pre_vote =
      message.type == MessageType::kPreVote || message.type == MessageType::kPreVoteReply;
  if (!pre_vote) {
    message.term = term_;
    if (durable_state_ != HardState{term_, vote_}) {
      gate(std::move(message));
      return;
    }
  }
  output().messages.push_back(std::move(message));
}

// While the disk hangs, peers ask again and again: only the newest message of each kind to a peer waits.
// To drop the older is what a network may do, so nothing that is said becomes false; nor is any missed:
//   vote             there is one a term and peer
//   vote reply       the first answer to a candidate counts; a later one of the same verdict is equal
//   append reply     yes: the index only grows within a term. no: it answers the leader's newest
//                    attempt; older ones are over. Neither stands for the other, so both may wait
//   heartbeat reply  rounds only grow; if an old heartbeat came late, the next one asks again
// A leader's own messages never wait: it leads because its vote is durable.
void Raft::gate(Message message) {
  std::erase_if(gated_, [&](const Message& older) {
    return older.to == message.to && older.type == message.type && older.reject == message.reject;
  });
  gated_.push_back(std::move(message));
}

void Raft::release_gated() {
  for (Message& message : std::exchange(gated_, {}))
    output().messages.push_back(std::move(message));
}

void Raft::hard_state_persisted(HardState state) {
  // A superseded state says nothing about the present one: the file has, or will have, a later one.
  if (state != HardState{term_, vote_}) return;
  durable_state_ = state;
  release_gated();
  if (role_ == Role::kCandidate && vote_ == config_.self) {
    votes_.record(config_.self, true);
    count_votes();
  }
}

void Raft::tick() {
  ++ticks_;
  if (role_ == Role::kLeader) {
    if (++quorum_elapsed_ >= config_.election_ticks_max) check_quorum();
    if (role_ != Role::kLeader) return;
    // By the count of all ticks, not since the last heartbeat: the groups of a node, which are ticked
    // together, then speak in the same tick and share a frame to each peer.
    if (ticks_ % config_.heartbeat_ticks == 0) broadcast_heartbeat();
    return;
  }
  if (++election_elapsed_ < election_timeout_) return;
  if (disk_stalled_) {
    reset_election_timer();
  } else {
    campaign();
  }
}

void Raft::set_disk_stalled(bool stalled) {
  if (alone() || stalled == disk_stalled_) return;
  disk_stalled_ = stalled;
  if (!stalled || role_ == Role::kFollower) return;
  probe("raft.stepped_down_for_disk");
  become_follower(term_, NodeId());
}

void Raft::step(Message message) {
  DRUMLIN_CHECK_EQ(message.to, config_.self);
  if (!is_voter(message.from) || message.from == config_.self) return;
  const MessageType type = message.type;
  const bool vote_request = type == MessageType::kPreVote || type == MessageType::kVote;
  if (vote_request) {
    handle_vote_request(message);
    return;
  }
  if (message.term > term_) {
    // A granted pre-vote carries the term that we would campaign in: not yet anybody's.
    const bool hypothetical = type == MessageType::kPreVoteReply && !message.reject;
    if (!hypothetical) {
      const bool from_leader = type == MessageType::kAppend || type == MessageType::kHeartbeat;
      become_follower(message.term, from_leader ? message.from : NodeId());
    }
  } else if (message.term < term_) {
    // A leader of the past, or one whose follower has moved on without it: tell it our term.
    if (type == MessageType::kAppend || type == MessageType::kHeartbeat) {
      Message reply;
      reply.type = MessageType::kAppendReply;
      reply.to = message.from;
      reply.reject = true;
      reply.index = message.index;
      send(std::move(reply));
    }
    return;
  }
  switch (type) {
    case MessageType::kPreVoteReply:
    case MessageType::kVoteReply:
      handle_vote_reply(message);
      break;
    case MessageType::kAppend:
      handle_append(message);
      break;
    case MessageType::kAppendReply:
      handle_append_reply(message);
      break;
    case MessageType::kHeartbeat:
      handle_heartbeat(message);
      break;
    case MessageType::kHeartbeatReply:
      handle_heartbeat_reply(message);
      break;
    case MessageType::kPreVote:
    case MessageType::kVote:
      break;
  }
}

Result<Proposed> Raft::propose(Blob data) {
  if (role_ != Role::kLeader) return Status(Code::kNotLeader, leader_.to_string());
  // One proposal is always taken, however large: else it could never be.
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + data.size() > config_.max_uncommitted_bytes) {
    return Status(Code::kExhausted, "too many bytes wait for their commit");
  }
  append_own(EntryKind::kCommand, std::move(data));
  for (const auto& [peer, unused] : progress_)
    send_appends(peer);
  return Proposed{term_, log_.last_index()};
}

void Raft::applied(LogIndex index) {
  DRUMLIN_CHECK_LE(index, commit_);
  applied_ = std::max(applied_, index);
  log_.evict(std::min(applied_, durable_));
}

}  // namespace drumlin::raft
