// BodyStore: the bytes of objects, under body ids. Metadata is elsewhere (shard); the log decides
// what exists. Every engine passes the suite in tests/segment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/blob.h"
#include "base/status.h"
#include "kv/api/kv.h"

namespace drumlin::segment {

struct BodyKey {
  uint32_t shard = 0;
  uint32_t generation = 0;
  uint64_t index = 0;
  uint32_t n = 0;
};

class BodyStore {
 public:
  virtual ~BodyStore() = default;
  // Both become part of `batch`, so they take effect with the metadata, or not at all. Idempotent.
  // May not yield. drop() is told the body's size, which its metadata knows: finding it out would
  // cost a read.
  virtual Status put(const BodyKey& id, std::string_view bytes, kv::Batch& batch) = 0;
  virtual Status drop(const BodyKey& id, uint64_t size, kv::Batch& batch) = 0;
  // Bytes [first, first + count) of the body, cut at its end. Verifies the checksum of what it
  // reads. kNotFound, kCorrupt, kIo, and kWouldBlock if `view` is non-blocking and the disk is
  // needed.
  virtual Result<Blob> read(const BodyKey& id, uint64_t first, uint64_t count,
                            const kv::View& view) const = 0;
};

}  // namespace drumlin::segment
