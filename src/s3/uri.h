// What a request line names: bucket, key and query, path style. Bytes as sent go in, decoded bytes
// come out; a path is never normalised ("..", "//" and a trailing slash are parts of a key like any
// other).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "s3/errors.h"

namespace drumlin::s3 {

inline constexpr size_t kMaxKeyBytes = 1024;

// Decoded parameters, in order of arrival. "k" and "k=" are the same.
class Query {
 public:
  void add(std::string name, std::string value) {
    items_.emplace_back(std::move(name), std::move(value));
  }
  bool has(std::string_view name) const { return find(name).has_value(); }
  std::optional<std::string_view> find(std::string_view name) const;  // the first of that name
  std::string_view get(std::string_view name) const;                  // the first, or empty
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

struct Target {
  std::string bucket;  // empty: the service itself
  std::string key;     // empty: the bucket itself; "/b" and "/b/" are the same
  Query query;
};

// kInvalidUri: no leading slash, a broken %-escape, a key that is not UTF-8 or holds a NUL.
// kKeyTooLong. kInvalidBucketName.
Outcome<Target> parse_target(std::string_view raw);

// Nothing if an escape is broken. `plus_is_space`: as in queries.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// For encoding-type=url: all but unreserved characters and '/'.
std::string percent_encode(std::string_view text);

bool valid_utf8(std::string_view text);

// The rules for general purpose buckets.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
bool valid_bucket_name(std::string_view name);

}  // namespace drumlin::s3
