#include "auth/canonical.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace drumlin::auth {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

// `name` is lower case already.
bool names_equal(std::string_view given, std::string_view name) {
  return given.size() == name.size() && std::equal(given.begin(), given.end(), name.begin(),
                                                   [](char a, char b) { return lower(a) == b; });
}

void append_folded(std::string& out, std::string_view value) {
  bool gap = false;
  bool any = false;
  for (char c : value) {
    if (is_space(c)) {
      gap = any;
      continue;
    }
    if (gap) out.push_back(' ');
    gap = false;
    any = true;
    out.push_back(c);
  }
}

bool parse_digits(std::string_view text, int& out) {
  out = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + (c - '0');
  }
  return true;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = lower(c);
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t from = 0;
  for (;;) {
    const size_t at = text.find(separator, from);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(from, at - from));
    from = at + 1;
  }
  parts.push_back(text.substr(from));
  return parts;
}

std::string canonical_query(std::string_view query, std::string_view without) {
  std::vector<std::pair<std::string_view, std::string_view>> parameters;
  for (std::string_view part : split(query, '&')) {
    if (part.empty()) continue;
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = part.substr(0, equals);
    if (!without.empty() && name == without) continue;
    parameters.emplace_back(name, part.substr(std::min(equals + 1, part.size())));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out.push_back('&');
    out.append(name).append("=").append(value);
  }
  return out;
}

std::optional<std::string> canonical_headers(std::span<const HeaderView> headers,
                                             std::span<const std::string_view> signed_headers) {
  std::string out;
  for (std::string_view name : signed_headers) {
    bool found = false;
    for (const HeaderView& header : headers) {
      if (!names_equal(header.name, name)) continue;
      if (!found) out.append(name).push_back(':');
      if (found) out.push_back(',');
      append_folded(out, header.value);
      found = true;
    }
    if (!found) return std::nullopt;
    out.push_back('\n');
  }
  return out;
}

std::string canonical_request(const CanonicalRequest& request, std::string_view without_parameter) {
  const size_t mark = std::min(request.target.find('?'), request.target.size());
  const std::string_view query = request.target.substr(std::min(mark + 1, request.target.size()));
  std::string out;
  out.append(request.method).append("\n");
  out.append(request.target.substr(0, mark)).append("\n");
  out.append(canonical_query(query, without_parameter)).append("\n");
  out.append(request.headers).append("\n");
  out.append(request.signed_headers).append("\n");
  out.append(request.payload);
  return out;
}

std::string format_amz_date(WallTime time) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace)
  const auto whole = floor<seconds>(time.time_since_epoch());
  const auto day = floor<days>(whole);
  const year_month_day date{sys_days(day)};
  const hh_mm_ss clock(whole - day);
  char text[48];
  std::snprintf(text, sizeof(text), "%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::optional<WallTime> parse_amz_date(std::string_view text) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace)
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  if (!parse_digits(text.substr(0, 4), y) || !parse_digits(text.substr(4, 2), mo) ||
      !parse_digits(text.substr(6, 2), d) || !parse_digits(text.substr(9, 2), h) ||
      !parse_digits(text.substr(11, 2), mi) || !parse_digits(text.substr(13, 2), s)) {
    return std::nullopt;
  }
  const year_month_day date(year(y), month(static_cast<unsigned>(mo)),
                            day(static_cast<unsigned>(d)));
  // Years that nanoseconds in 64 bits can hold.
  if (!date.ok() || y < 1970 || y > 2200 || h > 23 || mi > 59 || s > 59) return std::nullopt;
  return WallTime(sys_days(date).time_since_epoch() + hours(h) + minutes(mi) + seconds(s));
}

}  // namespace drumlin::auth
