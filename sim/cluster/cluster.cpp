#include "sim/cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "node/parts.h"
#include "sim/rocksdb/rocksdb.h"

namespace drumlin::sim {
namespace {

std::string ip_of(uint32_t node) {
  return fmt::format("10.0.0.{}", node);
}

node::Config make_config(const Plan& plan, uint32_t node) {
  node::Config config;
  config.id = NodeId(node);
  config.listen = ip_of(node);
  config.cluster_secret = "between us";
  config.shards = plan.shards;
  config.access_key = kAccessKey;
  config.secret_key = kSecretKey;
  config.kv_engine = plan.kv == KvEngine::kMemory ? "memory" : "rocksdb";
  config.kv_path = "kv";
  config.kv_write_buffer_bytes = uint64_t{plan.kv_buffer_kib} << 10;
  config.kv_cache_bytes = uint64_t{plan.kv_cache_kib} << 10;
  config.kv_flush_wal_bytes = uint64_t{plan.kv_flush_kib} << 10;
  config.wal_retain_bytes = uint64_t{plan.wal_segment_kib} << 10;
  config.wal_max_bytes = 2 * config.wal_retain_bytes;
  config.log_level = "debug";
  config.log_lines_per_s = 0;
  config.wal_segment_bytes = uint64_t{plan.wal_segment_kib} << 10;
  config.wal_grow_bytes = uint64_t{plan.wal_grow_kib} << 10;
  config.limits.log_cache_bytes = size_t{plan.log_cache_kib} << 10;
  config.limits.wal_queue_bytes = size_t{plan.wal_queue_kib} << 10;
  config.limits.append_bytes = size_t{plan.append_kib} << 10;
  config.limits.append_inflight_messages = plan.inflight_messages;
  if (plan.buckets_per_user != 0) config.limits.buckets_per_user = plan.buckets_per_user;
  config.limits.request_timeout = 4s;
  for (uint32_t n = 1; n <= plan.nodes; ++n) {
    const std::string ip = ip_of(n);
    config.members.push_back(
        {NodeId(n), {ip, config.peer_port}, {ip, config.s3_port}, {ip, config.api_port}});
  }
  DRUMLIN_CHECK_OK(config.validate());
  return config;
}

std::map<GroupId, std::vector<NodeId>> voters_of(const placement::ShardTable& table) {
  std::map<GroupId, std::vector<NodeId>> out;
  for (size_t s = 0; s < table.shards(); ++s)
    out.emplace(GroupId(s), table.replicas[s]);
  return out;
}

}  // namespace

Cluster::Cluster(World& world, const Plan& plan, Verdict& verdict, observe::LogSink log)
    : world_(world),
      verdict_(verdict),
      log_(std::move(log)),
      table_(node::planned_table(make_config(plan, 1))),
      raft_(verdict, voters_of(table_), [this](NodeId node, GroupId group, LogIndex index) {
        return on_platter(node, group, index);
      }) {
  for (uint32_t n = 1; n <= plan.nodes; ++n) {
    Machine& machine = world.add_machine(NodeId(n));
    auto slot = std::make_unique<Slot>(machine, raft_);
    slot->config = make_config(plan, n);
    machine.on_exit([this, s = slot.get()](Exit how) { exited(*s, how); });
    slots_.push_back(std::move(slot));
  }
}

void Cluster::main(Slot& slot, Runtime& runtime) {
  node::Hooks hooks;
  hooks.log = log_;
  hooks.trace = &slot.machine.trace_sink();
  hooks.replicas = &slot.watch;
  hooks.open_rocksdb = [&runtime](const kv::RocksOptions& options) {
    return open_rocksdb(runtime, options);
  };
  node::Node node(runtime, slot.config, std::move(hooks));
  // Also when the fiber is unwound.
  struct Current {
    Current(Slot& s, node::Node& n) : slot(s) { slot.node = &n; }
    ~Current() { slot.node = nullptr; }
    Slot& slot;
  };
  const Current current(slot, node);
  Cancellation never;
  const Status ended = node.run(never);
  if (excused(slot, ended.to_string())) return;
  verdict_.crash(fmt::format("node {} stopped: {}", slot.machine.id().value(), ended.to_string()));
}

// A node may end itself if its disk fails, and must then say so: an operator reads no more than that line.
bool Cluster::excused(const Slot& slot, std::string_view why) const {
  if (slot.damaged) return true;
  const bool named = why.find("input/output error") != std::string_view::npos ||
                     why.find("disk full") != std::string_view::npos;
  return named && slot.machine.felt_disk_error();
}

void Cluster::exited(Slot& slot, Exit how) {
  const auto node = static_cast<uint32_t>(slot.machine.id().value());
  if (how == Exit::kHalted && !excused(slot, slot.machine.halt_reason())) {
    verdict_.crash(fmt::format("node {} halted: {}", node, slot.machine.halt_reason()));
  }
  if (on_exit_) on_exit_(node, how);
}

void Cluster::boot(uint32_t node) {
  Slot& slot = *slots_.at(node - 1);
  if (slot.machine.running()) return;
  slot.machine.boot([this, &slot](Runtime& runtime) { main(slot, runtime); });
}

void Cluster::boot_all(Nodes set) {
  for (uint32_t n = 1; n <= nodes(); ++n) {
    if (!holds(set, n)) continue;
    machine(n).crash_at_io(0, false);
    boot(n);
  }
}

bool Cluster::holds_majorities(Nodes set) const {
  return std::all_of(table_.replicas.begin(), table_.replicas.end(), [&](const auto& voters) {
    const auto in = std::count_if(voters.begin(), voters.end(), [&](NodeId voter) {
      return holds(set, static_cast<uint32_t>(voter.value()));
    });
    return static_cast<size_t>(in) * 2 > voters.size();
  });
}

bool Cluster::on_platter(NodeId node, GroupId group, LogIndex index) {
  const Slot& slot = *slots_.at(node.value() - 1);
  DRUMLIN_CHECK(slot.node != nullptr);
  const auto place = slot.node->parts().wal->locate(group, index);
  return place && slot.machine.disk().durable(place->file, place->offset, place->length);
}

std::string Cluster::unconverged(Nodes set) {
  for (auto& slot : slots_) {
    const uint64_t id = slot->machine.id().value();
    if (!holds(set, static_cast<uint32_t>(id))) continue;
    if (slot->node == nullptr || slot->node->parts().replicas == nullptr) {
      return fmt::format("node {} does not run", id);
    }
    auto& replicas = *slot->node->parts().replicas;
    if (!replicas.admitted()) return fmt::format("node {} is not a member yet", id);
    for (const replica::ShardStatus& shard : replicas.status()) {
      const LogIndex committed = raft_.committed(GroupId(shard.shard));
      if (shard.leader == NodeId())
        return fmt::format("node {}, shard {}: no leader", id, shard.shard);
      if (shard.applied < committed || shard.last != shard.commit) {
        return fmt::format(
            "node {}, shard {}: applied {}, commit {}, last {}; committed anywhere {}", id,
            shard.shard, shard.applied.value(), shard.commit.value(), shard.last.value(),
            committed.value());
      }
    }
  }
  return {};
}

void Cluster::check_digests() {
  for (uint32_t shard = 0; shard < table_.shards(); ++shard) {
    std::map<LogIndex, std::pair<NodeId, uint64_t>> known;
    for (const NodeId id : table_.replicas[shard]) {
      node::Node* node = slots_.at(id.value() - 1)->node;
      if (node == nullptr || node->parts().replicas == nullptr) continue;
      replica::Group* group = node->parts().replicas->group(shard);
      const auto digest = group->applier().digest();
      DRUMLIN_CHECK_OK(digest.status());
      verdict_.evaluated("digest");
      const auto [it, fresh] = known.emplace(group->applied(), std::pair(id, *digest));
      if (!fresh && it->second.second != *digest) {
        verdict_.safety(
            "digest",
            fmt::format("shard {} at index {}: nodes {} and {} hold different states", shard,
                        group->applied().value(), it->second.first.value(), id.value()));
      }
    }
  }
}

}  // namespace drumlin::sim
