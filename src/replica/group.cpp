#include "replica/group.h"

#include <algorithm>

#include "replica/recovery.h"
#include "shard/command.h"

namespace drumlin::replica {

// One proposal, on its caller's stack.
struct Group::Proposal {
  explicit Proposal(Services& services)
      : done(services.runtime.scheduler(), services.runtime.clock()) {}
  WaitQueue done;
  bool finished = false;
  Status status;
  std::string reply;

  void finish(Status s, std::string r = {}) {
    if (finished) return;
    status = std::move(s);
    reply = std::move(r);
    finished = true;
    done.notify_all();
  }
};

// One read barrier, on its caller's stack.
struct Group::Read {
  explicit Read(Services& services)
      : done(services.runtime.scheduler(), services.runtime.clock()) {}
  WaitQueue done;
  bool finished = false;
  Status status;
  LogIndex index;
};

namespace {

// Keeps a map's entry for the life of a stack frame.
template <typename Map>
class Registration {
 public:
  Registration(Map& map, typename Map::key_type key, typename Map::mapped_type value)
      : map_(map), key_(key) {
    map.emplace(key, value);
  }
  ~Registration() { map_.erase(key_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Map& map_;
  typename Map::key_type key_;
};

// What one turn of the loop applies of one group before the others have theirs.
constexpr size_t kEntriesPerTurn = 64;
constexpr size_t kBytesPerTurn = 4u << 20;

}  // namespace

Group::Group(Services& services, Loop& loop, GroupId id, std::unique_ptr<raft::Raft> core,
             std::unique_ptr<Applier> applier)
    : services_(services),
      loop_(loop),
      id_(id),
      core_(std::move(core)),
      applier_(std::move(applier)),
      snapshots_(services, loop, id, *core_, *applier_,
                 [this](LogIndex index, Term term) { snapshot_installed(index, term); }),
      applied_(services.runtime.scheduler(), services.runtime.clock()) {}

Group::~Group() = default;

Result<std::string> Group::propose(std::string command, Instant deadline) {
  if (stopped_ || core_->role() != raft::Role::kLeader) return not_leader(core_->leader());
  if (services_.wal.overloaded(wal::Wal::Source::kOwn)) {
    return Status(Code::kExhausted, "the log's queue is full");
  }
  const size_t most = services_.runtime.buggify("replica.few_uncommitted",
                                                services_.options.uncommitted_bytes_total,
                                                size_t{1}, size_t{64} << 10);
  // As in a group, one is always taken.
  if (services_.uncommitted_bytes > 0 && services_.uncommitted_bytes + command.size() > most) {
    services_.runtime.probe("replica.uncommitted_full");
    return Status(Code::kExhausted, "too many bytes wait for their commit on this node");
  }
  shard::stamp(command, services_.runtime.clock().wall());
  DRUMLIN_ASSIGN(const raft::Proposed at, core_->propose(Blob(std::move(command))));
  count_uncommitted();
  Proposal proposal(services_);
  const Registration registration(proposals_, ProposalKey{at.index, at.term}, &proposal);
  loop_.wake(*this);
  while (!proposal.finished) {
    if (proposal.done.wait(deadline) != Wake::kNotified) {
      return Status(Code::kOutcomeUnknown, "the command was not applied in time");
    }
  }
  if (!proposal.status.ok()) return proposal.status;
  if (services_.watch != nullptr) {
    services_.watch->acknowledged(id_, at.index, at.term, proposal.reply);
  }
  return std::move(proposal.reply);
}

Result<LogIndex> Group::read_barrier(Instant deadline) {
  const uint64_t id = next_read_++;
  DRUMLIN_TRY(core_->read_index(id));
  Read read(services_);
  const Registration registration(reads_, id, &read);
  loop_.wake(*this);
  while (!read.finished) {
    if (read.done.wait(deadline) != Wake::kNotified) {
      services_.runtime.probe("replica.read_not_confirmed");
      core_->forget_read(id);
      return Status(Code::kTimeout, "no quorum confirmed the read in time");
    }
  }
  if (!read.status.ok()) return read.status;
  return read.index;
}

Result<QueryReply> Group::query(const QueryRequest& request, Instant deadline) {
  if (stopped_ || core_->role() != raft::Role::kLeader) return not_leader(core_->leader());
  DRUMLIN_ASSIGN(const LogIndex index, read_barrier(deadline));
  while (applied() < index) {
    if (stopped_) return not_leader({});
    if (applied_.wait(deadline) != Wake::kNotified) {
      return Status(Code::kTimeout, "the read index was not applied in time");
    }
  }
  auto reply = applier_->query(request, deadline);
  if (reply.ok() && services_.watch != nullptr) services_.watch->read_served(id_, index, applied());
  return reply;
}

void Group::tick() {
  core_->tick();
  const Duration patience = services_.options.tick * services_.options.election_ticks_max;
  if (lost_leadership_ != kNever && services_.runtime.clock().now() - lost_leadership_ > patience) {
    abandon_proposals();
  }
  if (core_->has_output()) loop_.wake(*this);
}

void Group::set_disk_stalled(bool stalled) {
  if (stopped_) return;
  core_->set_disk_stalled(stalled);
  if (core_->has_output()) loop_.wake(*this);
}

void Group::step(raft::Message message) {
  if (stopped_) return;
  core_->step(std::move(message));
  if (core_->has_output()) loop_.wake(*this);
}

void Group::appended(uint64_t append, LogIndex last, Term term) {
  if (stopped_) return;
  core_->log_persisted(append);
  // What a snapshot has covered meanwhile is not of the log any more.
  const bool of_the_log = last > core_->log().start();
  if (of_the_log && services_.watch != nullptr) services_.watch->durable(id_, last, term);
  loop_.wake(*this);
}

void Group::voted(Term term, NodeId vote) {
  if (stopped_) return;
  if (services_.watch != nullptr) services_.watch->voted(id_, term, vote);
  core_->hard_state_persisted(raft::HardState{term, vote});
  loop_.wake(*this);
}

void Group::compact(LogIndex index, bool pressed) {
  if (stopped_) return;
  for (const auto& [peer, progress] : core_->progress()) {
    if (pressed) break;
    const bool sending = progress.state == raft::Progress::State::kSnapshot;
    index = std::min(index, sending ? snapshots_.pinned(progress.match) : progress.match);
  }
  if (index > core_->log().start()) core_->compact(index);
}

void Group::rewrite_log() {
  const LogIndex first = core_->log().start() + 1;
  const LogIndex last = core_->last_index();
  if (stopped_ || last < first) return;
  auto records = services_.wal.read(id_, first, last, services_.options.uncommitted_bytes);
  if (!records.ok() || stopped_) return;  // whoever needs them will say so
  const raft::Log& log = core_->log();
  // Nothing of it may be on its way to the disk: what lies where must be known.
  const bool same = log.start() + 1 == first && log.last_index() == last &&
                    core_->durable() == last && records->size() == last - first + 1 &&
                    std::all_of(records->begin(), records->end(), [&](const wal::Record& record) {
                      return log.matches(record.index, record.term);
                    });
  if (!same) return;
  services_.runtime.probe("replica.log_rewritten");
  services_.wal.append(std::move(*records), wal::Wal::Source::kPeer);
}

void Group::pump(std::vector<raft::Message>& out) {
  if (stopped_) return;
  while (core_->has_output()) {
    raft::Output output = core_->take_output();
    if (output.role_changed) role_changed();
    if (output.hard_state) {
      services_.hard_states.put(id_, {output.hard_state->term, output.hard_state->vote});
    }
    for (raft::Output::Append& batch : output.appends)
      append(std::move(batch));
    for (raft::Message& message : output.messages) {
      if (services_.watch != nullptr) services_.watch->sending(id_, message);
      out.push_back(std::move(message));
    }
    for (const raft::Output::Fetch& wanted : output.fetches)
      fetch(wanted);
    for (const raft::Output::Snapshot& wanted : output.snapshots) {
      services_.runtime.spawn("snapshot", [this, wanted] { snapshots_.send(wanted); });
    }
    if (output.commit_changed && services_.watch != nullptr) {
      const bool leads = core_->role() == raft::Role::kLeader;
      services_.watch->committed(id_, core_->commit(), core_->log().term_at(core_->commit()),
                                 leads ? core_->term() : Term());
    }
    finish_reads(output);
  }
  count_uncommitted();
  apply_committed();
}

void Group::append(raft::Output::Append batch) {
  DRUMLIN_CHECK(!batch.entries.empty());
  if (services_.watch != nullptr) services_.watch->appended(id_, batch.entries);
  std::vector<wal::Record> records;
  records.reserve(batch.entries.size());
  const raft::Entry last = batch.entries.back();
  for (raft::Entry& entry : batch.entries) {
    records.push_back(wal::Record{id_, static_cast<uint8_t>(entry.kind), entry.term, entry.index,
                                  std::move(entry.data)});
  }
  const bool own = core_->role() == raft::Role::kLeader;
  const Lsn lsn = services_.wal.append(std::move(records),
                                       own ? wal::Wal::Source::kOwn : wal::Wal::Source::kPeer);
  loop_.await_append(*this, lsn, batch.id, last.index, last.term);
}

// The core's account moves with proposals, commits and changes of role: all of them end in a turn.
void Group::count_uncommitted() {
  services_.uncommitted_bytes -= counted_uncommitted_;
  counted_uncommitted_ = core_->uncommitted_bytes();
  services_.uncommitted_bytes += counted_uncommitted_;
}

void Group::fetch(const raft::Output::Fetch& wanted) {
  services_.runtime.spawn("fetch", [this, wanted] {
    services_.runtime.probe("replica.entries_read_back");
    services_.runtime.buggify_delay("replica.slow_fetch", 100ms);
    auto records = services_.wal.read(id_, wanted.first, wanted.last, wanted.max_bytes);
    if (stopped_) return;
    if (services_.runtime.buggify("replica.fetch_fails")) records = Status(Code::kIo, "buggify");
    std::vector<raft::Entry> entries;
    if (!records.ok() && records.is(Code::kCorrupt)) {
      services_.runtime.halt("the log cannot be read back: " + records.status().to_string());
    }
    if (records.ok()) {
      for (wal::Record& record : *records) {
        entries.push_back(raft::Entry{record.term, record.index,
                                      static_cast<raft::EntryKind>(record.kind),
                                      std::move(record.data)});
      }
    }
    core_->fetched(wanted, std::move(entries));
    loop_.wake(*this);
  });
}

// What was committed before the snapshot is in it, but what its proposers should hear is not.
void Group::snapshot_installed(LogIndex index, Term term) {
  if (stopped_) return;
  services_.observer.log.info("raft", "installed a snapshot", {{"shard", id_}, {"index", index}});
  if (services_.watch != nullptr) services_.watch->installed(id_, index, term);
  if (core_->install_snapshot(index, term)) {
    const raft::Log& log = core_->log();
    services_.wal.append({mark_of(id_, log.start(), log.term_at(log.start()))},
                         wal::Wal::Source::kPeer);
    services_.wal.cut(id_, log.start());
  }
  for (auto& [key, proposal] : proposals_) {
    if (key.index > index) break;
    proposal->finish({Code::kOutcomeUnknown, "a snapshot took the place of the log"});
  }
  applied_.notify_all();
  loop_.wake(*this);
}

void Group::finish_reads(const raft::Output& output) {
  const auto finish = [this](uint64_t id, Status status, LogIndex index) {
    const auto read = reads_.find(id);
    if (read == reads_.end()) return;  // its caller has given up
    read->second->status = std::move(status);
    read->second->index = index;
    read->second->finished = true;
    read->second->done.notify_all();
  };
  for (const raft::Output::ReadReady& ready : output.reads_ready)
    finish(ready.id, {}, ready.index);
  for (const uint64_t id : output.reads_failed)
    finish(id, not_leader(core_->leader()), {});
}

void Group::role_changed() {
  const bool leader = core_->role() == raft::Role::kLeader;
  services_.observer.trace("raft.role", id_.value(), static_cast<uint64_t>(core_->role()));
  if (leader == was_leader_) return;
  was_leader_ = leader;
  if (leader) {
    lost_leadership_ = kNever;
    services_.observer.log.info("raft", "leader", {{"shard", id_}, {"term", core_->term()}});
    if (services_.watch != nullptr) {
      services_.watch->became_leader(id_, core_->term(), core_->last_index());
    }
  } else {
    lost_leadership_ = services_.runtime.clock().now();
    services_.observer.log.info(
        "raft", "no longer leader",
        {{"shard", id_}, {"term", core_->term()}, {"leader", core_->leader()}});
  }
}

// Only what is in our own log for good: an entry that is committed but not yet durable here could
// otherwise be missing from the log that the kv claims to have applied.
LogIndex Group::may_apply() const {
  return std::min(core_->commit(), core_->durable());
}

void Group::apply_committed() {
  size_t bytes = 0;
  const size_t most =
      services_.runtime.buggify("replica.short_turns", kEntriesPerTurn, size_t{1}, size_t{3});
  for (size_t n = 0; applied() < may_apply(); ++n) {
    if (applying_slowly_) return;
    if (n >= most || bytes >= kBytesPerTurn) {
      loop_.wake(*this);
      return;
    }
    const auto entry = core_->log().cached(applied() + 1);
    std::string reply;
    if (!entry || applier_->locked() || !applier_->try_apply(*entry, reply).ok()) {
      applying_slowly_ = true;
      services_.runtime.spawn("apply", [this] { apply_slowly(); });
      return;
    }
    bytes += entry->data.size();
    finish_apply(*entry, std::move(reply));
  }
}

// One round of what the reactor could not do itself: read entries back from the log, apply them off
// the reactor. Then the loop may try again.
void Group::apply_slowly() {
  services_.runtime.probe("replica.applied_slowly");
  std::vector<raft::Entry> entries;
  if (const auto entry = core_->log().cached(applied() + 1)) {
    entries.push_back(*entry);
  } else {
    const LogIndex next = applied() + 1;
    auto records = services_.wal.read(id_, next, may_apply(), kBytesPerTurn);
    if (!records.ok() && applied() >= next) {
      records = std::vector<wal::Record>();  // a snapshot has taken their place
    }
    if (!records.ok()) {
      services_.runtime.halt("the log cannot be read back: " + records.status().to_string());
    }
    for (wal::Record& record : *records) {
      entries.push_back(raft::Entry{record.term, record.index,
                                    static_cast<raft::EntryKind>(record.kind),
                                    std::move(record.data)});
    }
  }
  for (const raft::Entry& entry : entries) {
    if (stopped_) break;
    if (entry.index <= applied()) continue;  // a snapshot came meanwhile
    std::string reply;
    if (!applier_->locked() && applier_->try_apply(entry, reply).ok()) {
      finish_apply(entry, std::move(reply));
    } else if (applier_->apply(entry, reply)) {
      finish_apply(entry, std::move(reply));
    }
  }
  applying_slowly_ = false;
  loop_.wake(*this);
}

void Group::finish_apply(const raft::Entry& entry, std::string reply) {
  core_->applied(entry.index);
  // A proposal is ours only if the entry at its index has its term; another term's entry there means
  // that ours can never be committed.
  const auto begin = proposals_.lower_bound(ProposalKey{entry.index, Term()});
  for (auto it = begin; it != proposals_.end() && it->first.index == entry.index; ++it) {
    if (it->first.term == entry.term) {
      it->second->finish({}, reply);
    } else {
      services_.runtime.probe("replica.proposal_superseded");
      it->second->finish({Code::kUnavailable, "superseded by another leader"});
    }
  }
  applied_.notify_all();
}

// Long after losing the leadership nobody need wait here: the router asks the new leader under the
// same session number.
void Group::abandon_proposals() {
  lost_leadership_ = kNever;
  for (auto& [key, proposal] : proposals_) {
    if (key.index <= applied()) continue;
    services_.runtime.probe("replica.proposal_abandoned");
    proposal->finish({Code::kOutcomeUnknown, "the leader changed"});
  }
}

void Group::stop() {
  if (std::exchange(stopped_, true)) return;
  snapshots_.stop();
  for (auto& [key, proposal] : proposals_) {
    proposal->finish({Code::kOutcomeUnknown, "the node is stopping"});
  }
  for (auto& [id, read] : reads_) {
    read->status = not_leader({});
    read->finished = true;
    read->done.notify_all();
  }
  applied_.notify_all();
}

}  // namespace drumlin::replica
