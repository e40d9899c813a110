#include "host/disk.h"

namespace drumlin::host {
namespace {

// Longer reads go to the pool at once: copying alone would hold up the reactor.
constexpr size_t kInlineReadBytes = 64 * 1024;

class PosixFile final : public File {
 public:
  PosixFile(std::unique_ptr<BlockingPosixFile> file, Pool& pool)
      : file_(std::move(file)), pool_(pool) {}
  Result<size_t> read_at(uint64_t offset, std::span<char> into) override {
    if (into.size() <= kInlineReadBytes && file_->read_cached(offset, into)) return into.size();
    return pool_.ask([&] { return file_->read_at(offset, into); });
  }
  Status write_at(uint64_t offset, std::string_view bytes) override {
    return pool_.ask([&] { return file_->write_at(offset, bytes); });
  }
  Status sync() override {
    return pool_.ask([&] { return file_->sync(); });
  }
  Status write_and_sync(uint64_t offset, std::string_view bytes) override {
    return pool_.ask([&]() -> Status {
      DRUMLIN_TRY(file_->write_at(offset, bytes));
      return file_->sync();
    });
  }
  Status truncate(uint64_t size) override {
    return pool_.ask([&] { return file_->truncate(size); });
  }
  Status preallocate(uint64_t size) override {
    return pool_.ask([&] { return file_->preallocate(size); });
  }
  Result<uint64_t> size() override { return file_->size(); }  // in memory for an open file
  Status drop_cache() override {
    return pool_.ask([&] { return file_->drop_cache(); });
  }

 private:
  std::unique_ptr<BlockingPosixFile> file_;
  Pool& pool_;
};

}  // namespace

Result<std::unique_ptr<File>> PosixDisk::open(std::string_view path, OpenMode mode) {
  DRUMLIN_ASSIGN(auto file, pool_.ask([&] { return blocking_.open_posix(path, mode); }));
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(file), pool_));
}

Status PosixDisk::rename(std::string_view from, std::string_view to) {
  return pool_.ask([&] { return blocking_.rename(from, to); });
}

Status PosixDisk::remove(std::string_view path) {
  return pool_.ask([&] { return blocking_.remove(path); });
}

Status PosixDisk::create_dir(std::string_view path) {
  return pool_.ask([&] { return blocking_.create_dir(path); });
}

Status PosixDisk::sync_dir(std::string_view path) {
  return pool_.ask([&] { return blocking_.sync_dir(path); });
}

Result<std::vector<DirEntry>> PosixDisk::list(std::string_view path) {
  return pool_.ask([&] { return blocking_.list(path); });
}

Result<uint64_t> PosixDisk::free_bytes() {
  return pool_.ask([&] { return blocking_.free_bytes(); });
}

}  // namespace drumlin::host
