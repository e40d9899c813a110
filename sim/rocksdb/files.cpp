#include "sim/rocksdb/files.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace drumlin::sim {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// As the file system of an operating system would say it.
IOStatus io_status(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return IOStatus::OK();
    case Code::kNotFound:
      return IOStatus::PathNotFound(status.message());
    case Code::kNoSpace: {
      IOStatus full = IOStatus::NoSpace(status.message());
      full.SetRetryable(true);
      return full;
    }
    default:
      return IOStatus::IOError(status.to_string());
  }
}

// RocksDB joins with '/' whatever it has.
std::string on_disk(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == '/' && (out.empty() || out.back() == '/')) continue;
    out += c;
  }
  if (out.ends_with('/')) out.pop_back();
  return out == "." ? "" : out;
}

class Sequential final : public rocksdb::FSSequentialFile {
 public:
  explicit Sequential(std::unique_ptr<BlockingFile> file) : file_(std::move(file)) {}
  IOStatus Read(size_t n, const IOOptions& /*options*/, Slice* result, char* scratch,
                IODebugContext* /*context*/) override {
    const auto got = file_->read_at(position_, {scratch, n});
    if (!got.ok()) return io_status(got.status());
    position_ += *got;
    *result = Slice(scratch, *got);
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    position_ += n;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<BlockingFile> file_;
  uint64_t position_ = 0;
};

class RandomAccess final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccess(std::unique_ptr<BlockingFile> file) : file_(std::move(file)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*context*/) const override {
    const auto got = file_->read_at(offset, {scratch, n});
    if (!got.ok()) return io_status(got.status());
    *result = Slice(scratch, *got);
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<BlockingFile> file_;
};

class Writable final : public rocksdb::FSWritableFile {
 public:
  explicit Writable(std::unique_ptr<BlockingFile> file) : file_(std::move(file)) {}
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions& /*options*/,
                  IODebugContext* /*context*/) override {
    const Status status = file_->write_at(size_, {data.data(), data.size()});
    if (status.ok()) size_ += data.size();
    return io_status(status);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& /*options*/,
                    IODebugContext* /*context*/) override {
    const Status status = file_->truncate(size);
    if (status.ok()) size_ = size;
    return io_status(status);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }
  // To the page cache, where it is.
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return io_status(file_->sync());
  }
  uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return size_;
  }

 private:
  std::unique_ptr<BlockingFile> file_;
  uint64_t size_ = 0;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(BlockingDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return io_status(disk_.sync_dir(path_));
  }

 private:
  BlockingDisk& disk_;
  std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string p) : path(std::move(p)) {}
  const std::string path;
};

class Files final : public rocksdb::FileSystem {
 public:
  explicit Files(BlockingDisk& disk) : disk_(disk) {}
  const char* Name() const override { return "drumlin simulated disk"; }

  IOStatus NewSequentialFile(const std::string& name, const FileOptions& /*options*/,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext* /*context*/) override {
    auto file = disk_.open(on_disk(name), OpenMode::kRead);
    if (!file.ok()) return io_status(file.status());
    *result = std::make_unique<Sequential>(std::move(*file));
    return IOStatus::OK();
  }
  IOStatus NewRandomAccessFile(const std::string& name, const FileOptions& /*options*/,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext* /*context*/) override {
    auto file = disk_.open(on_disk(name), OpenMode::kRead);
    if (!file.ok()) return io_status(file.status());
    *result = std::make_unique<RandomAccess>(std::move(*file));
    return IOStatus::OK();
  }
  IOStatus NewWritableFile(const std::string& name, const FileOptions& /*options*/,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* /*context*/) override {
    const std::string path = on_disk(name);
    auto file = disk_.open(path, OpenMode::kCreateNew);
    if (file.is(Code::kAlreadyExists)) {
      file = disk_.open(path, OpenMode::kReadWrite);
      if (file.ok()) {
        const Status emptied = (*file)->truncate(0);
        if (!emptied.ok()) return io_status(emptied);
      }
    }
    if (!file.ok()) return io_status(file.status());
    *result = std::make_unique<Writable>(std::move(*file));
    return IOStatus::OK();
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& /*options*/,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* /*context*/) override {
    const auto entries = disk_.list(on_disk(name));
    if (!entries.ok()) return io_status(entries.status());
    *result = std::make_unique<Directory>(disk_, on_disk(name));
    return IOStatus::OK();
  }

