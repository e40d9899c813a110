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
  };

  Files(Runtime& runtime, std::string directory)
      : runtime_(runtime), directory_(std::move(directory)) {}

  // First LSNs of the files that the directory holds, ascending. Other names are skipped. Yields.
  Result<std::vector<Lsn>> list();
  std::string path_of(Lsn first) const;
  const std::string& directory() const { return directory_; }

  // A known file joins; returns its position.
  uint32_t add(Entry entry);
  const Entry& operator[](uint32_t position) const { return entries_[position]; }
  uint32_t count() const { return static_cast<uint32_t>(entries_.size()); }

  // Makes a file that begins with `first` and adds it. Its header and its name are durable on
  // return. Yields. Any error leaves it undecided what is on the disk.
  Result<std::unique_ptr<File>> create(Lsn first);
  // Makes the directory if need be, and durable. Yields.
  Status create_directory();

  // Yields.
  Result<std::shared_ptr<File>> reader(uint32_t position);

 private:
  static constexpr size_t kOpenReaders = 16;
  Runtime& runtime_;
  std::string directory_;
  std::vector<Entry> entries_;
  std::deque<std::pair<uint32_t, std::shared_ptr<File>>> readers_;  // newest last
};

}  // namespace drumlin::wal
