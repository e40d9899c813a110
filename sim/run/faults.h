// FaultDriver: makes a plan's faults happen at their times.
#pragma once

#include "sim/cluster/cluster.h"
#include "sim/plan/plan.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {

class FaultDriver {
 public:
  FaultDriver(World& world, const Plan& plan, Cluster& cluster)
      : world_(world), plan_(plan), cluster_(cluster) {}

  // Schedules all of them, counted from now.
  void schedule();
  // Ends what lasts: partitions, latencies, armed crashes. Everything runs again.
  void heal();

 private:
  void strike(const Fault& fault);
  void crash(uint32_t node, uint32_t ios, bool power);
  void restart(uint32_t node);
  SimNetwork::Hosts members(uint32_t bits, bool in) const;

  World& world_;
  const Plan& plan_;
  Cluster& cluster_;
  struct Armed {
    bool is = false;
    bool power = false;
  };
  std::map<uint32_t, Armed> armed_;  // nodes whose crash waits for its I/O
  uint32_t slow_ = 0;                // latency faults under way
  bool healed_ = false;
};

}  // namespace drumlin::sim