  IOStatus FileExists(const std::string& name, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    const auto file = disk_.open(on_disk(name), OpenMode::kRead);
    if (file.is(Code::kNotFound)) return IOStatus::NotFound(name);
    return io_status(file.status());
  }
  IOStatus GetChildren(const std::string& name, const IOOptions& /*options*/,
                       std::vector<std::string>* result, IODebugContext* /*context*/) override {
    const auto entries = disk_.list(on_disk(name));
    if (!entries.ok()) return io_status(entries.status());
    result->clear();
    for (const DirEntry& entry : *entries)
      result->push_back(entry.name);
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    return io_status(disk_.remove(on_disk(name)));
  }
  IOStatus CreateDir(const std::string& name, const IOOptions& /*options*/,
                     IODebugContext* /*context*/) override {
    if (disk_.list(on_disk(name)).ok()) return IOStatus::IOError(name + " exists");
    return io_status(disk_.create_dir(on_disk(name)));
  }
  IOStatus CreateDirIfMissing(const std::string& name, const IOOptions& /*options*/,
                              IODebugContext* /*context*/) override {
    return io_status(disk_.create_dir(on_disk(name)));
  }
  IOStatus DeleteDir(const std::string& name, const IOOptions& /*options*/,
                     IODebugContext* /*context*/) override {
    return io_status(disk_.remove(on_disk(name)));
  }
  IOStatus GetFileSize(const std::string& name, const IOOptions& /*options*/, uint64_t* size,
                       IODebugContext* /*context*/) override {
    const auto file = disk_.open(on_disk(name), OpenMode::kRead);
    if (!file.ok()) return io_status(file.status());
    const auto bytes = (*file)->size();
    if (!bytes.ok()) return io_status(bytes.status());
    *size = *bytes;
    return IOStatus::OK();
  }
  IOStatus GetFileModificationTime(const std::string& /*name*/, const IOOptions& /*options*/,
                                   uint64_t* /*time*/, IODebugContext* /*context*/) override {
    return IOStatus::NotSupported("the simulated disk keeps no times");
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    return io_status(disk_.rename(on_disk(from), on_disk(to)));
  }
  IOStatus IsDirectory(const std::string& name, const IOOptions& /*options*/, bool* is_directory,
                       IODebugContext* /*context*/) override {
    *is_directory = disk_.list(on_disk(name)).ok();
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& name, const IOOptions& /*options*/,
                           std::string* result, IODebugContext* /*context*/) override {
    *result = name;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions& /*options*/, std::string* /*result*/,
                            IODebugContext* /*context*/) override {
    return IOStatus::NotSupported("no test directory");
  }

  IOStatus LockFile(const std::string& name, const IOOptions& /*options*/, rocksdb::FileLock** lock,
                    IODebugContext* /*context*/) override {
    const std::string path = on_disk(name);
    if (locked_.contains(path)) return IOStatus::IOError(name + " is locked");
    const auto file = disk_.open(path, OpenMode::kCreate);
    if (!file.ok()) return io_status(file.status());
    locked_.insert(path);
    *lock = std::make_unique<Lock>(path).release();
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
    const std::unique_ptr<Lock> owned(static_cast<Lock*>(lock));
    locked_.erase(owned->path);
    return IOStatus::OK();
  }

 private:
  BlockingDisk& disk_;
  std::set<std::string> locked_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_file_system(BlockingDisk& disk) {
  return std::make_shared<Files>(disk);
}

}  // namespace drumlin::sim
