// Which shard a key lives on: shard = (h(bucket) + (h(key) mod P)) mod S, h = XXH3-64 with seed 0 over
// the raw bytes. Frozen: stored data depends on it; the vectors are under test.
#pragma once

#include <cstdint>
#include <string_view>

namespace drumlin::shard {

inline constexpr uint32_t kCatalogueShard = 0;  // where bucket records live

// P: the bucket's partitions, S: the cluster's shards. REQUIRES: 1 <= P <= S.
uint32_t partition_of(std::string_view key, uint32_t partitions);
uint32_t shard_of_partition(std::string_view bucket, uint32_t partition, uint32_t shards);
uint32_t shard_of(std::string_view bucket, std::string_view key, uint32_t partitions,
                  uint32_t shards);

}  // namespace drumlin::shard
