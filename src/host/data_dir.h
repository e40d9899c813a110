// The data directory: made, checked and locked for this process.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "host/fd.h"

namespace drumlin::host {

// In the data directory, never removed; whoever holds its flock owns the directory.
inline constexpr std::string_view kLockName = "LOCK";

struct DataDir {
  Fd root;
  Fd lock;
  std::string path;  // absolute
};

// kFailedPrecondition if another process (or Host) has it, otherwise what the operating system
// says; messages name the path as it was given.
Result<DataDir> open_data_dir(const std::string& path);

}  // namespace drumlin::host
