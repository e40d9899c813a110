#include "invariants.h"

#include <algorithm>
#include <sstream>

namespace drumlin::raft::test {
namespace {

template <typename... Parts>
void require(bool holds, const Parts&... parts) {
  if (holds) return;
  std::ostringstream out;
  (out << ... << parts);
  throw Violation(out.str());
}

bool is_pre_vote(const Message& m) {
  return m.type == MessageType::kPreVote || m.type == MessageType::kPreVoteReply;
}

}  // namespace

Invariants::Invariants(Cluster& cluster) : cluster_(cluster) {
  cluster.watch(*this);
}

void Invariants::stepped(NodeId id, const Message& m) {
  ++step_;
  if (m.type != MessageType::kHeartbeatReply) return;
  const Raft& raft = *cluster_.node(id).raft;
  if (raft.role() != Role::kLeader || raft.term() != m.term) return;
  const auto sent = round_sent_.find({m.from, m.term, m.round});
  require(sent != round_sent_.end(), m.from, " answers a heartbeat that was never sent");
  uint64_t& latest = answered_[{m.from, m.term}];
  latest = std::max(latest, sent->second);
}

void Invariants::read_asked(NodeId id, uint64_t read, const Status& status) {
  ++step_;
  const Raft& raft = *cluster_.node(id).raft;
  require(status.ok() == (raft.role() == Role::kLeader), id, ": only a leader takes reads");
  if (!status.ok()) return;
  const bool fresh =
      seen_[id].reads.emplace(read, Read{LogIndex(committed_.size()), step_, raft.term()}).second;
  DRUMLIN_CHECK(fresh);
}

void Invariants::crashed(NodeId id) {
  ++step_;
  seen_[id].reads.clear();
}

void Invariants::restarted(NodeId id) {
  ++step_;
  Seen& seen = seen_[id];
  const Raft& raft = *cluster_.node(id).raft;
  require(raft.term() >= seen.promised, id, " forgot term ", seen.promised);
  const auto vote = votes_.find({id, raft.term()});
  require(vote == votes_.end() || raft.vote() == vote->second, id, " forgot its vote in term ",
          raft.term());
  seen.term = raft.term();
  seen.commit = raft.commit();
}

void Invariants::output(NodeId id, const Output& output) {
  check_log(id);
  check_commit(id);  // what is said may rest on it
  for (const Output::Append& append : output.appends) {
    require(!append.entries.empty(), id, ": an empty append");
    for (const Entry& entry : append.entries) {
      if (entry.index.value() > committed_.size()) break;
      const Term term = committed_[entry.index.value() - 1].term;
      require(entry.term == term || !holds(cluster_.node(id).disk.log, entry.index, term), id,
              " overwrites the committed entry ", entry.index);
    }
  }
  for (const Message& m : output.messages)
    promise(id, m);
  for (const Output::ReadReady& read : output.reads_ready)
    confirm(id, read.id, read.index);
  for (const uint64_t read : output.reads_failed) {
    require(seen_[id].reads.erase(read) == 1, id, ": read ", read, " fails, but was not asked");
  }
}

void Invariants::promise(NodeId id, const Message& m) {
  const HardState& state = cluster_.node(id).disk.state;
  require(m.from == id && m.to != id, "a message with wrong sender: ", to_string(m));
  if (is_pre_vote(m)) return;
  require(state.term >= m.term, "said before the term is durable: ", to_string(m));
  Term& promised = seen_[id].promised;
  promised = std::max(promised, m.term);
  switch (m.type) {
    case MessageType::kVote:
      require(state == HardState{m.term, id}, "said before the vote is durable: ", to_string(m));
      check_vote(id, m.term, id);
      break;
    case MessageType::kVoteReply:
      if (m.reject) break;
      require(state == HardState{m.term, m.to}, "said before the vote is durable: ", to_string(m));
      check_vote(id, m.term, m.to);
      break;
    case MessageType::kAppend:
      check_entries(m);
      break;
    case MessageType::kAppendReply:
      if (!m.reject) check_acknowledgement(id, m);
      break;
    case MessageType::kHeartbeat: {
      round_sent_.emplace(std::tuple(m.to, m.term, m.round), step_);
      require(m.commit.value() <= committed_.size(), "an unknown commit: ", to_string(m));
      const Term term = m.commit == LogIndex() ? Term() : committed_[m.commit.value() - 1].term;
      require(holds(cluster_.node(m.to).disk.log, m.commit, term),
              "the receiver does not have what it is told to commit: ", to_string(m));
      break;
    }
    default:
      break;
  }
}

void Invariants::check_vote(NodeId id, Term term, NodeId candidate) {
  const auto [it, fresh] = votes_.emplace(std::pair(id, term), candidate);
  require(fresh || it->second == candidate, id, " votes in term ", term, " for ", it->second,
          " and for ", candidate);
}

// The leader may have moved on; while it has not, what is acknowledged must be what it has.
void Invariants::check_acknowledgement(NodeId id, const Message& m) {
  const std::vector<Entry>& disk = cluster_.node(id).disk.log;
  require(m.index.value() <= disk.size(), "acknowledged before it is durable: ", to_string(m));
  if (!cluster_.is_up(m.to)) return;
  const Raft& leader = *cluster_.node(m.to).raft;
  if (leader.role() != Role::kLeader || leader.term() != m.term) return;
  require(m.index <= leader.last_index() && holds(disk, m.index, leader.log().term_at(m.index)),
          "acknowledged, but not equal to the leader's log: ", to_string(m));
}

void Invariants::check_entries(const Message& m) {
  LogIndex index = m.index;
  Term before = m.log_term;
  for (const Entry& entry : m.entries) {
    require(entry.index == index + 1 && entry.term >= before && entry.term <= m.term,
            "entries out of order: ", to_string(m));
    know(entry.index, entry.term, before, &entry);
    index = entry.index;
    before = entry.term;
  }
}

void Invariants::know(LogIndex index, Term term, Term before, const Entry* entry) {
  Known& known = entries_.emplace(std::pair(index, term), Known{before, {}}).first->second;
  require(known.before == before, "two logs with ", index, "@", term, " differ before it");
  if (entry == nullptr) return;
  if (!known.entry) known.entry = *entry;
  require(*known.entry == *entry, "two entries ", index, "@", term);
}

void Invariants::settled(NodeId id) {
  const Raft& raft = *cluster_.node(id).raft;
  Seen& seen = seen_[id];
  require(raft.term() >= seen.term, id, ": the term falls");
  require(raft.commit() >= seen.commit, id, ": the commit index falls");
  require(raft.commit() <= raft.last_index(), id, ": commit beyond the log");
  require(raft.term() >= raft.log().last_term(), id, ": a log of a term to come");
  seen.term = raft.term();
  check_log(id);
  check_commit(id);
  if (raft.role() == Role::kLeader) {
    check_leader(id);
    check_progress(id);
  } else {
    require(seen.reads.empty(), id, " does not lead and has reads outstanding");
    require(raft.progress().empty(), id, " does not lead and has followers");
  }
}

void Invariants::check_log(NodeId id) {
  const Raft& raft = *cluster_.node(id).raft;
  const std::vector<Entry>& disk = cluster_.node(id).disk.log;
  Term before;
  for (LogIndex i(1); i <= raft.last_index(); ++i) {
    const Term term = raft.log().term_at(i);
    require(term >= before, id, ": terms fall at ", i);
    const std::optional<Entry> entry = raft.log().cached(i);
    know(i, term, before, entry ? &*entry : nullptr);
    require(i > raft.durable() || holds(disk, i, term), id, " believes ", i, "@", term,
            " to be on its disk");
    before = term;
  }
}

size_t Invariants::disks_with(LogIndex index, Term term) const {
  size_t n = 0;
  for (const NodeId id : cluster_.ids())
    n += holds(cluster_.node(id).disk.log, index, term) ? 1 : 0;
  return n;
}

void Invariants::check_commit(NodeId id) {
  const Raft& raft = *cluster_.node(id).raft;
  Seen& seen = seen_[id];
  const bool beyond = raft.commit().value() > committed_.size();
  require(
      !beyond || (raft.role() == Role::kLeader && raft.log().term_at(raft.commit()) == raft.term()),
      id, " commits ", raft.commit(), " first, but not by an entry of a term that it leads");
  for (LogIndex i = seen.commit + 1; i <= raft.commit(); ++i) {
    const Term term = raft.log().term_at(i);
    if (i.value() > committed_.size()) {
      check_new_commit(id, i, term);
    } else {
      require(committed_[i.value() - 1].term == term, id, " commits ", i, "@", term,
              ", but committed is @", committed_[i.value() - 1].term);
    }
  }
  seen.commit = raft.commit();
}

void Invariants::check_new_commit(NodeId id, LogIndex index, Term term) {
  require(disks_with(index, term) >= majority_of(cluster_.ids().size()), id, " commits ", index,
          "@", term, ", which is on ", disks_with(index, term), " disks");
  const Known& known = entries_.at({index, term});
  committed_.push_back(known.entry.value_or(Entry{term, index, EntryKind::kNoop, Blob()}));
  committed_in_.push_back(cluster_.node(id).raft->term());
}

void Invariants::check_leader(NodeId id) {
  const Raft& raft = *cluster_.node(id).raft;
  const auto [it, fresh] = leaders_.emplace(raft.term(), id);
  require(it->second == id, "term ", raft.term(), " has two leaders: ", it->second, " and ", id);
  const HardState& state = cluster_.node(id).disk.state;
  require(state == HardState{raft.term(), id}, id, " leads without a durable vote for itself");
  for (LogIndex i(1); i.value() <= committed_.size(); ++i) {
    if (committed_in_[i.value() - 1] > raft.term()) break;  // of the past, without knowing
    const Term term = committed_[i.value() - 1].term;
    require(raft.log().matches(i, term), id, " leads term ", raft.term(), " without ", i, "@",
            term);
  }
}

void Invariants::check_progress(NodeId id) {
  const Raft& raft = *cluster_.node(id).raft;
  const bool newest = raft.term() == cluster_.newest_term();
  for (const auto& [peer, progress] : raft.progress()) {
    require(progress.match < progress.next, id, ": match >= next for ", peer);
    require(progress.next <= raft.last_index() + 1, id, ": next beyond the log for ", peer);
    // A leader of the past may have seen its uncommitted entries replaced there.
    require(!newest || holds(cluster_.node(peer).disk.log, progress.match,
                             raft.log().term_at(progress.match)),
            id, " believes ", peer, " to have ", progress.match);
    size_t bytes = 0;
    for (const Progress::InFlight& sent : progress.in_flight)
      bytes += sent.bytes;
    require(bytes == progress.in_flight_bytes, id, ": the window's account for ", peer);
    require(progress.in_flight.size() <= cluster_.options().knobs.max_inflight_messages, id,
            ": too much in flight to ", peer);
  }
}

void Invariants::confirm(NodeId id, uint64_t read, LogIndex index) {
  Seen& seen = seen_[id];
  const auto it = seen.reads.find(read);
  require(it != seen.reads.end(), id, ": read ", read, " is ready, but was not asked");
  require(index >= it->second.at_least, id, ": read ", read, " at ", index, ", when ",
          it->second.at_least, " was committed before it began");
  require(index.value() <= committed_.size(), id, ": read ", read, " of what is not committed");
  size_t confirmed = 1;
  for (const NodeId peer : cluster_.ids()) {
    const auto when = answered_.find({peer, it->second.term});
    if (peer != id && when != answered_.end() && when->second >= it->second.step) ++confirmed;
  }
  require(confirmed >= majority_of(cluster_.ids().size()), id, ": read ", read,
          " is ready, confirmed since it began by ", confirmed);
  seen.reads.erase(it);
  ++reads_served_;
}

}  // namespace drumlin::raft::test
