// The engine on disk: RocksDB, one column family, its own log switched off.
//
// What survives a crash is a prefix of the writes, at least up to the last flush that returned OK.
// RocksDB also flushes by itself, when a write buffer is full. The applied index of every shard is
// in the same batches, so the write-ahead log knows where to go on: the kv may be behind it, but
// must never be ahead. A kv flush that makes an entry durable which the log then loses would do
// that. It cannot happen now: the log syncs under every batch (policy `always`), and apply takes
// only entries that are durable in the local log, so whatever a flush finds in the buffers is in
// the log for good. A policy that acknowledges before it syncs must sync the log first, on
// RocksDB's own flushes too (EventListener::OnFlushBegin).
//
// kNonBlocking reads look at write buffers and cache; kNonBlocking writes go into the write buffer,
// or nowhere while RocksDB wants writers to wait. Index and filter blocks are in the cache as well,
// so memory is cache_bytes + 4 * write_buffer_bytes, and more only by what a batch exceeds its
// buffer. What RocksDB flushes stays in the cache: what could be read at once, still can.
//
// After a failed flush or compaction every write and flush fails with the same error until the
// store is opened again; reads go on.
//
// Threads: everything may be called from the reactor and from jobs at the same time; a cursor or a
// snapshot by one at a time. Snapshots and cursors must be gone before their Kv. RocksDB has two
// threads of its own for flushes and compactions, and its process one for timers.
//
// The directory holds RocksDB's files and the file `drumlin-kv`, which names us and the version of
// the format; a directory with anything in it but without that file is refused, not written to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "kv/api/kv.h"

namespace rocksdb {
class Env;
}

namespace drumlin::kv {

struct RocksOptions {
  std::string path;  // made if it does not exist; its parent must
  uint64_t cache_bytes = 64u << 20;
  uint64_t write_buffer_bytes = 8u << 20;
  uint32_t max_open_files = 1024;
  rocksdb::Env* env =
      nullptr;  // RocksDB's operating system, for simulation and tests; null: the real one
};

// Opens or makes the store. Blocks: only in an offload job. Every error names the path:
// kFailedPrecondition if something else is in the directory, kUnsupported for another format
// version, kCorrupt, kNoSpace, and kIo for the rest (no such parent, no permission, in use by
// another process).
Result<std::unique_ptr<Kv>> open_rocksdb(const RocksOptions& options);

}  // namespace drumlin::kv
