// FakeDisk: files in memory that know what is on the platter and what is not, and crash images of
// them.
//
// Every call that changes something is an operation with a number. At `stop_at` the machine loses
// power in the middle of that operation: write-like calls are then pending, as if under way; syncs
// have done nothing. crash() makes the bytes that a restart would find, asking `choose` for the
// fate of each pending write and each pending change of a directory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/disk.h"

namespace drumlin::wal::test {

// What is on a platter: path -> bytes, and the directories.
struct Image {
  std::map<std::string, std::string> files;
  std::set<std::string> dirs;
  bool operator==(const Image&) const = default;
};

// A number below `n`.
using Choose = std::function<size_t(size_t n)>;

class FakeDisk : public Disk {
 public:
  struct Inode {
    struct Change {
      bool truncate = false;
      uint64_t offset = 0;  // or the new size
      std::string bytes;
    };
    std::string now;      // what a reader sees
    std::string platter;  // what a sync has made durable
    std::vector<Change> pending;
  };
  using InodePtr = std::shared_ptr<Inode>;

  explicit FakeDisk(const Image& image);

  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Status rename(std::string_view from, std::string_view to) override;
  Status remove(std::string_view path) override;
  Status create_dir(std::string_view path) override;
  Status sync_dir(std::string_view path) override;
  Result<std::vector<DirEntry>> list(std::string_view path) override;
  Result<uint64_t> free_bytes() override { return uint64_t{1} << 40; }
  BlockingDisk& blocking() override { DRUMLIN_UNREACHABLE("no blocking face"); }
  std::string root() const override { return "fake"; }

  // As a process that is killed leaves it: the page cache survives.
  Image image() const;
  // As a power cut leaves it. Fates of a write: 0 lost, 1 kept, 2 only its first half, 3 all but
  // its first sector, 4 garbage. Of a change of a size or of a directory: 0 lost, 1 kept.
  Image crash(const Choose& choose) const;
  // The same, but each sector of a write has a fate of its own: 0 lost, 1 kept, 2 garbage.
  Image crash_by_sectors(const Choose& choose) const;

  // Turns over one bit of what is there, on the platter and for readers.
  void damage(const std::string& path, size_t offset);

  std::function<void()> yield = [] {};      // before each operation and read
  std::function<void()> power_cut = [] {};  // does not return
  uint64_t stop_at = UINT64_MAX;
  uint64_t operations = 0;
  uint64_t syncs = 0;  // of files
  uint64_t writes = 0;
  bool fail_sync = false;  // and what was to be synced never will be, though readers see it
  bool fail_write = false;

 private:
  friend class FakeFile;
  struct DirChange {
    std::string from;  // empty: none
    std::string to;    // empty: removed
    InodePtr inode;    // null: a directory
  };
  using Write = std::function<void(std::string& content, const Inode::Change& change)>;
  Image crash(const Choose& choose, const Write& write) const;
  // True if power fails in this operation.
  bool begin();
  void change(DirChange change);

  std::map<std::string, InodePtr> names_;
  std::set<std::string> dirs_;
  std::map<std::string, InodePtr> platter_names_;
  std::set<std::string> platter_dirs_;
  std::vector<DirChange> pending_;
};

}  // namespace drumlin::wal::test
