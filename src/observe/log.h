// Structured log: one JSON object a line, {"ts","level","node","area","msg",fields...}. The sink is
// handed in (host: standard error; simulation: the run's log). Messages are constant strings, all that
// varies goes into fields. Never log a secret, a signature or a body.
//
// A line is written at once, and whoever reads the sink may be slow, so there is a limit to what strangers can make
// a node say: so many lines a second of each level. What is beyond is counted, and the count is a line of its own in
// a later second.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/strong_id.h"
#include "runtime/clock.h"

namespace drumlin::observe {

enum class Level : unsigned char { kDebug, kInfo, kWarn, kError };

// "debug" | "info" | "warn" | "error"; false for anything else.
bool parse_level(std::string_view text, Level& out);

// Takes one finished line without its newline. Must not suspend.
using LogSink = std::function<void(Level, std::string_view line)>;

struct Field {
  using Value = std::variant<int64_t, uint64_t, double, bool, std::string_view>;
  template <typename T>
  Field(std::string_view field_name, const T& v) : name(field_name), value(convert(v)) {}
  std::string_view name;
  Value value;

 private:
  template <typename T>
  static Value convert(const T& v) {
    if constexpr (std::is_same_v<T, bool>) {
      return v;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<double>(v);
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      return static_cast<int64_t>(v);
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<uint64_t>(v);
    } else if constexpr (requires { v.value(); }) {
      return static_cast<uint64_t>(v.value());
    } else {
      return std::string_view(v);  // must outlive the full expression, as literals and locals do
    }
  }
};

class Log {
 public:
  // `lines_per_s`: of each level; 0: any number.
  Log(Clock& clock, NodeId node, Level level, LogSink sink, uint32_t lines_per_s = 0)
      : clock_(clock),
        node_(node),
        level_(level),
        lines_per_s_(lines_per_s),
        sink_(std::move(sink)) {}

  bool enabled(Level level) const { return level >= level_ && sink_; }
  void write(Level level, std::string_view area, std::string_view message,
             std::initializer_list<Field> fields = {}) const;
  void debug(std::string_view area, std::string_view message,
             std::initializer_list<Field> fields = {}) const {
    write(Level::kDebug, area, message, fields);
  }
  void info(std::string_view area, std::string_view message,
            std::initializer_list<Field> fields = {}) const {
    write(Level::kInfo, area, message, fields);
  }
  void warn(std::string_view area, std::string_view message,
            std::initializer_list<Field> fields = {}) const {
    write(Level::kWarn, area, message, fields);
  }
  void error(std::string_view area, std::string_view message,
             std::initializer_list<Field> fields = {}) const {
    write(Level::kError, area, message, fields);
  }

 private:
  static constexpr size_t kLevels = 4;
  bool take_turn(Level level) const;
  void tell_left_out() const;
  void emit(Level level, std::string_view area, std::string_view message,
            std::initializer_list<Field> fields) const;

  Clock& clock_;
  NodeId node_;
  Level level_;
  uint32_t lines_per_s_;
  LogSink sink_;
  // Logging changes nothing that its callers could see.
  mutable Instant second_{};  // its beginning
  mutable std::array<uint32_t, kLevels> lines_{};
  mutable std::array<uint64_t, kLevels> left_out_{};
};

// "2026-11-24T12:31:05.123Z".
std::string rfc3339(WallTime time);

// What JSON can hold of text from outside: itself if it is UTF-8, else with %XX for what is not ASCII.
std::string json_safe(std::string_view text);

}  // namespace drumlin::observe
