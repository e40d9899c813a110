// FaultDriver: makes a plan's faults happen at their times.
#pragma once

#include "sim/cluster/cluster.h"
#include "sim/plan/plan.h"
#include "sim/run/weather.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {

class FaultDriver {
 public:
  FaultDriver(World& world, const Plan& plan, Cluster& cluster);

  // Schedules all of them, counted from now.
  void schedule();
  // Ends what lasts: partitions, weather, armed crashes. The core runs again; the other nodes have no power
  // from now on, or cannot be reached by it, until bring_back().
  void heal(Cluster::Nodes core);
  void bring_back();
  void cut_power(Cluster::Nodes set);

 private:
  void strike(const Fault& fault);
  void arm(const Fault& fault);
  void exited(uint32_t node, Exit how);
  void power_lost(uint32_t node);
  void boot_in(uint32_t delay_ms, uint32_t node);
  void end_partitions();
  void restart(uint32_t node);
  SimNetwork::Hosts members(uint32_t bits, bool in) const;

  World& world_;
  const Plan& plan_;
  Cluster& cluster_;
  std::map<uint32_t, FaultKind> armed_;  // nodes whose death waits for its I/O
  Weather weather_;
  Rng back_;  // when each node starts again after all have lost power
  Rng supervisor_;
  std::map<uint32_t, uint32_t> refused_;  // starts that a damaged node has refused
  Cluster::Nodes outside_ = 0;            // dead or cut off
  bool one_way_ = false;
  uint64_t felt_before_ = 0;  // partitions in effect when the last one-way one began
  bool healed_ = false;
};

}  // namespace drumlin::sim
