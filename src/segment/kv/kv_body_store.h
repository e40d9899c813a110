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
// Measured with RocksDB, 16 MiB of cache, files in the page cache, 64 bodies of 8 MiB:
//
//   piece      32 KiB   64 KiB   128 KiB   256 KiB   1 MiB
//   4 KiB     0.04 ms  0.05 ms   0.10 ms   0.16 ms  0.4 ms
//   8 MiB      6.5 ms   6.0 ms    6.2 ms    6.0 ms  4.4 ms
#pragma once

#include "segment/api/body_store.h"

namespace drumlin::segment {

// No state: the same for all shards of a node. May be used by jobs and the reactor at the same
// time, as far as the kv may.
class KvBodyStore final : public BodyStore {
 public:
  static constexpr uint64_t kPieceBytes = 64 * 1024;

  Status put(const BodyKey& id, std::string_view bytes, kv::Batch& batch) override;
  Status drop(const BodyKey& id, uint64_t size, kv::Batch& batch) override;
  Result<Blob> read(const BodyKey& id, uint64_t first, uint64_t count,
                    const kv::View& view) const override;
};

}  // namespace drumlin::segment
