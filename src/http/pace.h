// Pace: how long one direction of a body may wait for the other side.
//
// A step without any progress ends after `stall`. All steps together may wait `stall` longer than the bytes that
// they moved need at `bytes_per_s`: whoever sends a byte every 29 seconds would else hold a request and the memory
// promised to it for days. Only waiting counts, not what our side does between two steps, and a client that was fast
// once may be slow for as long afterwards.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "runtime/clock.h"

namespace drumlin::http {

class Pace {
 public:
  // `bytes_per_s` 0: any rate will do. The clock outlives it.
  Pace(const Clock& clock, Duration stall, uint64_t bytes_per_s)
      : clock_(clock), stall_(stall), bytes_per_s_(bytes_per_s) {}

  // Begins a step; until when it may wait. Does not yield.
  Instant begin() {
    begun_ = clock_.now();
    return after(clock_, std::clamp(credit(), Duration(0), stall_));
  }
  // The step moved `n` bytes.
  void moved(uint64_t n) {
    waited_ += clock_.now() - begun_;
    bytes_ += n;
  }

 private:
  Duration credit() const {
    if (bytes_per_s_ == 0) return stall_;
    return stall_ + std::chrono::seconds(bytes_ / bytes_per_s_) - waited_;
  }
  const Clock& clock_;
  const Duration stall_;
  const uint64_t bytes_per_s_;
  uint64_t bytes_ = 0;
  Duration waited_{0};
  Instant begun_{};
};

}  // namespace drumlin::http
