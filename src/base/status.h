// Status and Result<T>: how every room reports an outcome that a caller may act on.
//
// Three kinds of trouble are kept apart: expected outcomes are returned as a Status; programmer
// errors fail a CHECK (base/check.h) and crash; damaged bytes are returned as kCorrupt and then
// repaired by whoever has a copy. Exceptions do not cross rooms. A code exists only if some caller
// acts on it differently; the message is for people.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace drumlin {

enum class Code : unsigned char {
  kOk = 0,
  kNotFound,            // the named thing does not exist
  kAlreadyExists,       // the named thing exists and must not
  kInvalidArgument,     // the caller's input is wrong; retrying the same is useless
  kFailedPrecondition,  // a stated condition does not hold (If-Match, bucket not empty)
  kAborted,             // lost against something concurrent; the caller may start over
  kUnavailable,         // nothing was applied; retrying later may work
  kOutcomeUnknown,      // it may or may not have been applied
  kNotLeader,           // nothing was applied; ask the leader
  kTimeout,             // a deadline passed (for a write above Raft: kOutcomeUnknown instead)
  kCancelled,           // the wait was cancelled or the object closed under it
  kClosed,              // the other side closed the connection
  kIo,                  // the device or the operating system reported an error
  kNoSpace,             // the device is full
  kCorrupt,             // bytes do not match their checksum or format
  kTooLarge,            // over a documented limit
  kPermissionDenied,    // authenticated or not, this caller may not
  kWouldBlock,          // the answer needs the disk and the caller asked not to wait for it
  kExhausted,           // a bounded resource is in full use; back off
  kRefused,             // the peer refuses to talk to us at all (identity, version, secret)
  kUnsupported,         // a format version or feature that this build does not have
};

std::string_view code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  explicit Status(Code code) : code_(code) {}

  static Status ok_status() { return {}; }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  bool is(Code code) const { return code_ == code; }
  const std::string& message() const { return message_; }

  // "not_found: no such file /x". For logs and errors shown to people.
  std::string to_string() const;

  // The same code, with "context: " put before the message.
  Status with_context(std::string_view context) const;

  // States in the code that an error is deliberately not acted upon. Say why beside it.
  void ignore() const {}

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

// A T, or the Status that explains why there is none. Never holds an OK status without a value.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    DRUMLIN_CHECK(!status_.ok());
  }
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Code code, std::string message) : status_(code, std::move(message)) {
    DRUMLIN_CHECK(code != Code::kOk);
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  Code code() const { return status_.code(); }
  bool is(Code code) const { return status_.is(code); }

  T& value() & {
    check_ok();
    return *value_;
  }
  const T& value() const& {
    check_ok();
    return *value_;
  }
  T value() && {  // not T&&: a reference bound to f().value() lives on
    check_ok();
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void check_ok() const {
    if (!value_.has_value()) [[unlikely]] {
      check_failed(__FILE__, __LINE__, "result.ok()", status_.to_string());
    }
  }
  Status status_;
  std::optional<T> value_;
};

}  // namespace drumlin

// Returns from the enclosing function (which returns Status or a Result) if `expr` is not OK.
#define DRUMLIN_TRY(expr)                              \
  do {                                                 \
    ::drumlin::Status drumlin_status_ = (expr);        \
    if (!drumlin_status_.ok()) return drumlin_status_; \
  } while (false)

// DRUMLIN_ASSIGN(auto x, f()): x = the value of f(), or return its status.
#define DRUMLIN_ASSIGN(decl, expr) \
  DRUMLIN_ASSIGN_IMPL_(DRUMLIN_CONCAT_(drumlin_result_, __LINE__), decl, expr)
#define DRUMLIN_ASSIGN_IMPL_(tmp, decl, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) return tmp.status();         \
  decl = std::move(tmp).value()
#define DRUMLIN_CONCAT_(a, b) DRUMLIN_CONCAT2_(a, b)
#define DRUMLIN_CONCAT2_(a, b) a##b
