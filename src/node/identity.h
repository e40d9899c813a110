// Who this node is, by its configuration and by its disk: what a start must agree on before anything
// is read, and what it writes down about itself.
#pragma once

#include <memory>
#include <string>

#include "node/config.h"
#include "observe/observer.h"
#include "placement/planner.h"
#include "runtime/runtime.h"
#include "wal/superblock.h"

namespace drumlin::node {

// What the disk says of itself before this start.
struct Disk0 {
  bool fresh = false;     // never formatted
  wal::Superblock block;  // of an earlier life, or the first one's content
};

// The shard table that the configuration means.
placement::ShardTable planned_table(const Config& config);

// Reads the superblock, if there is one, and compares. Yields. kFailedPrecondition, with a message for
// the operator: the directory belongs to another cluster or node, or cluster.shards, the set of nodes
// or the engine has changed. kCorrupt: it cannot be read.
Result<Disk0> inspect_disk(Runtime& runtime, const Config& config);

// Notes this start: formats a fresh disk, counts the boot. Yields.
Result<std::unique_ptr<wal::SuperblockStore>> enter_disk(Runtime& runtime,
                                                         observe::Observer observer,
                                                         const Disk0& found);

}  // namespace drumlin::node
