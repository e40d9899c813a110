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
inline constexpr uint16_t kApiPort = 9001;

class Cluster {
 public:
  // `log`: where the nodes' log lines go; may be null. The world must end before the cluster does: its
  // fibers, unwound, still use it.
  Cluster(World& world, const Plan& plan, Verdict& verdict, observe::LogSink log);

  uint32_t nodes() const { return static_cast<uint32_t>(slots_.size()); }
  Machine& machine(uint32_t node) { return slots_.at(node - 1)->machine; }
  Endpoint s3(uint32_t node) { return {machine(node).ip(), kS3Port}; }
  Endpoint api(uint32_t node) { return {machine(node).ip(), kApiPort}; }
  bool running(uint32_t node) { return machine(node).running(); }
  // No effect if it runs.
  void boot(uint32_t node);
  // A set of nodes: node n is bit n - 1.
  using Nodes = uint32_t;
  Nodes everybody() const { return (1u << nodes()) - 1; }
  static bool holds(Nodes set, uint32_t node) { return ((set >> (node - 1)) & 1) != 0; }
  // Does the set hold a majority of the voters of every shard?
  bool holds_majorities(Nodes set) const;
  // Boots those of the set that do not run, ends every fault that was armed on them.
  void boot_all(Nodes set);

  // Called with the number of a node whose process has ended, and how. Not for those that ended because
  // they are broken: that is a violation.
  void on_exit(std::function<void(uint32_t, Exit)> callback) { on_exit_ = std::move(callback); }
  // Synced bytes of this node are damaged from now on: it may refuse to run.
  void damaged(uint32_t node) { slots_.at(node - 1)->damaged = true; }

  RaftChecker& raft() { return raft_; }
  // Why these nodes do not yet all run, know the leader of every shard and have applied all that is
  // committed; empty if they do.
  std::string unconverged(Nodes set);
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
    bool damaged = false;
  };
  void main(Slot& slot, Runtime& runtime);
  void exited(Slot& slot, Exit how);
  bool excused(const Slot& slot, std::string_view why) const;
  bool on_platter(NodeId node, GroupId group, LogIndex index);

  World& world_;
  Verdict& verdict_;
  observe::LogSink log_;
  std::function<void(uint32_t, Exit)> on_exit_;
  std::vector<std::unique_ptr<Slot>> slots_;
  placement::ShardTable table_;
  RaftChecker raft_;
};

}  // namespace drumlin::sim
