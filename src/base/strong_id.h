// Strong ids: numbers that must never be mixed up get types of their own.
//
//   using Term = StrongId<struct TermTag>;      // Term + 1 is a Term; Term vs LogIndex won't compile
//
// An id is a plain unsigned 64-bit number: ordered, hashable, printable, zero by default.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace drumlin {

template <typename Tag>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }
  constexpr auto operator<=>(const StrongId&) const = default;

  constexpr StrongId operator+(uint64_t n) const { return StrongId(value_ + n); }
  constexpr StrongId operator-(uint64_t n) const { return StrongId(value_ - n); }
  constexpr uint64_t operator-(StrongId other) const { return value_ - other.value_; }
  constexpr StrongId& operator++() {
    ++value_;
    return *this;
  }

  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << id.value_; }
  std::string to_string() const { return std::to_string(value_); }

 private:
  uint64_t value_ = 0;
};

using Term = StrongId<struct TermTag>;          // Raft term; 0 = before any election
using LogIndex = StrongId<struct LogIndexTag>;  // position in a group's log; first entry is 1
using GroupId = StrongId<struct GroupIdTag>;    // Raft group; shard s is group s
using NodeId = StrongId<struct NodeIdTag>;      // configured by the operator, 1-based; 0 = none
using Lsn = StrongId<struct LsnTag>;            // byte position in a node's write-ahead log

}  // namespace drumlin

template <typename Tag>
struct std::hash<drumlin::StrongId<Tag>> {
  size_t operator()(drumlin::StrongId<Tag> id) const noexcept {
    return std::hash<uint64_t>()(id.value());
  }
};
