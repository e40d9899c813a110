#include "placement/planner.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/codec.h"
#include "base/digest.h"

namespace drumlin::placement {
namespace {

constexpr uint8_t kVersion = 1;

uint64_t score(size_t shard, NodeId node) {
  std::string bytes;
  Writer w(bytes);
  w.u64(shard);
  w.u64(node.value());
  return xxh3(bytes);
}

std::vector<NodeId> ranked(const std::vector<NodeId>& nodes, size_t shard) {
  std::vector<std::pair<uint64_t, NodeId>> scored;
  for (NodeId node : nodes)
    scored.emplace_back(score(shard, node), node);
  std::sort(scored.begin(), scored.end(), std::greater<>());  // ties by id: a total order
  std::vector<NodeId> out;
  for (const auto& [unused, node] : scored)
    out.push_back(node);
  return out;
}

}  // namespace

ShardTable plan(std::vector<NodeId> nodes, size_t shards, size_t replication) {
  DRUMLIN_CHECK(shards > 0 && replication >= 1 && replication <= nodes.size());
  std::sort(nodes.begin(), nodes.end());
  DRUMLIN_CHECK(std::adjacent_find(nodes.begin(), nodes.end()) == nodes.end(), "duplicate node id");
  const size_t total = shards * replication;
  const size_t ceiling = (total + nodes.size() - 1) / nodes.size();
  const size_t cap = std::max(ceiling, total * 105 / (nodes.size() * 100));
  std::map<NodeId, size_t> load;
  ShardTable table;
  for (size_t shard = 0; shard < shards; ++shard) {
    const std::vector<NodeId> rank = ranked(nodes, shard);
    std::vector<NodeId> row;
    for (NodeId node : rank) {
      if (row.size() == replication) break;
      if (load[node] < cap) row.push_back(node);
    }
    // The last shards may find fewer than R nodes below the cap: rank alone decides then.
    for (NodeId node : rank) {
      if (row.size() == replication) break;
      if (std::find(row.begin(), row.end(), node) == row.end()) row.push_back(node);
    }
    for (NodeId node : row)
      ++load[node];
    table.replicas.push_back(std::move(row));
  }
  return table;
}

std::string ShardTable::encode() const {
  std::string bytes;
  Writer w(bytes);
  w.u8(kVersion);
  w.u32(static_cast<uint32_t>(replicas.size()));
  for (const auto& row : replicas) {
    w.u8(static_cast<uint8_t>(row.size()));
    for (NodeId node : row)
      w.u32(static_cast<uint32_t>(node.value()));
  }
  return bytes;
}

Result<ShardTable> ShardTable::decode(std::string_view bytes) {
  Reader r(bytes);
  if (const uint8_t version = r.u8(); version != kVersion) {
    return Status(Code::kUnsupported, "shard table version " + std::to_string(version));
  }
  ShardTable table;
  const uint32_t shards = r.u32();
  for (uint32_t i = 0; i < shards && r.ok(); ++i) {
    std::vector<NodeId> row(r.u8());
    for (NodeId& node : row)
      node = NodeId(r.u32());
    table.replicas.push_back(std::move(row));
  }
  if (!r.done()) return Status(Code::kCorrupt, "shard table");
  return table;
}

}  // namespace drumlin::placement
