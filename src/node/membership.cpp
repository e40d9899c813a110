#include "node/membership.h"

#include <fmt/format.h>

#include <algorithm>

namespace drumlin::node {

Membership::Membership(Runtime& runtime, observe::Observer observer, const Config& config,
                       wal::SuperblockStore& superblock, Events events)
    : runtime_(runtime),
      observer_(observer),
      config_(config),
      superblock_(superblock),
      events_(std::move(events)),
      changing_(runtime.scheduler(), runtime.clock()) {}

Status Membership::check_member(NodeId node) const {
  const bool known = std::any_of(config_.members.begin(), config_.members.end(),
                                 [&](const Member& member) { return member.id == node; });
  if (!known) return {Code::kRefused, fmt::format("this cluster has no node {}", node.value())};
  if (node == config_.id) {
    return {Code::kRefused, fmt::format("there is another node {} in this cluster", node.value())};
  }
  return {};
}

Status Membership::admit(const rpc::PeerIdentity& peer) {
  DRUMLIN_TRY(check_member(peer.node));
  const Mutex::Guard guard(changing_);
  const auto known = superblock_.get().peers.find(peer.node);
  if (known != superblock_.get().peers.end()) {
    if (known->second == peer.incarnation) return {};
    return {
        Code::kRefused,
        fmt::format("node {} knows node {} by another disk (incarnation {:016x}, not {:016x}): its "
                    "data directory was wiped or swapped, or two nodes have the id {}",
                    config_.id.value(), peer.node.value(), known->second, peer.incarnation,
                    peer.node.value())};
  }
  DRUMLIN_TRY(superblock_.change(
      [&](wal::Superblock& block) { block.peers[peer.node] = peer.incarnation; }));
  observer_.log.info("membership", "recorded a peer's disk",
                     {{"peer", peer.node}, {"incarnation", peer.incarnation}});
  return {};
}

void Membership::recorded_by(NodeId peer) {
  if (admitted() || !check_member(peer).ok()) return;
  recorded_.insert(peer);
  admit_if_complete();
}

void Membership::admit_if_complete() {
  if (admitted() || recorded_.size() + 1 < config_.members.size()) return;
  const Mutex::Guard guard(changing_);
  if (admitted()) return;
  const Status written = superblock_.change([](wal::Superblock& block) { block.admitted = true; });
  if (!written.ok()) runtime_.halt("the superblock cannot be written: " + written.to_string());
  observer_.log.info("membership", "this disk is a member now",
                     {{"incarnation", superblock_.get().incarnation}});
  events_.admitted();
}

void Membership::refused_by(NodeId peer, const Status& why) {
  observer_.log.error("membership", "a peer refuses this node",
                      {{"peer", peer}, {"why", why.message()}});
  if (!admitted()) {
    events_.refused({Code::kRefused,
                     fmt::format("node {} refuses this node: {}", peer.value(), why.message())});
  }
}

}  // namespace drumlin::node
