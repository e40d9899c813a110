#include "host/error.h"

#include <system_error>

namespace drumlin::host {
namespace {

Code file_code(int error) {
  switch (error) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return Code::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
      return Code::kNoSpace;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermissionDenied;
    default:
      return Code::kIo;
  }
}

}  // namespace

std::string error_text(int error) {
  return std::generic_category().message(error);
}

Status file_error(std::string_view what, std::string_view path, int error) {
  std::string message(what);
  message += ' ';
  message += path.empty() ? "the data directory" : path;
  message += ": ";
  message += error_text(error);
  return {file_code(error), std::move(message)};
}

bool is_exhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace drumlin::host
