#include "s3/conditions.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "http/date.h"

namespace drumlin::s3 {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// A list of entity tags, bare or quoted, weak or not; an ETag of ours holds neither comma nor
// quote.
bool lists(std::string_view header, std::string_view etag) {
  while (!header.empty()) {
    const size_t comma = std::min(header.find(','), header.size());
    std::string_view item = trim(header.substr(0, comma));
    header.remove_prefix(std::min(comma + 1, header.size()));
    if (item == "*") return true;
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item.size() >= 2 && item.front() == '"' && item.back() == '"') {
      item = item.substr(1, item.size() - 2);
    }
    if (item == etag) return true;
  }
  return false;
}

std::optional<WallTime> date_of(const http::Headers& headers, std::string_view name) {
  const auto text = headers.find(name);
  return text.has_value() ? http::parse_date(*text) : std::nullopt;
}

}  // namespace

Condition evaluate(const http::Headers& headers, std::string_view etag, WallTime modified) {
  const WallTime seconds(std::chrono::floor<std::chrono::seconds>(modified.time_since_epoch()));
  if (const auto match = headers.find("If-Match")) {
    if (!lists(*match, etag)) return Condition::kFailed;
  } else if (const auto since = date_of(headers, "If-Unmodified-Since")) {
    if (seconds > *since) return Condition::kFailed;
  }
  if (const auto none = headers.find("If-None-Match")) {
    if (lists(*none, etag)) return Condition::kNotModified;
  } else if (const auto since = date_of(headers, "If-Modified-Since")) {
    if (seconds <= *since) return Condition::kNotModified;
  }
  return Condition::kHolds;
}

}  // namespace drumlin::s3
