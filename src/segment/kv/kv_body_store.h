// Bodies as values in the node's kv, cut into pieces, so that a range does not read all of a body.
//
//   key     shard u16be | generation u32be | 0x30 | index u64be | n u32be | piece u32be
//   value   0 u32 crc32c of the key, then of the value from 4   4 u64 size of the body   12 bytes
//
// (Little-endian but for the key, see shard/keys.h.) Piece p holds the bytes from p * kPieceBytes,
// all pieces but the last are full, and an empty body has one empty piece. The checksum covers the
// key: a piece that turns up under another address does not match.
//
// The size of a piece weighs what a small range reads in vain against what a piece costs to find.
// With RocksDB on a warm page cache, 8 MiB bodies (2 GiB of them, 1 GiB cache): SIZES.
#pragma once

#include "segment/api/body_store.h"

namespace drumlin::segment {

// No state: the same for all shards of a node. May be used by jobs and the reactor at the same
// time, as far as the kv may.
class KvBodyStore final : public BodyStore {
 public:
  static constexpr uint64_t kPieceBytes = 128 * 1024;

  Status put(const BodyKey& id, std::string_view bytes, kv::Batch& batch) override;
  Status drop(const BodyKey& id, uint64_t size, kv::Batch& batch) override;
  Result<Blob> read(const BodyKey& id, uint64_t first, uint64_t count,
                    const kv::View& view) const override;
};

}  // namespace drumlin::segment
