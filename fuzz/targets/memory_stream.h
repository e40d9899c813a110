// MemoryStream: a Stream whose other side has already said all that it will say. It never waits, so
// it needs no fiber. Reads give as many bytes as `steps` says, in turn; then the stream ends.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "runtime/network.h"

namespace drumlin::fuzz {

class MemoryStream final : public Stream {
 public:
  // Read i is at most 1 + steps[i mod size] bytes; without steps as much as is wanted.
  explicit MemoryStream(std::string_view in, std::string_view steps = {})
      : in_(in), steps_(steps) {}

  Result<size_t> read_some(std::span<char> into) override {
    DRUMLIN_CHECK(!into.empty());
    size_t n = std::min(into.size(), in_.size());
    if (!steps_.empty()) {
      const auto step = static_cast<unsigned char>(steps_[reads_++ % steps_.size()]);
      n = std::min<size_t>(n, step + size_t{1});
    }
    std::memcpy(into.data(), in_.data(), n);
    in_.remove_prefix(n);
    return n;
  }
  Result<size_t> write_some(std::span<const std::string_view> pieces) override {
    DRUMLIN_CHECK(!pieces.empty() && !pieces[0].empty());
    written_ += pieces[0];
    return pieces[0].size();
  }
  void set_read_deadline(Instant) override {}
  void set_write_deadline(Instant) override {}
  void shutdown_write() override {}
  void close() override {}
  Endpoint peer() const override { return {"10.0.0.2", 1}; }

  const std::string& written() const { return written_; }
  std::string_view unread() const { return in_; }

 private:
  std::string_view in_;
  std::string_view steps_;
  size_t reads_ = 0;
  std::string written_;
};

}  // namespace drumlin::fuzz
