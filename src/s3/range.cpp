#include "s3/range.h"

#include <algorithm>
#include <charconv>

namespace drumlin::s3 {
namespace {

// Digits only; a number beyond 64 bits is as good as the largest one.
std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || !digits) return std::nullopt;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() ? value : UINT64_MAX;
}

}  // namespace

std::optional<router::ByteRange> parse_range(std::string_view header) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first_text = header.substr(0, dash);
  const std::string_view last_text = header.substr(dash + 1);
  router::ByteRange range;
  range.first = parse_number(first_text);
  range.last = parse_number(last_text);
  if (!first_text.empty() && !range.first.has_value()) return std::nullopt;
  if (!last_text.empty() && !range.last.has_value()) return std::nullopt;
  if (!range.first.has_value() && !range.last.has_value()) return std::nullopt;
  if (!range.first.has_value() || !range.last.has_value()) return range;
  // Not one condition: GCC would read both numbers before it asks for them, which valgrind reports.
  return *range.last < *range.first ? std::nullopt : std::optional(range);
}

std::optional<Span> resolve(const router::ByteRange& range, uint64_t size) {
  if (!range.first.has_value()) {
    const uint64_t count = std::min(*range.last, size);
    if (count == 0) return std::nullopt;
    return Span{size - count, count};
  }
  if (*range.first >= size) return std::nullopt;
  const uint64_t last = std::min(range.last.value_or(UINT64_MAX), size - 1);
  return Span{*range.first, last - *range.first + 1};
}

}  // namespace drumlin::s3
