// check-determinism: the same plan must be the same run, event for event: again in another process, and
// with another build of the simulator.
#pragma once

#include <cstdint>
#include <string>

#include "sim/cli/children.h"
#include "sim/plan/plan.h"

namespace drumlin::sim {

// Writes a run's whole trace, one event a line, to `path`. Returns the report.
Report run_with_trace(const Plan& plan, const std::string& path);

struct DeterminismOptions {
  uint64_t first = 1;
  uint64_t last = 1;
  size_t jobs = 1;
  std::string other;  // another drumlin-sim to compare with; empty: only this one, twice
  Limits limits;
};

// Prints a line of JSON a seed and a summary. kExitHeld, kExitNotDeterministic (the first event that
// differs is named), or what a run ended with.
int check_determinism(const Scenario& scenario, const DeterminismOptions& options);

}  // namespace drumlin::sim
