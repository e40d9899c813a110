// Disk: files and directories of one node, in two faces with the same calls.
//
//   Disk, File                   for fibers: calls may yield
//   BlockingDisk, BlockingFile   never yield; only inside an offload job or a kv call. In simulation
//                                their latency is summed and charged after the call.
//
// Durability: written bytes survive a crash only after sync() of the file; a created, renamed or
// removed entry only after sync_dir() of its directory. Until then each may, on its own, survive,
// vanish or (bytes) tear. Every call may fail. A failed sync is final: the pages may be marked clean
// although they never reached the platter (Rebello et al., ATC'20), so it must not be retried; the
// caller fences its store and halts the node.
//
// Paths are relative to the node's data directory, with '/' between parts; "" is that directory.
// Errors: kNotFound, kAlreadyExists, kNoSpace, kPermissionDenied, kIo.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace drumlin {

enum class OpenMode : unsigned char {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read and write; made if missing
  kCreateNew,  // read and write; kAlreadyExists if there
};

struct DirEntry {
  std::string name;
  bool is_directory = false;
  uint64_t size_bytes = 0;
};

// The calls of a file. Positions and sizes are in bytes. Closing is the destructor's; it syncs
// nothing.
class FileCalls {
 public:
  virtual ~FileCalls() = default;
  // Bytes read; fewer than asked only at the end of the file.
  virtual Result<size_t> read_at(uint64_t offset, std::span<char> into) = 0;
  // Writes all of it, extending the file (a gap reads as zeros) if need be.
  virtual Status write_at(uint64_t offset, std::string_view bytes) = 0;
  // Everything written by calls that returned before this one began, and the size, is durable after.
  virtual Status sync() = 0;
  virtual Status truncate(uint64_t size) = 0;
  // Reserves space up to `size` and extends the file to it; the new bytes read as zeros.
  virtual Status preallocate(uint64_t size) = 0;
  virtual Result<uint64_t> size() = 0;
  // What the page cache holds of this file and takes for clean is forgotten: later reads see what the disk
  // holds. After a sync that failed in an earlier life of the process the two may differ.
  virtual Status drop_cache() = 0;
};

template <typename FileType>
class DiskCalls {
 public:
  virtual ~DiskCalls() = default;
  virtual Result<std::unique_ptr<FileType>> open(std::string_view path, OpenMode mode) = 0;
  // Atomic; replaces `to` if it exists.
  virtual Status rename(std::string_view from, std::string_view to) = 0;
  virtual Status remove(std::string_view path) = 0;      // a file, or an empty directory
  virtual Status create_dir(std::string_view path) = 0;  // OK if it is there already
  virtual Status sync_dir(std::string_view path) = 0;
  virtual Result<std::vector<DirEntry>> list(std::string_view path) = 0;  // sorted by name
  virtual Result<uint64_t> free_bytes() = 0;
};

class BlockingFile : public FileCalls {};
class BlockingDisk : public DiskCalls<BlockingFile> {};

class File : public FileCalls {
 public:
  // write_at(), then sync(): an implementation may save the way in between.
  virtual Status write_and_sync(uint64_t offset, std::string_view bytes) {
    DRUMLIN_TRY(write_at(offset, bytes));
    return sync();
  }
};
class Disk : public DiskCalls<File> {
 public:
  virtual BlockingDisk& blocking() = 0;
  // Where the data directory is, for people: messages and admin answers.
  virtual std::string root() const = 0;
};

}  // namespace drumlin
