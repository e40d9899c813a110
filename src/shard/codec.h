// Codec: one list of fields per value serves both directions, so that encoder and decoder cannot
// drift apart. Layouts: little-endian fixed-width integers, u32-counted strings and lists; every stored
// or sent value begins with a format version. Internal to the room.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/codec.h"
#include "base/status.h"
#include "shard/types.h"

namespace drumlin::shard {

inline constexpr uint8_t kFormatVersion = 1;

// Of enumerators that arrive as bytes.
constexpr bool is_valid(BucketState s) {
  return s >= BucketState::kCreating && s <= BucketState::kReopening;
}
constexpr bool is_valid(RowState s) {
  return s >= RowState::kOpen && s <= RowState::kTombstone;
}
constexpr bool is_valid(Code c) {
  return c <= Code::kUnsupported;
}

class Encoder {
 public:
  explicit Encoder(std::string& out) : writer_(out) {}
  template <typename... T>
  void operator()(T&... fields) {
    (put(fields), ...);
  }
  [[noreturn]] static void fail() { DRUMLIN_UNREACHABLE("an enumerator out of range"); }

 private:
  void put(uint8_t v) { writer_.u8(v); }
  void put(bool v) { writer_.u8(v ? 1 : 0); }
  void put(uint32_t v) { writer_.u32(v); }
  void put(uint64_t v) { writer_.u64(v); }
  void put(WallTime v) { writer_.i64(unix_nanos(v)); }
  void put(const std::string& v) { writer_.bytes(v); }
  void put(std::string_view v) { writer_.bytes(v); }
  template <typename A, typename B>
  void put(const std::pair<A, B>& v) {
    put(v.first);
    put(v.second);
  }
  template <typename T>
  void put(const std::vector<T>& v) {
    writer_.u32(static_cast<uint32_t>(v.size()));
    for (const T& item : v)
      put(item);
  }
  template <typename T>
  void put(const std::optional<T>& v) {
    put(v.has_value());
    if (v) put(*v);
  }
  template <typename T>
  requires std::is_enum_v<T>
  void put(T v) { writer_.u8(static_cast<uint8_t>(v)); }
  template <typename T>
  requires std::is_class_v<T>
  void put(const T& v) {
    // fields() takes its value by reference for the decoder's sake; the encoder changes nothing.
    fields(*this, const_cast<T&>(v));
  }
  Writer writer_;
};

// Bounded: a list's length is checked against the bytes that are left, an enumerator against its last.
class Decoder {
 public:
  explicit Decoder(std::string_view in) : reader_(in) {}
  template <typename... T>
  void operator()(T&... fields) {
    (take(fields), ...);
  }
  bool done() const { return valid_ && reader_.done(); }
  void fail() { valid_ = false; }

 private:
  void take(uint8_t& v) { v = reader_.u8(); }
  void take(bool& v) {
    const uint8_t byte = reader_.u8();
    if (byte > 1) fail();
    v = byte == 1;
  }
  void take(uint32_t& v) { v = reader_.u32(); }
  void take(uint64_t& v) { v = reader_.u64(); }
  void take(WallTime& v) { v = WallTime(Duration(reader_.i64())); }
  void take(std::string& v) { v = reader_.bytes(); }
  void take(std::string_view& v) { v = reader_.bytes(); }
  template <typename A, typename B>
  void take(std::pair<A, B>& v) {
    take(v.first);
    take(v.second);
  }
  template <typename T>
  void take(std::vector<T>& v) {
    const uint32_t n = reader_.u32();
    if (n > reader_.remaining()) {  // every item takes at least a byte
      fail();
      return;
    }
    v.clear();
    v.reserve(std::min<size_t>(n, 1024));  // a length that lies must not cost memory
    for (uint32_t i = 0; i < n && reader_.ok() && valid_; ++i)
      take(v.emplace_back());
  }
  template <typename T>
  void take(std::optional<T>& v) {
    bool there = false;
    take(there);
    if (there && valid_) {
      take(v.emplace());
    } else {
      v.reset();
    }
  }
  template <typename T>
  requires std::is_enum_v<T>
  void take(T& v) {
    const uint8_t byte = reader_.u8();
    if (!is_valid(static_cast<T>(byte))) fail();
    v = static_cast<T>(byte);
  }
  template <typename T>
  requires std::is_class_v<T>
  void take(T& v) { fields(*this, v); }
  Reader reader_;
  bool valid_ = true;
};

template <typename T>
std::string encode_value(const T& value) {
  std::string out;
  Writer(out).u8(kFormatVersion);
  Encoder encoder(out);
  fields(encoder, const_cast<T&>(value));
  return out;
}

template <typename T>
Result<T> decode_value(std::string_view bytes, const char* what) {
  if (bytes.empty()) return Status(Code::kCorrupt, std::string("empty ") + what);
  if (static_cast<uint8_t>(bytes[0]) != kFormatVersion) {
    return Status(Code::kUnsupported, std::string("unknown format version of a ") + what);
  }
  T out;
  Decoder decoder(bytes.substr(1));
  fields(decoder, out);
  if (!decoder.done()) return Status(Code::kCorrupt, std::string("malformed ") + what);
  return out;
}

// --- the fields of types.h ---

template <typename A>
void fields(A& a, BodyId& v) {
  a(v.shard, v.index, v.n);
}
template <typename A>
void fields(A& a, ObjectAttributes& v) {
  a(v.etag, v.headers, v.user, v.checksums);
}
template <typename A>
void fields(A& a, ObjectRecord& v) {
  a(v.attributes, v.size, v.version, v.modified, v.body);
}
// A record of a user's bucket has 0x80 in its state, and the owner behind the rest. So root's have the
// bytes that all had before there were users.
template <typename A>
void fields(A& a, Precondition& v) {
  a(v.absent, v.present, v.etags, v.size, v.modified);
}
template <typename A>
void fields(A& a, RequestDigest& v) {
  a(v.high, v.low);
}
template <typename A>
void fields(A& a, BucketRecord& v) {
  constexpr uint8_t kOwned = 0x80;
  auto state = static_cast<uint8_t>(v.state);
  if (v.owner != 0) state |= kOwned;
  a(v.name, v.incarnation, v.partitions, v.epoch, state, v.created);
  const bool owned = (state & kOwned) != 0;
  v.state = static_cast<BucketState>(state & ~kOwned);
  if (owned) a(v.owner);
  if (!is_valid(v.state) || owned != (v.owner != 0)) a.fail();
}
template <typename A>
void fields(A& a, BucketCount& v) {
  a(v.buckets);
}
template <typename A>
void fields(A& a, BucketRow& v) {
  a(v.incarnation, v.epoch, v.state);
}
template <typename A>
void fields(A& a, ListedKey& v) {
  a(v.key, v.common_prefix, v.size, v.version, v.modified, v.etag);
}

}  // namespace drumlin::shard
