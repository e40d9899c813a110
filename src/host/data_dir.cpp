#include "host/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "host/error.h"

namespace drumlin::host {
namespace {

Status sync_parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const Fd fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && ::fsync(fd.get()) == 0) return {};
  return file_error("sync directory", parent, errno);
}

// mkdir -p, durably: a node that has promised something must not lose the directory it is in.
Status make_directories(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0700) == 0) {
      DRUMLIN_TRY(sync_parent(part));
    } else if (errno != EEXIST) {
      return file_error("create directory", part, errno);
    }
    if (end == std::string::npos) return {};
  }
}

std::string absolute(const std::string& path) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> resolved(::realpath(path.c_str(), nullptr));
  return resolved == nullptr ? path : resolved.get();
}

Result<DataDir> open_checked(std::string path) {
  while (path.size() > 1 && path.back() == '/')
    path.pop_back();
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return file_error("open", path, errno);
    DRUMLIN_TRY(make_directories(path));
  } else if (!S_ISDIR(info.st_mode)) {
    return file_error("open", path, ENOTDIR);
  }
  DataDir out;
  out.root = Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!out.root.valid()) return file_error("open", path, errno);
  if (::faccessat(out.root.get(), ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return file_error("write to", path, errno);
  }
  const std::string lock(kLockName);
  out.lock =
      Fd(::openat(out.root.get(), lock.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.lock.valid()) return file_error("open", path + "/" + lock, errno);
  if (retry_interrupted([&] { return ::flock(out.lock.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return file_error("lock", path + "/" + lock, errno);
    return Status(Code::kFailedPrecondition,
                  "data directory " + path + " is in use by another process");
  }
  out.path = absolute(path);
  return out;
}

}  // namespace

Result<DataDir> open_data_dir(const std::string& path) {
  auto opened = open_checked(path);
  if (opened.ok() || opened.is(Code::kFailedPrecondition)) return opened;
  return opened.status().with_context("data directory");
}

}  // namespace drumlin::host
