#include "observe/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace drumlin::observe {
namespace {

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

std::string raw_quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}
std::string quoted(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), is_ascii)) return raw_quoted(text);
  return raw_quoted(json_safe(text));
}

std::string shown(const Field::Value& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string_view>) {
          return quoted(v);
        } else {
          return fmt::format("{}", v);
        }
      },
      value);
}

}  // namespace

std::string json_safe(std::string_view text) {
  boost::json::error_code not_utf8;
  (void)boost::json::parse(raw_quoted(text), not_utf8);
  if (!not_utf8) return std::string(text);
  std::string out;
  for (const char c : text)
    out += is_ascii(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

bool parse_level(std::string_view text, Level& out) {
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (kLevelNames[i] == text) {
      out = static_cast<Level>(i);
      return true;
    }
  }
  return false;
}

void Log::write(Level level, std::string_view area, std::string_view message,
                std::initializer_list<Field> fields) const {
  if (enabled(level) && take_turn(level)) emit(level, area, message, fields);
}

bool Log::take_turn(Level level) const {
  if (lines_per_s_ == 0) return true;
  if (clock_.now() - second_ >= 1s) {
    second_ = clock_.now();
    lines_ = {};
    tell_left_out();
  }
  const auto l = static_cast<size_t>(level);
  if (lines_[l] < lines_per_s_) {
    ++lines_[l];
    return true;
  }
  ++left_out_[l];
  return false;
}

void Log::tell_left_out() const {
  for (size_t l = 0; l < kLevels; ++l) {
    const uint64_t lines = std::exchange(left_out_[l], 0);
    if (lines == 0) continue;
    emit(Level::kWarn, "log", "lines were left out", {{"of", kLevelNames[l]}, {"lines", lines}});
  }
}

void Log::emit(Level level, std::string_view area, std::string_view message,
               std::initializer_list<Field> fields) const {
  std::string line = fmt::format(R"({{"ts":"{}","level":"{}","node":{},"area":"{}","msg":{})",
                                 rfc3339(clock_.wall()), kLevelNames[static_cast<size_t>(level)],
                                 node_.value(), area, quoted(message));
  for (const Field& field : fields) {
    line += fmt::format(R"(,"{}":{})", field.name, shown(field.value));
  }
  line += '}';
  sink_(level, line);
}

std::string rfc3339(WallTime time) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace)
  const sys_time<nanoseconds> point{time.time_since_epoch()};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<milliseconds>(point - day)};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace drumlin::observe
