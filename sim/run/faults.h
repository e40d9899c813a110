// FaultDriver: makes a plan's faults happen at their times.
#pragma once

#include "sim/cluster/cluster.h"
#include "sim/plan/plan.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {

class FaultDriver {
 public:
  FaultDriver(World& world, const Plan& plan, Cluster& cluster);

  // Schedules all of them, counted from now.
  void schedule();
  // Ends what lasts: partitions, latencies, armed crashes. Everything runs again, but for the spare node
  // (0: none), which has no power until somebody boots it.
  void heal(uint32_t spare);
  void cut_all_power();

 private:
  void strike(const Fault& fault);
  void arm(const Fault& fault);
  void power_lost(uint32_t node);
  void boot_in(uint32_t delay_ms, uint32_t node);
  void end_partitions();
  void restart(uint32_t node);
  SimNetwork::Hosts members(uint32_t bits, bool in) const;

  World& world_;
  const Plan& plan_;
  Cluster& cluster_;
  std::map<uint32_t, FaultKind> armed_;  // nodes whose death waits for its I/O
  uint32_t slow_ = 0;                    // latency faults under way
  Rng back_;                             // when each node starts again after all have lost power
  bool one_way_ = false;
  uint64_t felt_before_ = 0;  // partitions in effect when the last one-way one began
  bool healed_ = false;
};

}  // namespace drumlin::sim
