// FileImage, DirImage: a file and a directory as page cache, platter and what waits between them.
// Pure data: no time, no latency. See disk.h for the model.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "sim/runtime/faults.h"

namespace drumlin::sim {

inline constexpr uint64_t kSectorBytes = 512;

// Bytes in 4 KiB pages; a page never written is absent and reads as zeros, so that preallocated
// files cost nothing.
class Pages {
 public:
  void read(uint64_t offset, std::span<char> into) const;
  void write(uint64_t offset, std::string_view bytes);
  void cut(uint64_t size);  // bytes from `size` on read as zeros
  void copy_from(const Pages& other);

 private:
  static constexpr size_t kPageBytes = 4096;
  using Page = std::array<char, kPageBytes>;
  std::vector<std::unique_ptr<Page>> pages_;
};

class FileImage {
 public:
  size_t read(uint64_t offset, std::span<char> into) const;
  void write(uint64_t offset, std::string_view bytes);
  void truncate(uint64_t size);
  void extend(uint64_t size);
  uint64_t size() const { return size_; }

  // Changes made so far; make_durable(mark()) later is a sync that began now.
  uint64_t mark() const { return last_change_; }
  void make_durable(uint64_t mark);
  // The sync failed: of the changes up to `mark` each is, by chance, taken for clean. It stays in
  // the page cache, no later sync writes it and a power cut loses it.
  void fail_sync(uint64_t mark, Rng& rng);
  // Readers see the platter again, and on it what still waits for a sync. True if anything differed.
  bool drop_cache();

  bool durable(uint64_t offset, uint64_t length) const;
  size_t platter_read(uint64_t offset, std::span<char> into) const;
  uint64_t platter_size() const { return platter_size_; }
  size_t waiting() const { return waiting_.size(); }

  void power_cut(Rng& rng, bool garbage, FaultCounters& counters);
  void flip_bit(uint64_t offset, unsigned bit);

 private:
  enum class Kind : uint8_t { kWrite, kTruncate, kExtend };
  struct Change {
    Kind kind;
    uint64_t id;
    uint64_t offset;  // kTruncate, kExtend: the new size
    std::string bytes;
  };
  void remember(Kind kind, uint64_t offset, std::string_view bytes);
  void apply(const Change& change);
  void tear(const Change& change, Rng& rng, bool garbage);

  static constexpr size_t kMaxWaiting = 4096;
  Pages cache_;
  Pages platter_;
  uint64_t size_ = 0;
  uint64_t platter_size_ = 0;
  uint64_t last_change_ = 0;
  std::deque<Change> waiting_;
  bool diverged_ = false;  // a failed sync left the cache with bytes that nobody will write
};

struct Inode;

class DirImage {
 public:
  using Entries = std::map<std::string, std::shared_ptr<Inode>, std::less<>>;
  // One atomic change: names with what they stand for from now on (null: nothing).
  using Change = std::vector<std::pair<std::string, std::shared_ptr<Inode>>>;

  const Entries& entries() const { return cache_; }
  const Entries& platter() const { return platter_; }
  void change(Change change);
  uint64_t mark() const { return last_change_; }
  void make_durable(uint64_t mark);
  bool durable(std::string_view name) const;
  size_t waiting() const { return waiting_.size(); }
  // Of this directory only.
  void power_cut(Rng& rng, FaultCounters& counters);

 private:
  static void apply(Entries& entries, const Change& change);
  Entries cache_;
  Entries platter_;
  uint64_t last_change_ = 0;
  std::deque<Change> waiting_;
};

struct Inode {
  bool is_directory = false;
  FileImage file;
  DirImage dir;
};

}  // namespace drumlin::sim
