// The faults of a seed's plan; part of generate().
#pragma once

#include "base/rng.h"
#include "sim/plan/plan.h"

namespace drumlin::sim {

// A drawn set of nodes, as bits, that holds a majority of the voters of every shard.
uint32_t draw_core(Rng rng, const Plan& plan);

// Fills plan.faults. REQUIRES: plan.core.
void draw_faults(Rng rng, const Scenario& scenario, Plan& plan);

}  // namespace drumlin::sim
