// If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since of a GET or HEAD (RFC
// 9110, 13.2.2).
#pragma once

#include <string_view>

#include "base/time.h"
#include "http/message.h"

namespace drumlin::s3 {

enum class Condition : unsigned char { kHolds, kNotModified, kFailed };

// `etag` without quotes. Dates compare in whole seconds, as they are sent; a date that cannot be
// read is no condition.
Condition evaluate(const http::Headers& headers, std::string_view etag, WallTime modified);

}  // namespace drumlin::s3
