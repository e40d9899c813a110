// Weather: the faults of a plan that change how the world around running nodes behaves: clocks, processors,
// disks and the quality of networks. All of them end by themselves or with clear(); what they do to what
// was synced: nothing, but for rot().
#pragma once

#include <array>
#include <map>
#include <set>

#include "sim/cluster/cluster.h"
#include "sim/plan/plan.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {

class Weather {
 public:
  Weather(World& world, const Plan& plan, Cluster& cluster);

  // False if the fault is not of this kind.
  bool strike(const Fault& fault);
  // Ends all of it. Clocks are set about right: by less than what a node and a client may differ.
  void clear();
  SimNetwork::Hosts clients() const;

 private:
  // Calls of a node's disk that must still succeed before one fails; 0: none will.
  struct Trap {
    std::array<uint64_t, 3> left{};  // reads, writes, syncs
  };
  bool strike_machine(const Fault& fault, Machine& machine);
  bool strike_disk(const Fault& fault, Machine& machine);
  bool strike_network(const Fault& fault);
  void set_trap(uint32_t node, size_t kind, int64_t calls);
  Status meet_trap(uint32_t node, const IoCall& call);
  void slow_down(Machine& machine, const Fault& fault);
  void rot(Machine& machine, uint32_t node, uint64_t which);
  void blow(const Fault& fault, int64_t for_ms);
  void apply_winds();
  // Later, unless clear() came first.
  void in(int64_t ms, std::function<void()> action);

  World& world_;
  const Plan& plan_;
  Cluster& cluster_;
  Rng clocks_;
  std::map<uint32_t, Trap> traps_;
  std::map<uint64_t, Fault> winds_;  // network faults under way
  uint64_t next_wind_ = 0;
  // By node: faults of a kind under way, so that the first to end does not end the second.
  std::map<std::pair<uint32_t, FaultKind>, uint32_t> overlapping_;
  uint64_t season_ = 0;  // counts clear()
};

}  // namespace drumlin::sim
