// Elections of raft::Raft.
#include <algorithm>

#include "raft/raft.h"

namespace drumlin::raft {

void Raft::set_role(Role role) {
  if (role_ == role) return;
  if (role_ == Role::kLeader) {
    fail_reads();
    progress_.clear();
    uncommitted_.clear();
    uncommitted_bytes_ = 0;
  }
  role_ = role;
  output().role_changed = true;
}

void Raft::set_hard_state(Term term, NodeId vote) {
  DRUMLIN_CHECK_GE(term, term_);
  if (term == term_) {
    DRUMLIN_CHECK(vote_ == NodeId() || vote_ == vote);  // one vote in a term
  } else {
    gated_.clear();  // they speak for a term that is over
  }
  if (term == term_ && vote == vote_) return;
  term_ = term;
  vote_ = vote;
  output().hard_state = HardState{term, vote};
}

void Raft::reset_election_timer() {
  election_elapsed_ = 0;
  election_timeout_ = static_cast<uint32_t>(
      config_.rng.between(config_.election_ticks_min, config_.election_ticks_max));
}

void Raft::become_follower(Term term, NodeId leader) {
  set_role(Role::kFollower);
  if (term > term_) {
    set_hard_state(term, NodeId());
    verified_ = LogIndex();
  }
  leader_ = leader;
  reset_election_timer();
}

// First asks whether an election could be won, without entering a new term: a node that cannot win
// would only depose a working leader.
void Raft::campaign() {
  reset_election_timer();
  leader_ = NodeId();
  set_role(Role::kPreCandidate);
  votes_.reset();
  votes_.record(config_.self, true);
  if (votes_.tally(config_.voters.size()) == Tally::kWon) {
    become_candidate();
    return;
  }
  for (const NodeId voter : config_.voters) {
    if (voter == config_.self) continue;
    Message m;
    m.type = MessageType::kPreVote;
    m.to = voter;
    m.term = term_ + 1;
    m.index = log_.last_index();
    m.log_term = log_.last_term();
    send(std::move(m));
  }
}

void Raft::become_candidate() {
  reset_election_timer();
  leader_ = NodeId();
  verified_ = LogIndex();
  set_role(Role::kCandidate);
  votes_.reset();
  set_hard_state(term_ + 1, config_.self);  // our own vote counts once it is durable
  for (const NodeId voter : config_.voters) {
    if (voter == config_.self) continue;
    Message m;
    m.type = MessageType::kVote;
    m.to = voter;
    m.index = log_.last_index();
    m.log_term = log_.last_term();
    send(std::move(m));
  }
}

void Raft::become_leader() {
  DRUMLIN_CHECK(role_ == Role::kCandidate);
  set_role(Role::kLeader);
  leader_ = config_.self;
  quorum_elapsed_ = 0;
  progress_.clear();
  for (const NodeId voter : config_.voters) {
    if (voter == config_.self) continue;
    progress_[voter].become_probe(log_.last_index() + 1);
  }
  // What former leaders left is held in memory like our own, or every term could add as much again. What
  // is not cached (since a restart) takes none.
  for (LogIndex i = commit_ + 1; i <= log_.last_index(); ++i) {
    if (const auto entry = log_.cached(i)) count_uncommitted(i, entry->data.size());
  }
  // Only an entry of its own term tells a leader what is committed (Raft, fig. 8).
  append_own(EntryKind::kNoop, Blob());
  for (const auto& [peer, unused] : progress_)
    send_appends(peer);
}

// A leader that a majority no longer answers may have been replaced without knowing.
void Raft::check_quorum() {
  quorum_elapsed_ = 0;
  size_t active = 1;
  for (auto& [peer, progress] : progress_) {
    if (std::exchange(progress.recently_active, false)) ++active;
  }
  if (active >= majority_of(config_.voters.size())) return;
  probe("raft.quorum_lost");
  become_follower(term_, NodeId());
}

bool Raft::in_lease() const {
  if (role_ == Role::kLeader) return true;
  return leader_ != NodeId() && election_elapsed_ < config_.election_ticks_min;
}

bool Raft::up_to_date(const Message& m) const {
  if (m.log_term != log_.last_term()) return m.log_term > log_.last_term();
  return m.index >= log_.last_index();
}

void Raft::handle_vote_request(const Message& m) {
  const bool pre = m.type == MessageType::kPreVote;
  // Whoever hears from a leader has no reason to elect another.
  if (m.term > term_ && in_lease()) {
    probe("raft.vote_refused_by_lease");
    return;
  }
  if (m.term >= term_ && !up_to_date(m)) probe("raft.vote_refused_by_log");
  if (!pre && m.term > term_) become_follower(m.term, NodeId());
  Message reply;
  reply.type = pre ? MessageType::kPreVoteReply : MessageType::kVoteReply;
  reply.to = m.from;
  if (m.term < term_) {
    reply.term = term_;
    reply.reject = true;
  } else if (pre) {
    reply.reject = m.term <= term_ || !up_to_date(m);
    reply.term = reply.reject ? term_ : m.term;
  } else {
    const bool free = vote_ == NodeId() || vote_ == m.from;
    reply.reject = !free || !up_to_date(m);
    if (!reply.reject) {
      set_hard_state(term_, m.from);
      reset_election_timer();
    }
  }
  send(std::move(reply));
}

void Raft::handle_vote_reply(const Message& m) {
  const bool pre = m.type == MessageType::kPreVoteReply;
  if (role_ != (pre ? Role::kPreCandidate : Role::kCandidate)) return;
  if (pre && !m.reject && m.term != term_ + 1) return;  // of an earlier campaign
  votes_.record(m.from, !m.reject);
  count_votes();
}

void Raft::count_votes() {
  switch (votes_.tally(config_.voters.size())) {
    case Tally::kPending:
      break;
    case Tally::kWon:
      if (role_ == Role::kPreCandidate) {
        become_candidate();
      } else {
        become_leader();
      }
      break;
    case Tally::kLost:
      probe("raft.election_lost");
      become_follower(term_, NodeId());
      break;
  }
}

}  // namespace drumlin::raft
