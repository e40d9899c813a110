#include "base/status.h"

namespace drumlin {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kFailedPrecondition:
      return "failed_precondition";
    case Code::kAborted:
      return "aborted";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kOutcomeUnknown:
      return "outcome_unknown";
    case Code::kNotLeader:
      return "not_leader";
    case Code::kTimeout:
      return "timeout";
    case Code::kCancelled:
      return "cancelled";
    case Code::kClosed:
      return "closed";
    case Code::kIo:
      return "io";
    case Code::kNoSpace:
      return "no_space";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kTooLarge:
      return "too_large";
    case Code::kPermissionDenied:
      return "permission_denied";
    case Code::kWouldBlock:
      return "would_block";
    case Code::kExhausted:
      return "exhausted";
    case Code::kRefused:
      return "refused";
    case Code::kUnsupported:
      return "unsupported";
  }
  return "unknown_code";
}

std::string Status::to_string() const {
  std::string out(code_name(code_));
  if (!message_.empty()) {
    out += ": ";
    out += message_;
  }
  return out;
}

Status Status::with_context(std::string_view context) const {
  if (ok()) return *this;
  std::string message(context);
  if (!message_.empty()) {
    message += ": ";
    message += message_;
  }
  return {code_, std::move(message)};
}

}  // namespace drumlin
