// Membership: which disks this node takes for its peers, and whether its peers take its own.
//
// Every disk has an incarnation, drawn when it was formatted. Each node keeps, in its superblock, the
// incarnation under which it first met every other node, and refuses any other: a wiped or swapped
// disk has forgotten its votes and must not come back under its old name. For the same reason a fresh
// disk takes no part until every other configured node has recorded it.
#pragma once

#include <functional>
#include <set>

#include "node/config.h"
#include "observe/observer.h"
#include "rpc/identity.h"
#include "runtime/runtime.h"
#include "wal/superblock.h"

namespace drumlin::node {

class Membership : public rpc::Membership {
 public:
  struct Events {
    std::function<void()> admitted;              // once, when our disk becomes a member
    std::function<void(const Status&)> refused;  // our fresh disk is not wanted: the node must stop
  };
  Membership(Runtime& runtime, observe::Observer observer, const Config& config,
             wal::SuperblockStore& superblock, Events events);

  // Our own disk takes part: recorded by all others, now or in an earlier life.
  bool admitted() const { return superblock_.get().admitted; }
  // Yields. For a cluster of one node, which nobody else can admit.
  void admit_if_complete();

  Status check_member(NodeId node) const override;
  Status admit(const rpc::PeerIdentity& peer) override;
  void recorded_by(NodeId peer) override;
  void refused_by(NodeId peer, const Status& why) override;

 private:
  Runtime& runtime_;
  observe::Observer observer_;
  const Config& config_;
  wal::SuperblockStore& superblock_;
  Events events_;
  Mutex changing_;  // read, decide, write of the superblock is one step
  std::set<NodeId> recorded_;
};

}  // namespace drumlin::node
