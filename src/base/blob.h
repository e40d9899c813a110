// Blob: immutable bytes with shared ownership. A body or log entry is allocated once and then shared
// by the Raft log cache, the write-ahead log's queue and the messages that carry it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace drumlin {

class Blob {
 public:
  Blob() = default;  // empty
  explicit Blob(std::string bytes)
      : bytes_(bytes.empty() ? nullptr : std::make_shared<const std::string>(std::move(bytes))) {}

  std::string_view view() const { return bytes_ ? std::string_view(*bytes_) : std::string_view(); }
  size_t size() const { return bytes_ ? bytes_->size() : 0; }
  bool empty() const { return !bytes_; }
  bool operator==(const Blob& other) const { return view() == other.view(); }

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace drumlin
