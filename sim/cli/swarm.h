// Swarm: many seeds, several at a time; a line of JSON a run, a summary last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/cli/children.h"
#include "sim/plan/plan.h"

namespace drumlin::sim {

struct SwarmOptions {
  uint64_t first = 1;
  uint64_t last = 0;            // inclusive; ignored with `for_s`
  std::optional<double> for_s;  // seeds from `first` on until the time is over
  size_t jobs = 1;
  uint64_t shard = 1, shards = 1;  // takes every seed that is `shard` - 1 modulo `shards`
  std::string out;                 // where failing plans go
  bool stop_at_failure = false;
  Limits limits;
};

// The exit code: that of the gravest outcome.
int swarm(const Scenario& scenario, const SwarmOptions& options);

}  // namespace drumlin::sim
