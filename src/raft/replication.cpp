// Log replication of raft::Raft.
#include <algorithm>

#include "raft/raft.h"

namespace drumlin::raft {
namespace {

size_t bytes_of(const std::vector<Entry>& entries) {
  size_t bytes = 0;
  for (const Entry& entry : entries)
    bytes += entry.data.size() + sizeof(Entry);
  return bytes;
}

}  // namespace

void Raft::append_own(EntryKind kind, Blob data) {
  const LogIndex index = log_.last_index() + 1;
  count_uncommitted(index, data.size());
  hand_to_log(Entry{term_, index, kind, std::move(data)});
}

void Raft::count_uncommitted(LogIndex index, size_t bytes) {
  uncommitted_.emplace_back(index, bytes);
  uncommitted_bytes_ += bytes;
}

// Consecutive entries of one turn share an append, and so a place in the write-ahead log.
void Raft::hand_to_log(Entry entry) {
  log_.append(entry);
  Output& out = output();
  if (out.appends.empty() || out.appends.back().entries.back().index + 1 != entry.index) {
    out.appends.push_back({next_append_id_++, {}});
    pending_.push_back({out.appends.back().id, entry.index});
  }
  pending_.back().last = entry.index;
  out.appends.back().entries.push_back(std::move(entry));
}

// What waits for the disk beyond the cut must not count when it completes: the same (term, index)
// may be written again later, and a crash in between can bring back what stood there meanwhile. So
// every pending append is cut to what is still ours, and so is what counts as durable.
void Raft::truncate_from(LogIndex first) {
  DRUMLIN_CHECK_GT(first, commit_);
  DRUMLIN_CHECK(role_ != Role::kLeader);
  probe("raft.conflict_truncated");
  if (!pending_.empty() && pending_.back().last >= first) probe("raft.pending_append_cut");
  log_.truncate_from(first);
  const LogIndex kept = first - 1;
  durable_ = std::min(durable_, kept);
  verified_ = std::min(verified_, kept);
  for (PendingAppend& append : pending_)
    append.last = std::min(append.last, kept);
}

void Raft::log_persisted(uint64_t append_id) {
  const LogIndex before = durable_;
  while (!pending_.empty() && pending_.front().id <= append_id) {
    durable_ = std::max(durable_, pending_.front().last);
    pending_.pop_front();
  }
  if (durable_ == before) return;
  log_.evict(std::min(applied_, durable_));
  has_output_ = true;  // more may be applied now
  if (role_ == Role::kLeader) {
    commit_by_majority();
  } else if (leader_ != NodeId()) {
    acknowledge();
  }
}

void Raft::acknowledge() {
  Message reply;
  reply.type = MessageType::kAppendReply;
  reply.to = leader_;
  reply.index = std::min(durable_, verified_);
  send(std::move(reply));
}

void Raft::handle_append(Message& m) {
  DRUMLIN_CHECK(role_ != Role::kLeader);  // two leaders of one term
  if (role_ != Role::kFollower) become_follower(term_, m.from);
  leader_ = m.from;
  election_elapsed_ = 0;
  if (!log_.matches(m.index, m.log_term) && m.index > commit_) {
    reject_append(m);
    return;
  }
  bool appended = false;
  LogIndex last = m.index;
  for (Entry& entry : m.entries) {
    last = entry.index;
    if (entry.index <= commit_ || log_.matches(entry.index, entry.term)) continue;
    if (entry.index <= log_.last_index()) truncate_from(entry.index);
    hand_to_log(std::move(entry));
    appended = true;
  }
  verified_ = std::max(verified_, std::min(std::max(last, commit_), log_.last_index()));
  advance_commit(std::min(m.commit, verified_));
  // What is new is acknowledged when the disk has it.
  if (!appended) acknowledge();
}

void Raft::reject_append(const Message& m) {
  probe("raft.append_rejected");
  Message reply;
  reply.type = MessageType::kAppendReply;
  reply.to = m.from;
  reply.reject = true;
  reply.index = m.index;
  // Entries of a higher term than the leader's at that place cannot be equal: skip them all at once.
  reply.hint_index = log_.last_at_most(std::min(m.index, log_.last_index()), m.log_term);
  reply.hint_term = log_.term_at(reply.hint_index);
  send(std::move(reply));
}

void Raft::handle_append_reply(const Message& m) {
  if (role_ != Role::kLeader) return;
  Progress& progress = progress_.at(m.from);
  progress.recently_active = true;
  if (m.reject) {
    if (progress.state == Progress::State::kSnapshot) return;
    const bool stale = progress.state == Progress::State::kReplicate ? m.index <= progress.match
                                                                     : m.index != progress.next - 1;
    if (stale) return;
    const LogIndex agreed =
        log_.last_at_most(std::min(m.hint_index, log_.last_index()), m.hint_term);
    const LogIndex next = std::min(agreed + 1, m.index);
    const LogIndex from = std::max({next, progress.match + 1, LogIndex(1)});
    const bool again = progress.state == Progress::State::kProbe && from == progress.next;
    progress.become_probe(from);
    // It rejects what it has acknowledged: its disk has lost it. The next heartbeat's answer tries again,
    // not we at once, for ever.
    progress.probe_sent = again;
    send_appends(m.from);
    return;
  }
  if (m.index > log_.last_index()) return;  // impossible of a sound peer
  if (m.index > progress.match) progress.match = m.index;
  if (progress.state == Progress::State::kSnapshot) {
    // It may have got there without the snapshot, by what was under way or what another leader sent.
    if (progress.match >= log_.start()) progress.become_replicate();
  } else if (progress.state == Progress::State::kProbe) {
    // Agreed and durable up to what the probe asked about. If not yet durable, its disk will have
    // the follower answer again.
    if (progress.match + 1 >= progress.next) progress.become_replicate();
  } else {
    progress.acknowledged(m.index);
    progress.next = std::max(progress.next, progress.match + 1);
  }
  commit_by_majority();
  send_appends(m.from);
}

bool Raft::may_send(const Progress& progress) const {
  if (progress.fetching || progress.state == Progress::State::kSnapshot) return false;
  if (progress.state == Progress::State::kProbe) return !progress.probe_sent;
  return progress.in_flight.size() < config_.max_inflight_messages &&
         progress.in_flight_bytes < config_.max_inflight_bytes;
}

void Raft::send_appends(NodeId to) {
  Progress& progress = progress_.at(to);
  while (may_send(progress) && progress.next <= log_.last_index()) {
    if (progress.next <= log_.start()) {
      want_snapshot(to, progress);
      return;
    }
    std::vector<Entry> entries = log_.entries(progress.next, config_.max_append_bytes);
    if (entries.empty()) {
      probe("raft.entries_not_cached");
      progress.fetching = true;
      output().fetches.push_back({progress.next, log_.last_index(), config_.max_append_bytes, to});
      return;
    }
    send_append(to, progress, std::move(entries));
  }
}

void Raft::send_append(NodeId to, Progress& progress, std::vector<Entry> entries) {
  Message m;
  m.type = MessageType::kAppend;
  m.to = to;
  m.index = progress.next - 1;
  m.log_term = log_.term_at(m.index);
  m.commit = commit_;
  if (progress.state == Progress::State::kProbe) {
    progress.probe_sent = true;
  } else {
    progress.sent(entries.back().index, bytes_of(entries));
  }
  m.entries = std::move(entries);
  send(std::move(m));
}

// Asks whether what was sent ahead has arrived: if a connection broke it has not, and the answer is a
// rejection.
void Raft::send_check(NodeId to, const Progress& progress) {
  Message m;
  m.type = MessageType::kAppend;
  m.to = to;
  m.index = progress.next - 1;
  m.log_term = log_.term_at(m.index);
  m.commit = commit_;
  send(std::move(m));
}

void Raft::want_snapshot(NodeId to, Progress& progress) {
  probe("raft.snapshot_wanted");
  progress.become_snapshot();
  output().snapshots.push_back({to, term_});
}

void Raft::snapshot_sent(const Output::Snapshot& wanted, LogIndex index) {
  const auto it = progress_.find(wanted.peer);
  if (role_ != Role::kLeader || term_ != wanted.term || it == progress_.end()) return;
  Progress& progress = it->second;
  progress.match = std::max(progress.match, std::min(index, log_.last_index()));
  if (progress.state == Progress::State::kSnapshot) {
    progress.become_probe(progress.match + 1);
    // After a failure the answer to the next heartbeat tries again, not we at once, for ever.
    progress.probe_sent = index == LogIndex();
  }
  commit_by_majority();
  send_appends(wanted.peer);
}

void Raft::compact(LogIndex index) {
  DRUMLIN_CHECK_LE(index, applied_);
  DRUMLIN_CHECK_LE(index, durable_);
  if (index > log_.start()) log_.compact(index);
}

bool Raft::install_snapshot(LogIndex index, Term term) {
  if (index <= commit_) {
    applied(index);
    return false;
  }
  probe("raft.snapshot_installed");
  if (log_.matches(index, term)) {
    // What follows it is still ours; entries up to it count as durable, since the snapshot is.
    log_.compact(index);
    durable_ = std::max(durable_, index);
    verified_ = std::max(verified_, index);
  } else {
    DRUMLIN_CHECK(role_ != Role::kLeader);  // a leader has every committed entry
    log_.reset(index, term);
    durable_ = index;
    verified_ = index;
    for (PendingAppend& append : pending_)
      append.last = std::min(append.last, index);
  }
  applied_ = index;
  advance_commit(index);
  if (role_ != Role::kLeader && leader_ != NodeId()) acknowledge();
  return true;
}

void Raft::fetched(const Output::Fetch& wanted, std::vector<Entry> entries) {
  const auto it = progress_.find(wanted.peer);
  if (role_ != Role::kLeader || it == progress_.end()) return;
  Progress& progress = it->second;
  progress.fetching = false;
  if (entries.empty()) return;  // the next heartbeat's answer tries again
  const bool current = progress.next == wanted.first && may_send(progress) &&
                       std::all_of(entries.begin(), entries.end(), [&](const Entry& entry) {
                         return log_.matches(entry.index, entry.term);
                       });
  if (current) send_append(wanted.peer, progress, std::move(entries));
  send_appends(wanted.peer);
}

void Raft::commit_by_majority() {
  std::vector<LogIndex> reached = {durable_};
  for (const auto& [peer, progress] : progress_)
    reached.push_back(progress.match);
  const LogIndex index = majority_reached(std::move(reached));
  if (index <= commit_) return;
  if (log_.term_at(index) != term_) {
    probe("raft.former_term_not_counted");
    return;
  }
  advance_commit(index);
  begin_read_round();
}

void Raft::advance_commit(LogIndex to) {
  if (to <= commit_) return;
  DRUMLIN_CHECK_LE(to, log_.last_index());
  commit_ = to;
  output().commit_changed = true;
  while (!uncommitted_.empty() && uncommitted_.front().first <= commit_) {
    uncommitted_bytes_ -= uncommitted_.front().second;
    uncommitted_.pop_front();
  }
}

}  // namespace drumlin::raft
