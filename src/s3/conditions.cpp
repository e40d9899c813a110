#include "s3/conditions.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "base/codec.h"
#include "base/digest.h"
#include "http/date.h"
#include "s3/operations.h"

namespace drumlin::s3 {
namespace {

std::string unquoted(std::string_view tag) {
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') {
    tag = tag.substr(1, tag.size() - 2);
  }
  return std::string(tag);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// The entity tags of all headers of that name, bare or quoted; an ETag of ours holds neither comma nor
// quote. A weak one comes as it was sent, and so equals none of ours: If-None-Match looks behind that.
std::vector<std::string> tags_of(const http::Headers& headers, std::string_view name) {
  std::vector<std::string> out;
  for (std::string_view value : headers.all(name)) {
    do {
      const size_t comma = std::min(value.find(','), value.size());
      out.push_back(unquoted(trim(value.substr(0, comma))));
      value.remove_prefix(std::min(comma + 1, value.size()));
    } while (!value.empty());
  }
  return out;
}

// RFC 9110, 13.1.1 and 13.1.2: If-Match compares strongly, If-None-Match weakly.
bool lists(const std::vector<std::string>& tags, std::string_view etag, bool weakly) {
  return std::any_of(tags.begin(), tags.end(), [&](std::string_view tag) {
    if (tag == "*") return true;
    if (weakly && tag.starts_with("W/")) return unquoted(tag.substr(2)) == etag;
    return tag == etag;
  });
}

std::optional<WallTime> date_of(const http::Headers& headers, std::string_view name) {
  const auto text = headers.find(name);
  return text.has_value() ? http::parse_date(*text) : std::nullopt;
}

}  // namespace

Condition evaluate(const http::Headers& headers, std::string_view etag, WallTime modified) {
  const WallTime seconds(std::chrono::floor<std::chrono::seconds>(modified.time_since_epoch()));
  if (headers.has("If-Match")) {
    if (!lists(tags_of(headers, "If-Match"), etag, false)) return Condition::kFailed;
  } else if (const auto since = date_of(headers, "If-Unmodified-Since")) {
    if (seconds > *since) return Condition::kFailed;
  }
  if (headers.has("If-None-Match")) {
    if (lists(tags_of(headers, "If-None-Match"), etag, true)) return Condition::kNotModified;
  } else if (const auto since = date_of(headers, "If-Modified-Since")) {
    if (seconds <= *since) return Condition::kNotModified;
  }
  return Condition::kHolds;
}

bool range_applies(const http::Headers& headers, std::string_view etag, WallTime modified) {
  const auto text = headers.find("If-Range");
  if (!text.has_value()) return true;
  if (const auto date = http::parse_date(trim(*text))) {
    return *date == WallTime(std::chrono::floor<std::chrono::seconds>(modified.time_since_epoch()));
  }
  return unquoted(trim(*text)) == etag;
}

namespace {

Outcome<std::optional<WallTime>> modified_time(std::string_view name,
                                               std::optional<std::string_view> text) {
  if (!text.has_value()) return std::optional<WallTime>();
  const auto time = http::parse_date(*text);
  if (!time.has_value()) {
    return invalid_argument("The value of " + std::string(name) + " is not a date.", name, *text);
  }
  return time;
}

Outcome<std::optional<uint64_t>> whole_number(std::string_view name,
                                              std::optional<std::string_view> text) {
  if (!text.has_value()) return std::optional<uint64_t>();
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (text->empty() || error != std::errc() || end != text->data() + text->size()) {
    return invalid_argument("The value of " + std::string(name) + " is not a number.", name, *text);
  }
  return std::optional<uint64_t>(value);
}

void match(std::vector<std::string> tags, shard::Precondition& when) {
  for (std::string& tag : tags) {
    if (tag == "*") {
      when.present = true;
    } else {
      when.etags.push_back(std::move(tag));
    }
  }
  if (when.present) when.etags.clear();  // any tag will do
}

}  // namespace

Outcome<shard::Precondition> put_condition(const http::Headers& headers) {
  shard::Precondition when;
  if (headers.has("If-None-Match")) {
    // As at Amazon: only the question whether there is one at all.
    if (tags_of(headers, "If-None-Match") != std::vector<std::string>{"*"} ||
        headers.has("If-Match")) {
      return header_not_implemented("If-None-Match");
    }
    when.absent = true;
  } else if (headers.has("If-Match")) {
    match(tags_of(headers, "If-Match"), when);
  }
  return when;
}

Outcome<shard::Precondition> delete_condition(const http::Headers& headers) {
  shard::Precondition when;
  if (headers.has("If-Match")) match(tags_of(headers, "If-Match"), when);
  DRUMLIN_S3_ASSIGN(when.size, whole_number(kIfMatchSize, headers.find(kIfMatchSize)));
  DRUMLIN_S3_ASSIGN(when.modified, modified_time(kIfMatchTime, headers.find(kIfMatchTime)));
  return when;
}

Outcome<shard::Precondition> delete_condition(std::optional<std::string_view> etag,
                                              std::optional<std::string_view> size,
                                              std::optional<std::string_view> modified) {
  shard::Precondition when;
  if (etag.has_value()) match({unquoted(trim(*etag))}, when);
  DRUMLIN_S3_ASSIGN(when.size, whole_number("Size", size));
  DRUMLIN_S3_ASSIGN(when.modified, modified_time("LastModifiedTime", modified));
  return when;
}

shard::RequestDigest request_digest(const Request& request, std::string_view key,
                                    const shard::Precondition& when, std::string_view content) {
  const http::Headers& headers = request.head.headers;
  std::string_view id = headers.get(kRequestIdHeader);
  if (id.empty() && when.any()) id = headers.get("amz-sdk-invocation-id");
  if (id.empty()) return {};
  std::string all;
  Writer writer(all);
  const auto flag = [](bool b) { return static_cast<uint8_t>(b ? 1 : 0); };
  for (std::string_view each :
       {std::string_view(request.auth.access_key), id, std::string_view(request.head.method),
        std::string_view(request.target.bucket), key, content}) {
    writer.bytes(each);
  }
  writer.u8(flag(when.absent));
  writer.u8(flag(when.present));
  for (const std::string& tag : when.etags)
    writer.bytes(tag);
  writer.u8(flag(when.size.has_value()));
  writer.u64(when.size.value_or(0));
  writer.u8(flag(when.modified.has_value()));
  writer.i64(unix_nanos(when.modified.value_or(WallTime{})));
  const Sha256Digest digest = sha256(all);
  Reader reader(as_view(digest));
  shard::RequestDigest out;
  out.high = reader.u64();
  out.low = reader.u64();
  return out;
}

Error refused(const router::Written& written, std::string_view key, std::string_view condition) {
  Error error =
      written.outcome == router::Written::Outcome::kNothingToMatch
          ? Error(ErrorCode::kNoSuchKey).with("Key", std::string(key))
          : Error(ErrorCode::kPreconditionFailed).with("Condition", std::string(condition));
  error.headers.append(kVersionHeader, std::to_string(written.version));
  return error;
}

std::string_view condition_name(const shard::Precondition& when) {
  if (when.absent) return "If-None-Match";
  if (when.present || !when.etags.empty()) return "If-Match";
  return when.size ? kIfMatchSize : kIfMatchTime;
}

}  // namespace drumlin::s3
