// SimDisk: the disk of one machine. It outlives processes and power; a process sees it through the
// two faces of runtime/disk.h (disk_calls.h).
//
// Every file and directory has two states: the page cache, which calls read and change at once, and
// the platter. Changes wait between the two, in order, until a sync that began after them has
// ended.
//   kill       loses nothing: the page cache is the kernel's
//   power cut  each waiting change of a file survives, vanishes, or (a write) tears at 512-byte
//              sectors, on its own and out of order; bytes already on the platter are never
//              touched beyond what a waiting write covers. Of the changes waiting in a directory a
//              prefix survives; a file whose entry is gone is gone with its synced bytes.
// Stronger than POSIX in one thing: a rename across directories is durable at once.
// What may wait is bounded: beyond it the oldest are written back, as a kernel would.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/status.h"
#include "base/time.h"
#include "runtime/disk.h"
#include "sim/runtime/faults.h"
#include "sim/runtime/file_image.h"

namespace drumlin::sim {

struct DiskModel {
  Duration read_min = 20us, read_max = 100us;
  Duration write_min = 20us, write_max = 100us;
  Duration sync_min = 200us, sync_max = 2ms;
  Duration entry_min = 20us, entry_max = 100us;  // open, rename, remove, list ...
  uint64_t bytes_per_second = 1'000'000'000;
  uint32_t slow_per_million = 0;  // calls that take `slow_max` or a part of it longer
  Duration slow_max = 100ms;
  bool garbage = true;  // a torn sector may hold neither the old bytes nor the new
  uint64_t capacity_bytes = uint64_t{64} << 30;
};

enum class IoKind : uint8_t {
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kPreallocate,
  kSize,
  kOpen,
  kRename,
  kRemove,
  kCreateDir,
  kSyncDir,
  kList,
  kFree,
  kDropCache,
};
std::string_view io_name(IoKind kind);  // "disk.write"

struct IoCall {
  IoKind kind;
  std::string_view path;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t content = 0;  // digest of what is written
};

class SimDisk {
 public:
  SimDisk(const DiskModel& model, Rng rng, FaultCounters& counters);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // -- Oracles: never yield, never fail, cost no simulated time.

  // A power cut right now would leave these bytes as the page cache has them, and the file
  // reachable under this path.
  bool durable(std::string_view path, uint64_t offset, uint64_t length) const;
  // What is on the platter now (path resolved there too); cut at the file's end, "" if there is
  // none.
  std::string platter_read(std::string_view path, uint64_t offset, size_t n) const;
  // The same of the page cache.
  std::string cache_read(std::string_view path, uint64_t offset, size_t n) const;
  uint64_t unsynced_changes() const;

  // -- Faults.

  // Asked at the end of every call, before its effect; an error becomes the call's result, and the
  // call has no effect, but for a sync: see FileImage::fail_sync. Null: none.
  using FaultHook = std::function<Status(const IoCall&)>;
  void set_fault_hook(FaultHook hook) { fault_hook_ = std::move(hook); }
  // Everything takes `factor` times as long from now on (1: normal).
  void set_slowdown(uint32_t factor);
  // No call ends before `until`; a stall under way may be shortened only for calls that begin later.
  void stall_until(Instant until);
  void end_stall() { stalled_until_ = {}; }
  // The disk takes so many bytes more, then it is full; kNoLimit: its own capacity.
  static constexpr uint64_t kNoLimit = UINT64_MAX;
  void limit_free(uint64_t bytes);
  // Calls that have failed since the world began: faults, and writes that met a full disk.
  uint64_t errors() const { return errors_; }
  // Resolves what waits (see above). Only with no process on the machine.
  void power_cut();
  // Flips one bit of a stored byte, on the platter and in the page cache. False if there is none.
  bool flip_bit(std::string_view path, uint64_t offset, unsigned bit);

  // -- For disk_calls.h: effects, immediate and without faults. Paths are checked.
  Result<std::shared_ptr<Inode>> open(std::string_view path, OpenMode mode);
  Status rename(std::string_view from, std::string_view to);
  Status remove(std::string_view path);
  Status create_dir(std::string_view path);
  Result<std::shared_ptr<Inode>> directory(std::string_view path) const;
  Result<std::vector<DirEntry>> list(std::string_view path) const;
  uint64_t free_bytes() const;
  // kNoSpace beyond the capacity; what fits is written.
  Status write(Inode& inode, uint64_t offset, std::string_view bytes);
  // A write that failed on its way: a part of it, drawn, is there.
  void write_in_part(Inode& inode, uint64_t offset, std::string_view bytes);
  Status preallocate(Inode& inode, uint64_t size);
  Status truncate(Inode& inode, uint64_t size);
  void fail_sync(Inode& inode, uint64_t mark) { inode.file.fail_sync(mark, sync_rng_); }
  Status fault(const IoCall& call);
  Duration latency(const IoCall& call, Instant now);
  Instant stalled_until() const { return stalled_until_; }

 private:
  struct Place;
  Result<Place> locate(std::string_view path) const;
  const Inode* find_on_platter(std::string_view path) const;
  Status reserve(uint64_t from, uint64_t to);
  uint64_t capacity() const { return std::min(limit_, model_.capacity_bytes); }
  Status full();

  DiskModel model_;
  Rng rng_;  // latencies; what is rare has streams of its own
  Rng sync_rng_;
  FaultCounters& counters_;
  FaultHook fault_hook_;
  uint32_t slowdown_ = 1;
  Instant stalled_until_{};
  bool slowdown_felt_ = true;  // by a call, since it was set
  bool stall_felt_ = true;
  uint64_t power_cuts_ = 0;
  uint64_t limit_ = kNoLimit;  // a fault's, below the model's capacity
  uint64_t errors_ = 0;
  uint64_t used_ = 0;  // at least what the files hold; counted anew when the disk seems full
  std::shared_ptr<Inode> root_;
};

}  // namespace drumlin::sim
