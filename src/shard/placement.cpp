#include "shard/placement.h"

#include "base/digest.h"

namespace drumlin::shard {

uint32_t partition_of(std::string_view key, uint32_t partitions) {
  return static_cast<uint32_t>(xxh3(key) % partitions);
}

uint32_t shard_of_partition(std::string_view bucket, uint32_t partition, uint32_t shards) {
  return static_cast<uint32_t>((xxh3(bucket) % shards + partition) % shards);
}

uint32_t shard_of(std::string_view bucket, std::string_view key, uint32_t partitions,
                  uint32_t shards) {
  return shard_of_partition(bucket, partition_of(key, partitions), shards);
}

}  // namespace drumlin::shard
