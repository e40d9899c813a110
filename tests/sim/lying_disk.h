// A disk that says "synced" and has not.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/disk.h"

namespace drumlin::sim::test {

struct Lies {
  bool files = false;
  bool directories = false;
};

class LyingFile final : public BlockingFile {
 public:
  explicit LyingFile(std::unique_ptr<BlockingFile> file) : file_(std::move(file)) {}
  Result<size_t> read_at(uint64_t offset, std::span<char> into) override {
    return file_->read_at(offset, into);
  }
  Status write_at(uint64_t offset, std::string_view bytes) override {
    return file_->write_at(offset, bytes);
  }
  Status sync() override { return {}; }
  Status truncate(uint64_t size) override { return file_->truncate(size); }
  Status preallocate(uint64_t size) override { return file_->preallocate(size); }
  Result<uint64_t> size() override { return file_->size(); }
  Status drop_cache() override { return file_->drop_cache(); }

 private:
  std::unique_ptr<BlockingFile> file_;
};

// Without lies: `disk` itself.
class LyingDisk final : public BlockingDisk {
 public:
  LyingDisk(BlockingDisk& disk, Lies lies) : disk_(disk), lies_(lies) {}
  Result<std::unique_ptr<BlockingFile>> open(std::string_view path, OpenMode mode) override {
    auto file = disk_.open(path, mode);
    if (!file.ok() || !lies_.files) return file;
    return std::unique_ptr<BlockingFile>(std::make_unique<LyingFile>(std::move(*file)));
  }
  Status rename(std::string_view from, std::string_view to) override {
    return disk_.rename(from, to);
  }
  Status remove(std::string_view path) override { return disk_.remove(path); }
  Status create_dir(std::string_view path) override { return disk_.create_dir(path); }
  Status sync_dir(std::string_view path) override {
    return lies_.directories ? Status() : disk_.sync_dir(path);
  }
  Result<std::vector<DirEntry>> list(std::string_view path) override { return disk_.list(path); }
  Result<uint64_t> free_bytes() override { return disk_.free_bytes(); }

 private:
  BlockingDisk& disk_;
  const Lies lies_;
};

}  // namespace drumlin::sim::test
