#include "node/identity.h"

#include <fmt/format.h>

namespace drumlin::node {
namespace {

Status refuse(std::string message) {
  return {Code::kFailedPrecondition, std::move(message)};
}

uint64_t draw_incarnation(Runtime& runtime) {
  uint64_t incarnation = 0;
  while (incarnation == 0) {
    runtime.secure_random({reinterpret_cast<char*>(&incarnation), sizeof(incarnation)});
  }
  return incarnation;
}

}  // namespace

placement::ShardTable planned_table(const Config& config) {
  std::vector<NodeId> nodes;
  for (const Member& member : config.members)
    nodes.push_back(member.id);
  return placement::plan(std::move(nodes), config.shards, config.replication());
}

Result<Disk0> inspect_disk(Runtime& runtime, const Config& config) {
  const std::string root = runtime.disk().root();
  const std::string table = planned_table(config).encode();
  DRUMLIN_ASSIGN(const auto block, wal::SuperblockStore::read(runtime));
  if (!block) {
    wal::Superblock first;
    first.cluster_id = config.cluster_id();
    first.node = config.id;
    first.incarnation = draw_incarnation(runtime);
    first.boot_counter = 0;
    first.admitted = false;
    first.shard_table = table;
    first.kv_engine = config.kv_engine;
    return Disk0{true, std::move(first)};
  }
  if (block->node != config.id) {
    return refuse(fmt::format("data directory {} belongs to node {}, this is node {}", root,
                              block->node.value(), config.id.value()));
  }
  if (block->shard_table != table) {
    return refuse(
        fmt::format("data directory {} was made with another cluster.shards or another set of "
                    "cluster.nodes; both "
                    "are fixed at the first start",
                    root));
  }
  if (block->cluster_id != config.cluster_id()) {
    return refuse(
        fmt::format("data directory {} belongs to another cluster (cluster.name, "
                    "cluster.secret and cluster.nodes must be those of the first start)",
                    root));
  }
  if (block->kv_engine != config.kv_engine) {
    return refuse(fmt::format("data directory {} was made with storage.kv = \"{}\", not \"{}\"",
                              root, block->kv_engine, config.kv_engine));
  }
  return Disk0{false, *block};
}

Result<std::unique_ptr<wal::SuperblockStore>> enter_disk(Runtime& runtime,
                                                         observe::Observer observer,
                                                         const Disk0& found) {
  wal::Superblock next = found.block;
  next.boot_counter += 1;
  next.boot_id = runtime.boot_id();
  next.clean = false;
  if (found.fresh) return wal::SuperblockStore::format(runtime, observer, std::move(next));
  DRUMLIN_ASSIGN(auto store, wal::SuperblockStore::open(runtime, observer));
  DRUMLIN_TRY(store->update(std::move(next)));
  return store;
}

}  // namespace drumlin::node
