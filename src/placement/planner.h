// The planner: which nodes hold which shard. Pure: the same input gives the same table everywhere.
//
// Target by bounded-load rendezvous hashing (Thaler and Ravishankar 1998; Mirrokni et al. 2018 for the
// bound): a shard ranks all nodes by hash(shard, node) and takes the first R whose load is below the
// cap; a full node passes it on to the next in rank. The cap keeps the fullest node within 5 % of the
// mean (or one replica, if that is more). The first replica of a row is its preferred leader.
//
// The table is made once, at the cluster's first start, and stored; later it changes only by explicit
// moves. Routing never asks who is healthy: two nodes that disagree would make two owners.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/strong_id.h"

namespace drumlin::placement {

struct ShardTable {
  // replicas[s] holds shard s; 1..R distinct nodes each.
  std::vector<std::vector<NodeId>> replicas;

  size_t shards() const { return replicas.size(); }
  bool operator==(const ShardTable&) const = default;
  // Versioned bytes for the superblock; decode gives kCorrupt or kUnsupported.
  std::string encode() const;
  static Result<ShardTable> decode(std::string_view bytes);
};

// REQUIRES: nodes distinct and not empty, 1 <= replication <= nodes.size(), shards > 0.
ShardTable plan(std::vector<NodeId> nodes, size_t shards, size_t replication);

}  // namespace drumlin::placement
