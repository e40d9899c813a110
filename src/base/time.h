// Time types. Monotonic and wall time never mix; both are read only from runtime/clock.h.
#pragma once

#include <chrono>
#include <cstdint>

namespace drumlin {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): 100ms, 3s everywhere

using Duration = std::chrono::nanoseconds;

struct MonotonicTag {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
};
struct WallTag {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
};

// Monotonic time of one node, from an arbitrary origin. For timers and deadlines only.
using Instant = std::chrono::time_point<MonotonicTag, Duration>;
// Nanoseconds since the Unix epoch. Reaches replicated state only inside log entries.
using WallTime = std::chrono::time_point<WallTag, Duration>;

// "No deadline". Adding to it overflows: compare with it first.
inline constexpr Instant kNever = Instant::max();

constexpr int64_t to_ms(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}
constexpr int64_t to_us(Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}
constexpr double to_seconds(Duration d) {
  return static_cast<double>(d.count()) * 1e-9;
}
constexpr int64_t unix_nanos(WallTime t) {
  return t.time_since_epoch().count();
}

}  // namespace drumlin
