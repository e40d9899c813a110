// Peer: our side of the conversation with one other node.
//
// A node dials every other node once per lane and only speaks, never listens, on what it dialled
// (apart from replies): messages and requests go out on our connections, theirs come in through
// Server. Lanes are separate connections, so a heartbeat never stands behind an 8 MiB append.
//
// Messages are fire and forget: dropped when the connection is down or the queue is full, which Raft
// expects of a network. Calls have a deadline and an honest outcome.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "observe/observer.h"
#include "rpc/frame.h"
#include "rpc/handshake.h"
#include "rpc/identity.h"
#include "runtime/runtime.h"

namespace drumlin::rpc {

struct PeerOptions {
  Duration connect_timeout = 1s;
  Duration handshake_timeout = 5s;  // includes two syncs at first contact
  Duration retry_min = 50ms;
  Duration retry_max = 1s;
  Duration write_timeout = 10s;  // a peer that takes nothing for so long is cut off
  // A connection over which nothing was heard for so long is asked for a sign of life; without one within
  // the patience of its lane it is given up: the other side, or something in between, has forgotten it
  // without a word. The bulk lane's leaves time for what is on its way before the question.
  Duration ping_every = 1s;
  std::array<Duration, 2> patience = {4s, 20s};  // by Lane
  size_t queue_bytes = 64u << 20;  // a lane; beyond it messages are dropped, calls refused
  // Calls that are under way at once, and their frames; others wait for their turn. No more than the other
  // side's Server takes (ServerOptions), lest bodies travel only to be refused.
  size_t requests = 512;
  size_t request_bytes = 256u << 20;
};

class Peer {
 public:
  Peer(Runtime& runtime, observe::Observer observer, const Identity& self, Membership& membership,
       NodeId node, Endpoint endpoint, PeerOptions options);
  ~Peer();

  // Starts the dialling fibers. stop() ends them, a connect under way at its timeout at the latest;
  // both are idempotent and do not yield.
  void start();
  void stop();

  NodeId node() const { return node_; }
  bool connected(Lane lane) const;
  // Queues a message; false if dropped. Does not yield.
  bool send(Lane lane, uint8_t kind, std::string payload);

  // Yields until the reply. kUnavailable: the request did not leave this node (known not done).
  // kOutcomeUnknown: it may have arrived. kInvalidArgument: it does not fit a frame. A reply's own Status
  // comes back as such, with the payload as message; so does what the other side's Server says:
  // kUnavailable, it was not taken; kTooLarge, it was carried out and the answer does not fit a frame.
  // Goes on the bulk lane.
  Result<std::string> call(uint8_t kind, std::string payload, Instant deadline);

 private:
  struct Call;
  struct LaneState;
  class Turn;
  void run_lane(Lane lane);
  Status run_connection(LaneState& state, Lane lane);
  Result<Session> shake_hands(LaneState& state, Lane lane, Stream& stream);
  void write_frames(LaneState& state, FrameStream& frames);
  void ping(LaneState& state);
  void read_replies(LaneState& state, FrameStream& frames);
  bool has_room(size_t bytes) const;
  Status await_turn(const LaneState& state, size_t bytes, Instant deadline);
  void fail_calls(const Status& sent_status);

  Runtime& runtime_;
  observe::Observer observer_;
  const Identity& self_;
  Membership& membership_;
  NodeId node_;
  Endpoint endpoint_;
  PeerOptions options_;
  std::array<std::unique_ptr<LaneState>, kLanes> lanes_;
  std::map<uint64_t, Call*> calls_;
  uint64_t next_call_ = 1;
  size_t under_way_ = 0;  // calls that had their turn
  size_t under_way_bytes_ = 0;
  WaitQueue turns_;
  Cancellation stopping_;
  bool started_ = false;
};

}  // namespace drumlin::rpc
