// Files: the log's files in order: their names, making one, handles to read old ones.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/strong_id.h"
#include "runtime/runtime.h"
#include "wal/format.h"

namespace drumlin::wal {

class Files {
 public:
  struct Entry {
    std::string path;
    FileHeader header;
    uint64_t bytes = 0;  // of its batches; of the newest file, as far as anybody has said
  };

  Files(Runtime& runtime, std::string directory)
      : runtime_(runtime), directory_(std::move(directory)) {}

  // First LSNs of the files that the directory holds, ascending. Other names are skipped. Yields.
  Result<std::vector<Lsn>> list();
  std::string path_of(Lsn first) const;
  const std::string& directory() const { return directory_; }

  // A known file joins; returns its position. Positions count all files that were ever added.
  uint32_t add(Entry entry);
  // REQUIRES: oldest() <= position <= newest().
  const Entry& operator[](uint32_t position) const;
  bool empty() const { return entries_.empty(); }
  uint32_t oldest() const { return oldest_; }
  uint32_t newest() const;  // REQUIRES: !empty()
  const Entry& last() const { return entries_.back(); }
  uint64_t bytes() const;  // of all batches
  void set_last_bytes(uint64_t bytes) { entries_.back().bytes = bytes; }
  // The first of the newest files that together hold `bytes`; never newer than newest(). REQUIRES: !empty().
  uint32_t holding(uint64_t bytes) const;

  // Makes a file that begins with `first` and adds it. Its header and its name are durable on
  // return. Yields. Any error leaves it undecided what is on the disk.
  Result<std::unique_ptr<File>> create(Lsn first);
  // Makes the directory if need be, and durable. Yields.
  Status create_directory();

  // Yields. kNotFound if the file is gone.
  Result<std::shared_ptr<File>> reader(uint32_t position);

  // Forgets the oldest file, then removes it. REQUIRES: there is a newer one. Yields. Whether a removal
  // lasts is undecided until the directory is synced; to find the file again does no harm.
  Status remove_oldest();

 private:
  static constexpr size_t kOpenReaders = 16;
  Runtime& runtime_;
  std::string directory_;
  std::deque<Entry> entries_;
  uint32_t oldest_ = 0;
  std::deque<std::pair<uint32_t, std::shared_ptr<File>>> readers_;  // newest last
};

}  // namespace drumlin::wal
