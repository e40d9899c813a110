#include "replica/replica_set.h"

#include <algorithm>

namespace drumlin::replica {
namespace {

bool carries_entries(const raft::Message& message) {
  return !message.entries.empty();
}

size_t entry_bytes(const raft::Message& message) {
  size_t bytes = 0;
  for (const raft::Entry& entry : message.entries)
    bytes += entry.data.size() + 32;
  return bytes;
}

// A frame of the bulk lane is sent once it has so much; one message may exceed it.
constexpr size_t kBulkFrameBytes = 4u << 20;
constexpr size_t kSnapshotsAtOnce = 2;

}  // namespace

ReplicaSet::ReplicaSet(Services& services, Voters voters, std::map<NodeId, rpc::Peer*> peers)
    : services_(services),
      voters_(std::move(voters)),
      peers_(std::move(peers)),
      work_(services.runtime.scheduler(), services.runtime.clock()),
      compaction_(services, groups_),
      snapshot_turns_(services.runtime.scheduler(), services.runtime.clock(), kSnapshotsAtOnce),
      messages_sent_(services.observer.metrics.counter("drumlin_raft_messages_sent_total",
                                                       "Raft messages handed to the network")),
      frames_sent_(services.observer.metrics.counter("drumlin_raft_frames_sent_total",
                                                     "Frames that carried Raft messages")),
      messages_dropped_(services.observer.metrics.counter(
          "drumlin_raft_frames_dropped_total",
          "Frames dropped because a peer was not connected or its queue was full")),
      appends_dropped_(services.observer.metrics.counter(
          "drumlin_raft_appends_dropped_total",
          "Entries of other leaders dropped because our log's queue was full")) {}

ReplicaSet::~ReplicaSet() = default;

Status ReplicaSet::open(RecoveredLogs& logs) {
  std::map<GroupId, std::unique_ptr<Applier>> appliers;
  Status loaded;
  services_.runtime.offload([&] {
    for (const auto& [id, voters] : voters_) {
      auto applier = Applier::open(services_, static_cast<uint32_t>(id.value()));
      loaded = applier.status();
      if (!loaded.ok()) return;
      appliers.emplace(id, std::move(*applier));
    }
  });
  DRUMLIN_TRY(loaded);
  for (const auto& [id, voters] : voters_) {
    auto applier = std::move(appliers.at(id));
    raft::Log log = logs.take(id);
    DRUMLIN_TRY(adopt_snapshot(id, *applier, log));
    if (applier->applied() > log.last_index()) {
      return {Code::kCorrupt, "shard " + id.to_string() +
                                  ": the key-value store has applied entry " +
                                  applier->applied().to_string() + ", but the log ends at " +
                                  log.last_index().to_string()};
    }
    if (applier->applied() < log.start()) {
      return {Code::kCorrupt, "shard " + id.to_string() +
                                  ": the key-value store has applied entry " +
                                  applier->applied().to_string() +
                                  ", but the log begins after entry " + log.start().to_string()};
    }
    services_.wal.cut(id, log.start());
    raft::Raft::Config config;
    config.self = services_.options.self;
    config.voters = voters;
    config.heartbeat_ticks = services_.options.heartbeat_ticks;
    config.election_ticks_min = services_.options.election_ticks_min;
    config.election_ticks_max = services_.options.election_ticks_max;
    config.max_append_bytes = services_.options.append_bytes;
    config.max_inflight_bytes = services_.options.append_inflight_bytes;
    config.max_inflight_messages = services_.options.append_inflight_messages;
    config.max_uncommitted_bytes = services_.options.uncommitted_bytes;
    config.probes = services_.runtime.probes();
    config.rng = services_.runtime.random().stream("raft/" + id.to_string());
    const auto slot = services_.hard_states.get(id);
    if (services_.watch != nullptr) services_.watch->recovered(id, {slot.term, slot.vote}, log);
    auto core =
        std::make_unique<raft::Raft>(std::move(config), raft::HardState{slot.term, slot.vote},
                                     std::move(log), applier->applied());
    groups_.emplace(id, std::make_unique<Group>(services_, static_cast<Loop&>(*this), id,
                                                std::move(core), std::move(applier)));
    is_dirty_.emplace(id, false);
  }
  services_.wal.set_on_durable([this](Lsn lsn) { wal_durable(lsn); });
  services_.hard_states.set_on_durable([this](GroupId group, wal::HardStateStore::Slot slot) {
    const auto it = groups_.find(group);
    if (it != groups_.end()) it->second->voted(slot.term, slot.vote);
  });
  return {};
}

// A snapshot whose mark did not get into the log before a crash: the kv has it for good.
Status ReplicaSet::adopt_snapshot(GroupId id, const Applier& applier, raft::Log& log) {
  const LogIndex index = applier.installed();
  if (index <= log.start() || log.matches(index, applier.installed_term())) return {};
  services_.runtime.probe("replica.snapshot_adopted");
  log.restore_start(index, applier.installed_term());
  const Lsn lsn = services_.wal.append({mark_of(id, index, applier.installed_term())});
  return services_.wal.wait_durable(lsn, kNever);
}

void ReplicaSet::start() {
  services_.runtime.spawn("replica driver", [this] { drive(); });
  services_.runtime.spawn("replica ticks", [this] { tick_loop(); });
  services_.runtime.spawn("sweep", [this] {
    for (auto& [id, group] : groups_) {
      if (stopping_.cancelled()) return;
      group->applier().sweep();
    }
  });
  services_.runtime.spawn("compaction", [this] { compaction_.run(stopping_); });
}

void ReplicaSet::admit() {
  admitted_ = true;
}

void ReplicaSet::stop() {
  stopping_.cancel();
  for (auto& [id, group] : groups_)
    group->stop();
}

void ReplicaSet::wake(Group& group) {
  if (std::exchange(is_dirty_[group.id()], true)) return;
  dirty_.push_back(&group);
  work_.notify_one();
}

void ReplicaSet::wake(GroupId group) {
  wake(*groups_.at(group));
}

Result<std::string> ReplicaSet::call(NodeId to, uint8_t kind, std::string payload,
                                     Instant deadline) {
  return peers_.at(to)->call(kind, std::move(payload), deadline);
}

void ReplicaSet::await_append(Group& group, Lsn lsn, uint64_t append, LogIndex last, Term term) {
  pending_.push_back(Pending{lsn, &group, append, last, term});
}

void ReplicaSet::wal_durable(Lsn lsn) {
  while (!pending_.empty() && pending_.front().lsn <= lsn) {
    const Pending done = pending_.front();
    pending_.pop_front();
    done.group->appended(done.append, done.last, done.term);
  }
  compaction_.log_grew();
}

void ReplicaSet::drive() {
  std::vector<Group*> turn;
  std::vector<raft::Message> messages;
  while (!stopping_.cancelled()) {
    if (dirty_.empty()) {
      (void)work_.wait(kNever, &stopping_);
      continue;
    }
    turn.swap(dirty_);
    for (Group* group : turn) {
      is_dirty_[group->id()] = false;
      group->pump(messages);
      post(group->id(), messages);
    }
    turn.clear();
    services_.runtime.buggify_delay("replica.pause_before_send", 20ms);
    send_all();
    // Others have their turn too: a busy group must not starve disk and network.
    services_.runtime.scheduler().yield();
  }
}

void ReplicaSet::post(GroupId group, std::vector<raft::Message>& messages) {
  for (raft::Message& message : messages) {
    const NodeId to = message.to;
    Outbox& outbox = outboxes_[to];
    if (carries_entries(message)) {
      outbox.bulk_bytes += entry_bytes(message);
      outbox.bulk.push_back(GroupMessage{group, std::move(message)});
      if (outbox.bulk_bytes >= kBulkFrameBytes) send_bulk(to, outbox);
    } else {
      outbox.control.push_back(GroupMessage{group, std::move(message)});
    }
  }
  messages.clear();
}

// A connection that breaks loses frames; one that is made again after a time-out may repeat some.
void ReplicaSet::send_frame(NodeId to, rpc::Lane lane, uint8_t kind, std::string payload) {
  rpc::Peer& peer = *peers_.at(to);
  if (services_.runtime.buggify("replica.lose_frame")) return;
  if (services_.runtime.buggify("replica.repeat_frame")) peer.send(lane, kind, payload);
  if (!peer.send(lane, kind, std::move(payload))) messages_dropped_.Increment();
}

void ReplicaSet::send_batches(NodeId to, rpc::Lane lane, uint8_t kind,
                              std::vector<GroupMessage>& messages) {
  messages_sent_.Increment(static_cast<double>(messages.size()));
  for (std::string& payload : encode_batches(messages)) {
    frames_sent_.Increment();
    send_frame(to, lane, kind, std::move(payload));
  }
  messages.clear();
}

void ReplicaSet::send_bulk(NodeId to, Outbox& outbox) {
  send_batches(to, rpc::Lane::kBulk, kRaftBulk, outbox.bulk);
  outbox.bulk_bytes = 0;
}

void ReplicaSet::send_all() {
  for (auto& [to, outbox] : outboxes_) {
    if (!outbox.bulk.empty()) send_bulk(to, outbox);
    if (outbox.control.empty()) continue;
    send_batches(to, rpc::Lane::kControl, kRaftControl, outbox.control);
  }
}

void ReplicaSet::tick_loop() {
  Instant next = after(services_.runtime.clock(), services_.options.tick);
  while (services_.runtime.sleep_until(next, &stopping_).ok()) {
    services_.runtime.buggify_delay("replica.late_tick", 300ms);
    if (stopping_.cancelled()) return;
    watch_disk();
    if (admitted_) {
      for (auto& [id, group] : groups_)
        group->tick();
    }
    // After a stall the missed ticks are not made up for: they would only make elections.
    next = std::max(next + services_.options.tick,
                    after(services_.runtime.clock(), services_.options.tick / 2));
  }
}

// A disk that hangs must not keep its node's leaderships: heartbeats alone prove nothing of it. Counted in
// ticks, not in time, so that a pause of the whole process is not taken for one of the disk.
void ReplicaSet::watch_disk() {
  const std::optional<Instant> write = services_.wal.writing_since();
  write_ticks_ = write && write == write_seen_ ? write_ticks_ + 1 : 0;
  write_seen_ = write;
  const uint32_t most = services_.options.disk_stall_ticks;
  const bool stalled = most != 0 && write_ticks_ >= most;
  if (stalled == disk_stalled_) return;
  disk_stalled_ = stalled;
  services_.observer.log.warn(
      "raft", stalled ? "the disk hangs: leading nothing until it goes on" : "the disk goes on",
      {});
  for (auto& [id, group] : groups_)
    group->set_disk_stalled(stalled);
}

Group* ReplicaSet::group(uint32_t shard) {
  const auto it = groups_.find(GroupId(shard));
  return it == groups_.end() ? nullptr : it->second.get();
}

Result<std::string> ReplicaSet::propose(uint32_t shard, std::string command, Instant deadline) {
  Group* found = group(shard);
  if (found == nullptr || !admitted_) return not_leader({});
  return found->propose(std::move(command), deadline);
}

Result<QueryReply> ReplicaSet::query(const QueryRequest& request, Instant deadline) {
  Group* found = group(request.shard);
  if (found == nullptr || !admitted_) return not_leader({});
  return found->query(request, deadline);
}

NodeId ReplicaSet::leader(uint32_t shard) const {
  const auto it = groups_.find(GroupId(shard));
  return it == groups_.end() ? NodeId() : it->second->core().leader();
}

bool ReplicaSet::ready() const {
  return admitted_ && std::all_of(groups_.begin(), groups_.end(), [](const auto& entry) {
           return entry.second->core().leader() != NodeId();
         });
}

std::vector<ShardStatus> ReplicaSet::status() const {
  std::vector<ShardStatus> out;
  for (const auto& [id, group] : groups_) {
    const raft::Raft& core = group->core();
    out.push_back(ShardStatus{static_cast<uint32_t>(id.value()), core.role(), core.leader(),
                              core.term(), core.commit(), group->applied(), core.durable(),
                              core.last_index()});
  }
  return out;
}

void ReplicaSet::on_message(NodeId from, uint8_t kind, std::string payload) {
  if (!admitted_ || stopping_.cancelled()) return;
  if (kind != kRaftControl && kind != kRaftBulk) return;  // a later version's: not for us
  auto batch = decode_batch(payload, from, services_.options.self);
  if (!batch.ok()) {
    services_.observer.log.error("raft", "undecodable message dropped",
                                 {{"from", from}, {"why", batch.status().message()}});
    return;
  }
  // The leader takes them for lost, and sends them again when our answer to a heartbeat says so. Whatever
  // carries no entries passes: a slow disk must not cost elections.
  const bool full = services_.wal.overloaded(wal::Wal::Source::kPeer);
  for (GroupMessage& message : *batch) {
    if (full && carries_entries(message.message)) {
      services_.runtime.probe("replica.append_dropped");
      appends_dropped_.Increment();
      continue;
    }
    const auto it = groups_.find(message.group);
    if (it != groups_.end()) it->second->step(std::move(message.message));
  }
}

Result<std::string> ReplicaSet::on_request(NodeId from, uint8_t kind, std::string payload) {
  const Duration most = services_.options.request_timeout;
  switch (kind) {
    case kPropose: {
      DRUMLIN_ASSIGN(ProposeRequest request, decode_propose(payload));
      const Instant deadline = after(services_.runtime.clock(), std::min(request.timeout, most));
      return propose(request.shard, std::move(request.command), deadline);
    }
    case kQuery: {
      DRUMLIN_ASSIGN(const QueryRequest request, decode_query(payload));
      const Instant deadline = after(services_.runtime.clock(), std::min(request.timeout, most));
      DRUMLIN_ASSIGN(const QueryReply reply, query(request, deadline));
      return encode(reply);
    }
    case kSnapshot: {
      DRUMLIN_ASSIGN(SnapshotPart part, decode_snapshot_part(payload));
      Group* found = group(part.shard);
      if (found == nullptr || !admitted_) return Status(Code::kUnavailable, "not a replica (yet)");
      const auto& voters = voters_.at(found->id());
      if (std::find(voters.begin(), voters.end(), from) == voters.end()) {
        return Status(Code::kPermissionDenied, "not a replica of the shard");
      }
      DRUMLIN_ASSIGN(const SnapshotReply reply, found->receive_snapshot(std::move(part)));
      return encode(reply);
    }
    default:
      return Status(Code::kUnsupported, "unknown request kind " + std::to_string(kind));
  }
}

}  // namespace drumlin::replica
