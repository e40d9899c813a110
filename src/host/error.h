// From errno to Status.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "base/status.h"

namespace drumlin::host {

// "No such file or directory". Thread-safe.
std::string error_text(int error);

// What a failed call on a file means, in the codes of runtime/disk.h. The message is
// "<what> <path>: <text>".
Status file_error(std::string_view what, std::string_view path, int error);

// Out of descriptors or of kernel memory: it may pass.
bool is_exhausted(int error);

// Calls again while signal handlers interrupt: retry_interrupted([&] { return ::pread(...); }).
template <typename Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR)
    result = call();
  return result;
}

}  // namespace drumlin::host
