// Heartbeats and reads of raft::Raft.
#include <algorithm>

#include "raft/raft.h"

namespace drumlin::raft {

void Raft::broadcast_heartbeat() {
  for (const auto& [peer, progress] : progress_) {
    Message m;
    m.type = MessageType::kHeartbeat;
    m.to = peer;
    // Beyond its match the follower may hold other entries than ours.
    m.commit = std::min(commit_, progress.match);
    m.round = round_;
    send(std::move(m));
  }
}

void Raft::handle_heartbeat(const Message& m) {
  DRUMLIN_CHECK(role_ != Role::kLeader);  // two leaders of one term
  if (role_ != Role::kFollower) become_follower(term_, m.from);
  leader_ = m.from;
  election_elapsed_ = 0;
  advance_commit(std::min(m.commit, log_.last_index()));
  Message reply;
  reply.type = MessageType::kHeartbeatReply;
  reply.to = m.from;
  reply.round = m.round;
  send(std::move(reply));
}

void Raft::handle_heartbeat_reply(const Message& m) {
  if (role_ != Role::kLeader) return;
  Progress& progress = progress_.at(m.from);
  progress.recently_active = true;
  progress.round = std::max(progress.round, m.round);
  end_read_round();
  // An append or its answer may have been lost: a probe is sent again, a window is looked into.
  if (progress.state == Progress::State::kProbe) {
    progress.probe_sent = false;
  } else if (progress.state == Progress::State::kReplicate && progress.next <= log_.start()) {
    want_snapshot(m.from, progress);  // nothing can be said of the entry before the next one
  } else if (progress.state == Progress::State::kReplicate && progress.match < log_.last_index() &&
             !progress.fetching && (!may_send(progress) || progress.next > log_.last_index())) {
    probe("raft.window_checked");
    send_check(m.from, progress);
  }
  send_appends(m.from);
}

// A read is confirmed by a round that began after it came: an earlier round proves nothing about the
// time since.
Status Raft::read_index(uint64_t id) {
  if (role_ != Role::kLeader) return {Code::kNotLeader, leader_.to_string()};
  reads_waiting_.push_back(id);
  begin_read_round();
  return {};
}

void Raft::forget_read(uint64_t id) {
  std::erase(reads_waiting_, id);
}

void Raft::begin_read_round() {
  if (round_open_ || reads_waiting_.empty()) return;
  // Before its own first commit a leader does not know what is committed.
  if (log_.term_at(commit_) != term_) return;
  ++round_;
  round_open_ = true;
  for (const uint64_t id : std::exchange(reads_waiting_, {}))
    reads_in_round_.push_back({id, commit_});
  broadcast_heartbeat();
  end_read_round();
}

void Raft::end_read_round() {
  if (!round_open_) return;
  size_t confirmed = 1;
  for (const auto& [peer, progress] : progress_) {
    if (progress.round >= round_) ++confirmed;
  }
  if (confirmed < majority_of(config_.voters.size())) return;
  round_open_ = false;
  for (const PendingRead& read : std::exchange(reads_in_round_, {})) {
    output().reads_ready.push_back({read.id, read.index});
  }
  begin_read_round();
}

void Raft::fail_reads() {
  if (!reads_in_round_.empty() || !reads_waiting_.empty()) probe("raft.reads_failed");
  for (const PendingRead& read : std::exchange(reads_in_round_, {})) {
    output().reads_failed.push_back(read.id);
  }
  for (const uint64_t id : std::exchange(reads_waiting_, {}))
    output().reads_failed.push_back(id);
  round_open_ = false;
}

}  // namespace drumlin::raft
