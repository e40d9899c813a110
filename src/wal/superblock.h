// Superblock: who this disk is. Four copies in one file, as in TigerBeetle's data_file.md: a read
// needs two equal copies, since a single newest one may be a write in flight or a misdirected read.
//
// File `superblock` (little-endian): copy i lies at i * 64 KiB:
//   0 "DrSB"  4 crc32c of [8, 32 + length)  8 u32 version = 1  12 u32 copy (0..3)  16 u64 sequence
//  24 u32 length of the payload  28 u32 zero  32 payload, see superblock.cpp
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/strong_id.h"
#include "observe/observer.h"
#include "runtime/runtime.h"

namespace drumlin::wal {

struct Superblock {
  std::array<unsigned char, 16> cluster_id{};
  NodeId node;
  uint64_t incarnation = 0;   // of this node; a re-formatted disk gets a new one
  uint64_t boot_counter = 0;  // starts of the process
  std::string boot_id;        // Runtime::boot_id() of the last start
  bool clean = false;         // stopped in order since
  bool admitted = false;      // the cluster has accepted this node
  std::string shard_table;    // opaque
  std::string kv_engine;
  std::map<NodeId, uint64_t> peers;  // the incarnation each was last seen with
  bool operator==(const Superblock&) const = default;
};

class SuperblockStore {
 public:
  static constexpr const char* kPath = "superblock";
  static constexpr uint64_t kCopyBytes = 64 * 1024;  // all of a superblock must fit in one
  static constexpr uint32_t kCopies = 4;

  // What is on the disk; empty if there is no file. Changes nothing. Yields. kCorrupt without two
  // equal copies, kUnsupported for another version.
  static Result<std::optional<Superblock>> read(Runtime& runtime);
  // Reads, and repairs copies that differ. kNotFound if there is no file; else as read(). Yields.
  static Result<std::unique_ptr<SuperblockStore>> open(Runtime& runtime,
                                                       observe::Observer observer);
  // Makes the file, durable on return. kAlreadyExists if there is one. Yields. Hard state and WAL
  // come first: a superblock says that the rest is there.
  static Result<std::unique_ptr<SuperblockStore>> format(Runtime& runtime,
                                                         observe::Observer observer,
                                                         Superblock first);

  // The last durable one. Does not yield; the reference is good for the store's life, its content
  // until the next update is durable.
  const Superblock& get() const { return current_; }
  // Durable when it returns; a failed write or sync halts the node. Yields; updates are serialised
  // in order of arrival. kTooLarge if it does not fit a copy (nothing is written).
  Status update(Superblock next);
  // The same for read-modify-write: `edit` sees what all earlier updates left and must not yield.
  Status change(const std::function<void(Superblock&)>& edit);

 private:
  SuperblockStore(Runtime& runtime, std::unique_ptr<File> file, Superblock current,
                  uint64_t sequence);
  Status write(Superblock next);  // under mutex_
  Runtime& runtime_;
  std::unique_ptr<File> file_;
  Mutex mutex_;
  Superblock current_;
  uint64_t sequence_;
};

}  // namespace drumlin::wal
