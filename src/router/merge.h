// Merge: the listings of a bucket's partitions as one. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "router/store.h"
#include "shard/types.h"

namespace drumlin::router {

// Each part is ascending by key and has either all of its partition's items or at least limit + 1. A
// common prefix may come from several partitions and is listed once.
Listing merge(std::vector<std::vector<shard::ListedKey>> parts, size_t limit);

}  // namespace drumlin::router
