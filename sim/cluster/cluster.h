// Cluster: the machines of one run with a node each, watched by RaftChecker. Boots, kills and boots
// again; a node that stops for any other reason than a fault is a violation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "node/node.h"
#include "placement/planner.h"
#include "sim/check/raft_checker.h"
#include "sim/check/verdict.h"
#include "sim/plan/plan.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {

inline constexpr std::string_view kAccessKey = "SIMULATOR";
inline constexpr std::string_view kSecretKey = "simulated-secret";
inline constexpr uint16_t kS3Port = 9000;

class Cluster {
 public:
  // `log`: where the nodes' log lines go; may be null. The world must end before the cluster does: its
  // fibers, unwound, still use it.
  Cluster(World& world, const Plan& plan, Verdict& verdict, observe::LogSink log);

  uint32_t nodes() const { return static_cast<uint32_t>(slots_.size()); }
  Machine& machine(uint32_t node) { return slots_.at(node - 1)->machine; }
  Endpoint s3(uint32_t node) { return {machine(node).ip(), kS3Port}; }
  bool running(uint32_t node) { return machine(node).running(); }
  // No effect if it runs.
  void boot(uint32_t node);
  // Boots what does not run, ends every fault that was armed on a machine; but for `spare` (0: nobody).
  void boot_all(uint32_t spare = 0);

  // Called with the number of a node that lost power at an armed I/O.
  void on_power_off(std::function<void(uint32_t)> callback) { on_power_off_ = std::move(callback); }

  RaftChecker& raft() { return raft_; }
  // Why these nodes (all but `spare`) do not yet all run, know the leader of every shard and have applied
  // all that is committed; empty if they do.
  std::string unconverged(uint32_t spare = 0);
  // Replicas that have applied the same must hold the same. Evaluates "digest".
  void check_digests();
  const node::Config& config(uint32_t node) const { return slots_.at(node - 1)->config; }

 private:
  struct Slot {
    Slot(Machine& m, RaftChecker& raft) : machine(m), watch(raft, m.id()) {}
    Machine& machine;
    NodeWatch watch;
    node::Config config;
    node::Node* node = nullptr;  // while its main fiber is in run()
  };
  void main(Slot& slot, Runtime& runtime);
  void exited(Slot& slot, Exit how);
  bool on_platter(NodeId node, GroupId group, LogIndex index);

  World& world_;
  Verdict& verdict_;
  observe::LogSink log_;
  std::function<void(uint32_t)> on_power_off_;
  std::vector<std::unique_ptr<Slot>> slots_;
  placement::ShardTable table_;
  RaftChecker raft_;
};

}  // namespace drumlin::sim
