#include "http/date.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace drumlin::http {
namespace {

namespace chrono = std::chrono;

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<unsigned> number(std::string_view text, size_t max_digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > max_digits || error != std::errc() ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<unsigned> month_of(std::string_view text) {
  for (unsigned i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i] == text) return i + 1;
  }
  return std::nullopt;
}

// "08:49:37" as seconds of the day; 60 is a leap second.
std::optional<unsigned> time_of_day(std::string_view text) {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto h = number(text.substr(0, 2), 2);
  const auto m = number(text.substr(3, 2), 2);
  const auto s = number(text.substr(6, 2), 2);
  if (!h || !m || !s || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
  return *h * 3600 + *m * 60 + *s;
}

std::optional<WallTime> assemble(std::string_view day, std::string_view month,
                                 std::string_view year_text, std::string_view time) {
  const auto d = number(day, 2);
  const auto m = month_of(month);
  auto y = number(year_text, 4);
  const auto seconds = time_of_day(time);
  if (!d || !m || !y || !seconds) return std::nullopt;
  if (year_text.size() == 2) *y += *y >= 70 ? 1900 : 2000;
  if (*y < 1678 || *y > 2261) return std::nullopt;  // what nanoseconds in 64 bits can hold
  const chrono::year_month_day date(chrono::year(static_cast<int>(*y)), chrono::month(*m),
                                    chrono::day(*d));
  if (!date.ok()) return std::nullopt;
  const auto since_epoch = chrono::sys_days(date).time_since_epoch();
  return WallTime(Duration(since_epoch) + chrono::seconds(*seconds));
}

}  // namespace

std::string format_date(WallTime time) {
  const auto seconds = chrono::floor<chrono::seconds>(time.time_since_epoch());
  const auto days = chrono::floor<chrono::days>(seconds);
  const chrono::sys_days day_point(days);
  const chrono::year_month_day date(day_point);
  const auto rest = static_cast<unsigned>((seconds - days).count());
  char text[40];
  const int n = std::snprintf(
      text, sizeof(text), "%s, %02u %s %04d %02u:%02u:%02u GMT",
      kDays[chrono::weekday(day_point).c_encoding()].data(), static_cast<unsigned>(date.day()),
      kMonths[static_cast<unsigned>(date.month()) - 1].data(), static_cast<int>(date.year()),
      rest / 3600, rest / 60 % 60, rest % 60);
  return std::string(text, static_cast<size_t>(n));
}

std::optional<WallTime> parse_date(std::string_view text) {
  std::array<std::string_view, 6> words;
  size_t count = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(" ,-", at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find_first_of(" ,-", begin), text.size());
    if (count == words.size()) return std::nullopt;
    words[count++] = text.substr(begin, at - begin);
  }
  if (count == 6 && words[5] == "GMT") return assemble(words[1], words[2], words[3], words[4]);
  if (count == 5) return assemble(words[2], words[1], words[4], words[3]);
  return std::nullopt;
}

}  // namespace drumlin::http
