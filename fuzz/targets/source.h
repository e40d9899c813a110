// Source: values out of a fuzzer's bytes, for targets that build something valid from them. When
// the bytes have run out there are zeros and empty strings: every input means something.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace drumlin::fuzz {

class Source {
 public:
  explicit Source(std::string_view bytes) : bytes_(bytes) {}

  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto out = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    return out;
  }
  // One to three bytes: mostly small, large if asked for.
  uint64_t number() {
    const uint8_t first = byte();
    if (first < 0xf0) return first;
    const uint64_t second = byte();
    if (first < 0xfc) return second << (8 * (first & 7));
    return UINT64_MAX - second;
  }
  uint64_t below(uint64_t n) { return number() % n; }
  bool flag() { return (byte() & 1) != 0; }
  // A length, then so many bytes as far as they are there.
  std::string_view text(size_t max = SIZE_MAX) {
    const size_t n = std::min({static_cast<size_t>(number()), max, bytes_.size()});
    return take(n);
  }
  std::string string(size_t max = SIZE_MAX) { return std::string(text(max)); }
  std::string_view rest() { return take(bytes_.size()); }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view take(size_t n) {
    const std::string_view out = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return out;
  }
  std::string_view bytes_;
};

}  // namespace drumlin::fuzz
