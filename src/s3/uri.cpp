#include "s3/uri.h"

#include <algorithm>
#include <array>

namespace drumlin::s3 {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

bool is_unreserved(char c) {
  return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

// Four numbers with dots between: "192.168.5.4".
bool looks_like_ipv4(std::string_view name) {
  int groups = 1;
  for (char c : name) {
    if (c == '.') {
      ++groups;
    } else if (!is_digit(c)) {
      return false;
    }
  }
  return groups == 4;
}

// One character at the head of `text`: its length, or 0 if it is not well-formed (RFC 3629: no
// overlong forms, no surrogates, nothing above U+10FFFF).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t n = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4 || text.size() < n) return 0;
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return n;
}

Check parse_query(std::string_view text, Query& out) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.empty()) continue;
    const size_t equals = std::min(part.find('='), part.size());
    auto name = percent_decode(part.substr(0, equals), true);
    auto value = percent_decode(part.substr(std::min(equals + 1, part.size())), true);
    if (!name.has_value() || !value.has_value()) return ErrorCode::kInvalidUri;
    out.add(std::move(*name), std::move(*value));
  }
  return good();
}

}  // namespace

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const auto& [key, value] : items_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string_view Query::get(std::string_view name) const {
  return find(name).value_or(std::string_view());
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i] == '+' && plus_is_space ? ' ' : text[i]);
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (is_unreserved(c) || c == '/') {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t n = utf8_length(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

bool valid_bucket_name(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kPrefixes = {"xn--", "sthree-", "amzn-s3-demo-"};
  static constexpr std::array<std::string_view, 5> kSuffixes = {"-s3alias", "--ol-s3", ".mrap",
                                                                "--x-s3", "--table-s3"};
  if (name.size() < 3 || name.size() > 63 || looks_like_ipv4(name)) return false;
  const auto letter_or_digit = [](char c) { return is_lower(c) || is_digit(c); };
  if (!letter_or_digit(name.front()) || !letter_or_digit(name.back())) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (!letter_or_digit(name[i]) && name[i] != '-' && name[i] != '.') return false;
    if (i > 0 && name[i] == '.' && name[i - 1] == '.') return false;
  }
  return std::none_of(kPrefixes.begin(), kPrefixes.end(),
                      [&](std::string_view p) { return name.starts_with(p); }) &&
         std::none_of(kSuffixes.begin(), kSuffixes.end(),
                      [&](std::string_view s) { return name.ends_with(s); });
}

Outcome<Target> parse_target(std::string_view raw) {
  if (raw.empty() || raw.front() != '/') return ErrorCode::kInvalidUri;
  Target target;
  const size_t mark = std::min(raw.find('?'), raw.size());
  DRUMLIN_S3_TRY(parse_query(raw.substr(std::min(mark + 1, raw.size())), target.query));
  const std::string_view path = raw.substr(1, mark - 1);
  const size_t slash = std::min(path.find('/'), path.size());
  auto bucket = percent_decode(path.substr(0, slash), false);
  auto key = percent_decode(path.substr(std::min(slash + 1, path.size())), false);
  if (!bucket.has_value() || !key.has_value()) return ErrorCode::kInvalidUri;
  if (bucket->empty() && !key->empty()) return ErrorCode::kInvalidBucketName;
  if (!bucket->empty() && !valid_bucket_name(*bucket)) {
    return Error(ErrorCode::kInvalidBucketName).with("BucketName", *bucket);
  }
  if (!valid_utf8(*key) || key->find('\0') != std::string::npos) return ErrorCode::kInvalidUri;
  if (key->size() > kMaxKeyBytes) {
    return Error(ErrorCode::kKeyTooLong)
        .with("Size", std::to_string(key->size()))
        .with("MaxSizeAllowed", std::to_string(kMaxKeyBytes));
  }
  target.bucket = std::move(*bucket);
  target.key = std::move(*key);
  return target;
}

}  // namespace drumlin::s3
