// Writer and Reader: the byte layouts of our own formats (log commands, kv values, WAL records).
//
// Fixed-width integers are little-endian; in keys, where order matters, big-endian (`*_be`).
// Variable-length byte strings carry a u32 length. A Reader never reads past its input: after the
// first short read it is failed for good, returns zeros and empty views, and ok() is false. Check
// once at the end, with done(), which also refuses trailing bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace drumlin {

template <typename T>
inline void store_le(char* out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  }
}
template <typename T>
inline T load_le(const char* in) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<uint64_t>(static_cast<unsigned char>(in[i])) << (8 * i);
  }
  return static_cast<T>(value);
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void u8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u16(uint16_t v) { le(v); }
  void u32(uint32_t v) { le(v); }
  void u64(uint64_t v) { le(v); }
  void i64(int64_t v) { le(static_cast<uint64_t>(v)); }
  void u16_be(uint16_t v) { be(v); }
  void u32_be(uint32_t v) { be(v); }
  void u64_be(uint64_t v) { be(v); }
  void raw(std::string_view bytes) { out_.append(bytes); }
  void bytes(std::string_view b) {  // u32 length, then the bytes
    u32(static_cast<uint32_t>(b.size()));
    raw(b);
  }

 private:
  template <typename T>
  void le(T v) {
    char buf[sizeof(T)];
    store_le(buf, v);
    out_.append(buf, sizeof(T));
  }
  template <typename T>
  void be(T v) {
    for (size_t i = sizeof(T); i-- > 0;)
      u8(static_cast<uint8_t>(v >> (8 * i)));
  }
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  uint8_t u8() { return le<uint8_t>(); }
  uint16_t u16() { return le<uint16_t>(); }
  uint32_t u32() { return le<uint32_t>(); }
  uint64_t u64() { return le<uint64_t>(); }
  int64_t i64() { return static_cast<int64_t>(le<uint64_t>()); }
  uint16_t u16_be() { return be<uint16_t>(); }
  uint32_t u32_be() { return be<uint32_t>(); }
  uint64_t u64_be() { return be<uint64_t>(); }
  std::string_view raw(size_t n) {
    if (!take(n)) return {};
    return in_.substr(pos_ - n, n);
  }
  std::string_view bytes() { return raw(u32()); }
  std::string_view rest() { return raw(remaining()); }

  size_t remaining() const { return in_.size() - pos_; }
  size_t position() const { return pos_; }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && remaining() == 0; }

 private:
  bool take(size_t n) {
    if (!ok_ || n > in_.size() - pos_) {
      ok_ = false;
      return false;
    }
    pos_ += n;
    return true;
  }
  template <typename T>
  T le() {
    if (!take(sizeof(T))) return 0;
    return load_le<T>(in_.data() + pos_ - sizeof(T));
  }
  template <typename T>
  T be() {
    if (!take(sizeof(T))) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      value = (value << 8) | static_cast<unsigned char>(in_[pos_ - sizeof(T) + i]);
    }
    return static_cast<T>(value);
  }
  std::string_view in_;
  size_t pos_ = 0;
  bool ok_ = true;
};

}  // namespace drumlin
