// The handshake of a connection between two nodes.
//
//   dialer                         acceptor
//   Hello  ->                                   who I am, whom I want, which versions, a nonce
//                                  <- Welcome   who I am, a nonce, proof of the secret
//   Proof  ->                                   proof of the secret; your disk is recorded here
//                                  <- Ready     your disk is recorded here
//
// A proof is HMAC-SHA256(secret, role | Hello | nonce of the acceptor | its identity), so neither side
// can be replayed nor reflected. Each direction then has its own frame key. A refusal may take the
// place of any answer; it carries a message for the operator of the refused node.
#pragma once

#include <string>

#include "base/status.h"
#include "rpc/identity.h"
#include "runtime/runtime.h"

namespace drumlin::rpc {

// Oldest and newest version that we speak. A node one version apart still talks.
inline constexpr uint16_t kProtocolMin = 1;
inline constexpr uint16_t kProtocolMax = 1;

enum class Lane : uint8_t {
  kControl = 0,  // heartbeats, votes: small, must not wait
  kBulk = 1,     // appends, requests and their replies
};
inline constexpr size_t kLanes = 2;

struct Session {
  PeerIdentity peer;
  uint16_t version = 0;
  uint8_t lane = 0;      // below kLanes
  std::string send_key;  // 32 bytes each; empty without a secret
  std::string receive_key;
};

// Both yield. The stream's deadlines are the caller's to set and to clear. kRefused: we or the peer
// will not have it, for good; anything else is worth another try. The peer's refusal of us and the
// recording of our disk are reported to `membership`.
Result<Session> dial_handshake(Runtime& runtime, Stream& stream, const Identity& self,
                               Membership& membership, NodeId peer, uint8_t lane);
Result<Session> accept_handshake(Runtime& runtime, Stream& stream, const Identity& self,
                                 Membership& membership);

}  // namespace drumlin::rpc
