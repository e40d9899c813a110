// Chaos: what a simulated run may do inside a node, at points that the node's code offers (after
// FoundationDB's BUGGIFY): take the rare branch, shrink a buffer, a batch or a timeout, wait between two
// steps. In production there is none, and every point is one compare with null.
//
// A point must be legal: what it makes happen could happen without it. It is named "room.what" and reached
// through Runtime::buggify(); a run decides by name, of its seed, which points are active, so that a new
// point changes nothing at the others.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/probe.h"

namespace drumlin {

class Chaos : public ProbeSink {
 public:
  // Should the point act this time? Does not yield.
  virtual bool strikes(std::string_view point) = 0;
  // Uniform in [low, high], for a point that has struck.
  virtual uint64_t draw(std::string_view point, uint64_t low, uint64_t high) = 0;
};

}  // namespace drumlin
