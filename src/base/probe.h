// Probes: a rare branch says that it was taken. A campaign of simulated runs reports the branches that
// no run has reached; nothing else depends on them. In production the sink is null: one compare.
#pragma once

#include <string_view>

namespace drumlin {

class ProbeSink {
 public:
  virtual ~ProbeSink() = default;
  // `name` is "room.what_happened" and stays the same for ever: reports are compared by it. Does not yield.
  virtual void probe(std::string_view name) = 0;
};

inline void probe(ProbeSink* sink, std::string_view name) {
  if (sink != nullptr) sink->probe(name);
}

}  // namespace drumlin
