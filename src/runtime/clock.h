// Clock: all the time that a node may know. Both clocks stand still while a fiber runs between two
// suspension points, so behaviour repeats.
#pragma once

#include "base/time.h"
#include "runtime/timer.h"

namespace drumlin {

class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic; never steps. Timers and deadlines live on it.
  virtual Instant now() const = 0;
  // Wall time; may step either way. Reaches replicated state only inside log entries.
  virtual WallTime wall() const = 0;
  // Calls timer.fire() on the reactor once now() >= at (at once, not recursively, if already so).
  // Re-arms an armed timer. kNever disarms it.
  virtual void arm(Timer& timer, Instant at) = 0;
};

// A deadline `d` from now, saturating.
inline Instant after(const Clock& clock, Duration d) {
  const Instant now = clock.now();
  return d >= kNever - now ? kNever : now + d;
}

}  // namespace drumlin
