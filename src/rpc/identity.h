// Who we are to our peers, and who they are to us.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/strong_id.h"

namespace drumlin::rpc {

using ClusterId = std::array<unsigned char, 16>;

// Fixed for the life of a process.
struct Identity {
  ClusterId cluster_id{};
  NodeId node;
  uint64_t incarnation = 0;  // of our disk: drawn once, when it was formatted
  uint64_t boot = 0;         // counts the starts of this node on this disk
  std::string secret;        // cluster.secret; empty: frames carry checksums but no MAC
};

// A peer as its handshake presents it.
struct PeerIdentity {
  NodeId node;
  uint64_t incarnation = 0;
  uint64_t boot = 0;
};

// Decides whom we talk to; asked in every handshake, after the peer has proven the secret.
class Membership {
 public:
  virtual ~Membership() = default;
  // Non-OK (kRefused) if the cluster has no such node. Does not yield.
  virtual Status check_member(NodeId node) const = 0;
  // kRefused if we know the peer by another disk; otherwise the peer's (node, incarnation) is on our
  // stable storage when this returns OK. May yield.
  virtual Status admit(const PeerIdentity& peer) = 0;
  // The peer has our own incarnation on its stable storage. May yield.
  virtual void recorded_by(NodeId peer) = 0;
  // The peer will not talk to us: wrong cluster, wiped disk, second node under one id, version.
  virtual void refused_by(NodeId peer, const Status& why) = 0;
};

}  // namespace drumlin::rpc
