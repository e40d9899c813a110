// Dates of HTTP (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT", whole seconds. No clock is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace drumlin::http {

// Always the IMF-fixdate form; fractions of a second are cut off (towards the past).
std::string format_date(WallTime time);

// Accepts the three forms that a recipient must: IMF-fixdate, RFC 850 (two-digit years 70..99 are of
// the 20th century), asctime. Nothing for anything else, and for days that do not exist.
std::optional<WallTime> parse_date(std::string_view text);

}  // namespace drumlin::http
