#include "host/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include <algorithm>

#include "host/data_dir.h"
#include "host/error.h"

namespace drumlin::host {
namespace {

// Offsets beyond the range of off_t become negative; the kernel refuses those.
off_t to_offset(uint64_t position) {
  return static_cast<off_t>(position);
}

// A path that stays below the data directory, "." for the directory itself.
Result<std::string> checked(std::string_view path) {
  if (path.empty()) return std::string(".");
  const auto bad = [&] {
    return Status(Code::kInvalidArgument, "not a path in the data directory: " + std::string(path));
  };
  if (path == kLockName || path.find('\0') != std::string_view::npos) return bad();
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return bad();
    begin = end + 1;
  }
  return std::string(path);
}

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  DRUMLIN_UNREACHABLE();
}

Result<Fd> open_directory(int root, std::string_view path) {
  DRUMLIN_ASSIGN(const std::string name, checked(path));
  Fd fd(retry_interrupted(
      [&] { return ::openat(root, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd.valid()) return file_error("open", path, errno);
  return fd;
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

Status BlockingPosixFile::error(std::string_view what, int error) const {
  return file_error(what, path_, error);
}

Result<size_t> BlockingPosixFile::read_at(uint64_t offset, std::span<char> into) {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = retry_interrupted([&] {
      return ::pread(fd_.get(), into.data() + done, into.size() - done, to_offset(offset + done));
    });
    if (n < 0) return error("read", errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

bool BlockingPosixFile::read_cached(uint64_t offset, std::span<char> into) {
  const iovec part{into.data(), into.size()};
  const ssize_t n = ::preadv2(fd_.get(), &part, 1, to_offset(offset), RWF_NOWAIT);
  return n >= 0 && static_cast<size_t>(n) == into.size();
}

Status BlockingPosixFile::write_at(uint64_t offset, std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = retry_interrupted([&] {
      return ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                      to_offset(offset + done));
    });
    if (n < 0) return error("write", errno);
    if (n == 0) return error("write", EIO);
    done += static_cast<size_t>(n);
  }
  return {};
}

Status BlockingPosixFile::sync() {
  // fdatasync: it leaves out times, but not a size that is needed to read the bytes back. It is not
  // called again if a signal interrupts it: a sync that failed must not be retried
  // (runtime/disk.h).
  return ::fdatasync(fd_.get()) == 0 ? Status() : error("sync", errno);
}

Status BlockingPosixFile::truncate(uint64_t size) {
  const int r = retry_interrupted([&] { return ::ftruncate(fd_.get(), to_offset(size)); });
  return r == 0 ? Status() : error("truncate", errno);
}

Status BlockingPosixFile::preallocate(uint64_t size) {
  if (size == 0) return {};
  int r = EINTR;
  while (r == EINTR)
    r = ::posix_fallocate(fd_.get(), 0, to_offset(size));
  return r == 0 ? Status() : error("preallocate", r);
}

Result<uint64_t> BlockingPosixFile::size() {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return error("stat", errno);
  return static_cast<uint64_t>(info.st_size);
}

Status BlockingPosixFile::drop_cache() {
  const int r = ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
  return r == 0 ? Status() : error("drop the cache of", r);
}

Result<std::unique_ptr<BlockingPosixFile>> BlockingPosixDisk::open_posix(std::string_view path,
                                                                         OpenMode mode) {
  DRUMLIN_ASSIGN(std::string name, checked(path));
  const int flags = open_flags(mode) | O_CLOEXEC;
  Fd fd(retry_interrupted([&] { return ::openat(root_, name.c_str(), flags, 0600); }));
  if (!fd.valid()) return file_error("open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return file_error("open", path, errno);
  if (S_ISDIR(info.st_mode)) return file_error("open", path, EISDIR);  // O_RDONLY lets it through
  return std::make_unique<BlockingPosixFile>(std::move(fd), std::move(name));
}

Result<std::unique_ptr<BlockingFile>> BlockingPosixDisk::open(std::string_view path,
                                                              OpenMode mode) {
  DRUMLIN_ASSIGN(std::unique_ptr<BlockingFile> file, open_posix(path, mode));
  return file;
}

Status BlockingPosixDisk::rename(std::string_view from, std::string_view to) {
  DRUMLIN_ASSIGN(const std::string source, checked(from));
  DRUMLIN_ASSIGN(const std::string target, checked(to));
  if (::renameat(root_, source.c_str(), root_, target.c_str()) == 0) return {};
  return file_error("rename", source + " to " + target, errno);
}

Status BlockingPosixDisk::remove(std::string_view path) {
  DRUMLIN_ASSIGN(const std::string name, checked(path));
  if (::unlinkat(root_, name.c_str(), 0) == 0) return {};
  if (errno == EISDIR && ::unlinkat(root_, name.c_str(), AT_REMOVEDIR) == 0) return {};
  return file_error("remove", path, errno);
}

Status BlockingPosixDisk::create_dir(std::string_view path) {
  DRUMLIN_ASSIGN(const std::string name, checked(path));
  if (::mkdirat(root_, name.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return file_error("create directory", path, errno);
  struct stat info {};
  if (::fstatat(root_, name.c_str(), &info, 0) == 0 && S_ISDIR(info.st_mode)) return {};
  return file_error("create directory", path, EEXIST);
}

Status BlockingPosixDisk::sync_dir(std::string_view path) {
  DRUMLIN_ASSIGN(const Fd fd, open_directory(root_, path));
  return ::fsync(fd.get()) == 0 ? Status() : file_error("sync directory", path, errno);
}

Result<std::vector<DirEntry>> BlockingPosixDisk::list(std::string_view path) {
  DRUMLIN_ASSIGN(Fd fd, open_directory(root_, path));
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
  if (dir == nullptr) return file_error("list", path, errno);
  const int borrowed = fd.release();  // closedir() closes it
  std::vector<DirEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(dir.get());
    if (found == nullptr && errno != 0) return file_error("list", path, errno);
    if (found == nullptr) break;
    const std::string_view name = found->d_name;
    if (name == "." || name == ".." || (path.empty() && name == kLockName)) continue;
    struct stat info {};
    if (::fstatat(borrowed, found->d_name, &info, 0) != 0) {
      if (errno == ENOENT) continue;  // removed meanwhile
      return file_error("stat", name, errno);
    }
    const bool is_directory = S_ISDIR(info.st_mode);
    entries.push_back(
        {std::string(name), is_directory, is_directory ? 0 : static_cast<uint64_t>(info.st_size)});
  }
  std::sort(entries.begin(), entries.end(),
            [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

Result<uint64_t> BlockingPosixDisk::free_bytes() {
  struct statvfs info {};
  if (retry_interrupted([&] { return ::fstatvfs(root_, &info); }) != 0) {
    return file_error("stat", "", errno);
  }
  return uint64_t{info.f_bavail} * uint64_t{info.f_frsize};
}

}  // namespace drumlin::host
