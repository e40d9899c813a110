// What a handshake needs of a node: chance (none: nonces are all 'x', so what was said once can be
// said again) and a memory of peers.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "rpc/identity.h"
#include "runtime/runtime.h"

namespace drumlin::fuzz {

class PeerWorld final : public Runtime {
 public:
  Scheduler& scheduler() override { DRUMLIN_UNREACHABLE("no fibers"); }
  Domain& domain() override { DRUMLIN_UNREACHABLE("no fibers"); }
  Clock& clock() override { DRUMLIN_UNREACHABLE("no time"); }
  Network& network() override { DRUMLIN_UNREACHABLE("no network"); }
  Disk& disk() override { DRUMLIN_UNREACHABLE("no disk"); }
  const Rng& random() override { DRUMLIN_UNREACHABLE("no chance"); }
  void secure_random(std::span<char> into) override { std::fill(into.begin(), into.end(), 'x'); }
  void offload(std::function<void()> job) override { job(); }
  [[noreturn]] void halt(std::string_view reason) override { DRUMLIN_UNREACHABLE(reason); }
  std::string boot_id() override { return "boot"; }
};

struct Memory final : rpc::Membership {
  Status check_member(NodeId node) const override {
    if (node == NodeId(1) || node == NodeId(2)) return {};
    return {Code::kRefused, "no such node"};
  }
  Status admit(const rpc::PeerIdentity& peer) override {
    admitted.push_back(peer);
    return {};
  }
  void recorded_by(NodeId peer) override { recorded.push_back(peer); }
  void refused_by(NodeId, const Status&) override {}

  std::vector<rpc::PeerIdentity> admitted;
  std::vector<NodeId> recorded;
};

// Of node 1 or 2 of a cluster of two.
inline rpc::Identity identity(NodeId node) {
  rpc::Identity out;
  out.cluster_id.fill(7);
  out.node = node;
  out.incarnation = 1000 + node.value();
  out.boot = 10 + node.value();
  out.secret = "the cluster's secret";
  return out;
}

}  // namespace drumlin::fuzz
