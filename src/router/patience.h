// Patience: how long to wait for a node's answer before the same is asked of another.
//
// The estimator of TCP's retransmission timer (RFC 6298): the smoothed time of answers and four times its smoothed
// deviation. A fixed time is too short for a node that is alive and busy with large bodies: everything is sent to
// it twice, which makes it slower still.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace drumlin::router {

class Patience {
 public:
  // `shortest`: for a node whose answers come at once. It says nothing about one that is cut off, and another
  // may lead by now.
  constexpr Patience(Duration shortest, Duration longest)
      : shortest_(shortest), longest_(longest) {}

  void answered(Duration took) {
    if (!known_) {
      known_ = true;
      mean_ = took;
      deviation_ = took / 2;
      return;
    }
    const Duration off = took > mean_ ? took - mean_ : mean_ - took;
    deviation_ += (off - deviation_) / 4;
    mean_ += (took - mean_) / 8;
  }

  // Of the attempt after `failures` others, which doubles it each time: an answer that came too late has not been
  // counted.
  Duration attempt(size_t failures) const {
    const Duration usual = std::clamp(mean_ + 4 * deviation_, shortest_, longest_);
    return std::min(longest_, usual * (1 << std::min<size_t>(failures, 4)));
  }

 private:
  Duration shortest_;
  Duration longest_;
  bool known_ = false;
  Duration mean_{0};
  Duration deviation_{0};
};

}  // namespace drumlin::router
