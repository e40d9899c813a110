// The Range header, as S3 takes it: one range of bytes. Anything else (another unit, several
// ranges, broken syntax) is ignored, as RFC 9110 allows, and the whole object is the answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "router/store.h"

namespace drumlin::s3 {

std::optional<router::ByteRange> parse_range(std::string_view header);

// Bytes [first, first + count) of an object.
struct Span {
  uint64_t first = 0;
  uint64_t count = 0;
  bool operator==(const Span&) const = default;
};

// Nothing if the range cannot be satisfied: it begins past the end, or asks for the last 0 bytes.
std::optional<Span> resolve(const router::ByteRange& range, uint64_t size);

}  // namespace drumlin::s3
