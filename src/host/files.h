// The blocking face of the disk: system calls below one directory. Any thread may call; a file is
// for one call of each kind at a time, as a Raft log or a segment is used.
#pragma once

#include "host/fd.h"
#include "runtime/disk.h"

namespace drumlin::host {

class BlockingPosixFile final : public BlockingFile {
 public:
  // `path` is for messages.
  BlockingPosixFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<size_t> read_at(uint64_t offset, std::span<char> into) override;
  Status write_at(uint64_t offset, std::string_view bytes) override;
  Status sync() override;
  Status truncate(uint64_t size) override;
  Status preallocate(uint64_t size) override;
  Result<uint64_t> size() override;
  Status drop_cache() override;

  // True if the page cache had all of it: `into` is full. Never waits for the device. Otherwise
  // `into` may hold anything.
  bool read_cached(uint64_t offset, std::span<char> into);

 private:
  Status error(std::string_view what, int error) const;
  Fd fd_;
  std::string path_;
};

class BlockingPosixDisk final : public BlockingDisk {
 public:
  // `root` is a descriptor of the data directory.
  explicit BlockingPosixDisk(int root) : root_(root) {}
  Result<std::unique_ptr<BlockingFile>> open(std::string_view path, OpenMode mode) override;
  Status rename(std::string_view from, std::string_view to) override;
  Status remove(std::string_view path) override;
  Status create_dir(std::string_view path) override;
  Status sync_dir(std::string_view path) override;
  // Without the LOCK file of the directory itself.
  Result<std::vector<DirEntry>> list(std::string_view path) override;
  Result<uint64_t> free_bytes() override;

  Result<std::unique_ptr<BlockingPosixFile>> open_posix(std::string_view path, OpenMode mode);

 private:
  int root_;
};

}  // namespace drumlin::host
