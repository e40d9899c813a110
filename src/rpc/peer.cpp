#include "rpc/peer.h"

#include <algorithm>
#include <deque>

namespace drumlin::rpc {

// One call, on the caller's stack.
struct Peer::Call {
  explicit Call(Runtime& runtime) : done(runtime.scheduler(), runtime.clock()) {}
  WaitQueue done;
  bool sent = false;
  bool finished = false;
  Status status;
  std::string payload;

  void finish(Status s, std::string p = {}) {
    status = std::move(s);
    payload = std::move(p);
    finished = true;
    done.notify_all();
  }
};

struct Peer::LaneState {
  explicit LaneState(Runtime& runtime) : work(runtime.scheduler(), runtime.clock()) {}
  std::deque<Frame> queue;
  size_t queued_bytes = 0;
  WaitQueue work;                 // the queue has something, or the connection is gone
  Stream* handshaking = nullptr;  // connected, but not live yet
  FrameStream* frames = nullptr;  // the live connection
  Instant heard{};                // when something last came over it
  Instant asked{};                // when it was last asked for a sign of life
  bool broken = false;
};

// A call's part of what may be under way.
class Peer::Turn {
 public:
  Turn(Peer& peer, size_t bytes) : peer_(peer), bytes_(bytes) {
    ++peer_.under_way_;
    peer_.under_way_bytes_ += bytes_;
    if (peer_.has_room(0)) peer_.turns_.notify_one();
  }
  ~Turn() {
    --peer_.under_way_;
    peer_.under_way_bytes_ -= bytes_;
    peer_.turns_.notify_one();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Peer& peer_;
  size_t bytes_;
};

Peer::Peer(Runtime& runtime, observe::Observer observer, const Identity& self,
           Membership& membership, NodeId node, Endpoint endpoint, PeerOptions options)
    : runtime_(runtime),
      observer_(observer),
      self_(self),
      membership_(membership),
      node_(node),
      endpoint_(std::move(endpoint)),
      options_(options),
      turns_(runtime.scheduler(), runtime.clock()) {
  options_.requests = runtime.buggify("rpc.few_calls", options_.requests, size_t{1}, size_t{8});
  options_.queue_bytes =
      runtime.buggify("rpc.small_queue", options_.queue_bytes, size_t{1} << 12, size_t{1} << 18);
  options_.write_timeout =
      runtime.buggify("rpc.short_write_timeout", options_.write_timeout, 500ms, 2s);
  for (auto& lane : lanes_)
    lane = std::make_unique<LaneState>(runtime);
}

Peer::~Peer() = default;

void Peer::start() {
  if (std::exchange(started_, true)) return;
  for (size_t i = 0; i < kLanes; ++i) {
    runtime_.spawn("peer " + node_.to_string() + " lane " + std::to_string(i),
                   [this, i] { run_lane(static_cast<Lane>(i)); });
  }
}

void Peer::stop() {
  stopping_.cancel();
  for (auto& lane : lanes_) {
    if (lane->handshaking != nullptr) lane->handshaking->close();
    if (lane->frames != nullptr) lane->frames->stream().close();
  }
}

bool Peer::connected(Lane lane) const {
  return lanes_[static_cast<size_t>(lane)]->frames != nullptr;
}

bool Peer::send(Lane lane, uint8_t kind, std::string payload) {
  LaneState& state = *lanes_[static_cast<size_t>(lane)];
  if (state.frames == nullptr || state.queued_bytes >= options_.queue_bytes) return false;
  Frame frame{FrameType::kMessage, kind, Code::kOk, 0, std::move(payload)};
  state.queued_bytes += frame.wire_bytes();
  state.queue.push_back(std::move(frame));
  state.work.notify_one();
  return true;
}

// One is always let through.
bool Peer::has_room(size_t bytes) const {
  return under_way_ == 0 ||
         (under_way_ < options_.requests && under_way_bytes_ + bytes <= options_.request_bytes);
}

// OK: there is a connection, and room for the call. While there is room and somebody waits, a notification
// is on its way: who cannot use it passes it on.
Status Peer::await_turn(const LaneState& state, size_t bytes, Instant deadline) {
  Status usable;
  for (bool first = true;; first = false) {
    if (state.frames == nullptr) {
      usable = {Code::kUnavailable, "node " + node_.to_string() + " is not connected"};
    } else if (state.queued_bytes >= options_.queue_bytes) {
      usable = {Code::kUnavailable, "the queue to node " + node_.to_string() + " is full"};
    }
    if (!usable.ok()) break;
    if (has_room(bytes) && (!first || turns_.empty())) return {};
    runtime_.probe("rpc.call_waits");
    if (turns_.wait(deadline, &stopping_) != Wake::kNotified) {
      return {Code::kUnavailable,
              "no answers to earlier calls from node " + node_.to_string() + " in time"};
    }
  }
  turns_.notify_one();
  return usable;
}

Result<std::string> Peer::call(uint8_t kind, std::string payload, Instant deadline) {
  if (payload.size() > kMaxFramePayloadBytes) {
    return Status(Code::kInvalidArgument,
                  "a request of " + std::to_string(payload.size()) + " bytes does not fit a frame");
  }
  LaneState& state = *lanes_[static_cast<size_t>(Lane::kBulk)];
  Frame frame{FrameType::kRequest, kind, Code::kOk, 0, std::move(payload)};
  const size_t bytes = frame.wire_bytes();
  DRUMLIN_TRY(await_turn(state, bytes, deadline));
  const Turn turn(*this, bytes);
  const uint64_t id = next_call_++;
  Call call(runtime_);
  struct Registration {
    Registration(std::map<uint64_t, Call*>& map, uint64_t key, Call* value) : calls(map), id(key) {
      calls.emplace(id, value);
    }
    ~Registration() { calls.erase(id); }
    std::map<uint64_t, Call*>& calls;
    uint64_t id;
  };
  const Registration registration(calls_, id, &call);
  frame.call = id;
  state.queued_bytes += bytes;
  state.queue.push_back(std::move(frame));
  state.work.notify_one();
  while (!call.finished) {
    if (call.done.wait(deadline, &stopping_) != Wake::kNotified) {
      // Still queued: write_frames() drops what nobody waits for any more.
      if (!call.sent) {
        return Status(Code::kUnavailable,
                      "no room on the connection to node " + node_.to_string() + " in time");
      }
      return Status(Code::kOutcomeUnknown, "no answer from node " + node_.to_string() + " in time");
    }
  }
  if (!call.status.ok()) return call.status;
  return std::move(call.payload);
}

void Peer::run_lane(Lane lane) {
  LaneState& state = *lanes_[static_cast<size_t>(lane)];
  Rng jitter = runtime_.random().stream("peer-retry/" + node_.to_string());
  Duration pause = options_.retry_min;
  while (!stopping_.cancelled()) {
    const Instant began = runtime_.clock().now();
    const Status ended = run_connection(state, lane);
    if (stopping_.cancelled()) return;
    observer_.log.debug(
        "rpc", "connection ended",
        {{"peer", node_}, {"lane", static_cast<uint64_t>(lane)}, {"why", ended.to_string()}});
    if (runtime_.clock().now() - began > options_.retry_max) pause = options_.retry_min;
    if (!runtime_.sleep_for(jitter.duration_between(pause / 2, pause), &stopping_).ok()) return;
    pause = std::min(pause * 2, options_.retry_max);
  }
}

Result<Session> Peer::shake_hands(LaneState& state, Lane lane, Stream& stream) {
  struct Registration {
    Registration(Stream*& place, Stream& value) : slot(place) { slot = &value; }
    ~Registration() { slot = nullptr; }
    Stream*& slot;
  };
  const Registration registration(state.handshaking, stream);
  const Instant limit = after(runtime_.clock(), options_.handshake_timeout);
  stream.set_read_deadline(limit);
  stream.set_write_deadline(limit);
  return dial_handshake(runtime_, stream, self_, membership_, node_, static_cast<uint8_t>(lane));
}

Status Peer::run_connection(LaneState& state, Lane lane) {
  DRUMLIN_ASSIGN(auto stream, runtime_.network().connect(
                                  endpoint_, after(runtime_.clock(), options_.connect_timeout)));
  if (stopping_.cancelled()) return {Code::kCancelled, "stopping"};
  DRUMLIN_ASSIGN(Session session, shake_hands(state, lane, *stream));
  if (stopping_.cancelled()) return {Code::kCancelled, "stopping"};
  if (runtime_.buggify("rpc.lose_new_connection")) return {Code::kClosed, "buggify"};
  stream->set_read_deadline(kNever);
  stream->set_write_deadline(kNever);
  observer_.log.debug("rpc", "connected", {{"peer", node_}, {"lane", static_cast<uint64_t>(lane)}});
  observer_.trace("peer.connected", node_.value(), static_cast<uint64_t>(lane));

  // The connection outlives whichever of its two fibers ends first.
  auto frames = std::make_shared<FrameStream>(std::move(stream), std::move(session.send_key),
                                              std::move(session.receive_key));
  state.queue.clear();
  state.queued_bytes = 0;
  state.broken = false;
  state.heard = runtime_.clock().now();
  frames->set_patience(runtime_.clock(), options_.patience[static_cast<size_t>(lane)]);
  state.frames = frames.get();
  WaitGroup reader(runtime_.scheduler(), runtime_.clock());
  reader.add();
  runtime_.spawn("peer " + node_.to_string() + " replies", [this, &state, &reader, frames] {
    read_replies(state, *frames);
    state.broken = true;
    state.work.notify_all();
    reader.done();
  });
  write_frames(state, *frames);
  frames->stream().close();
  state.frames = nullptr;
  (void)reader.wait();
  if (lane == Lane::kBulk)
    fail_calls({Code::kOutcomeUnknown, "the connection to node " + node_.to_string() + " broke"});
  return {Code::kClosed, "connection lost"};
}

void Peer::write_frames(LaneState& state, FrameStream& frames) {
  std::vector<Frame> batch;
  while (!state.broken && !stopping_.cancelled()) {
    if (state.queue.empty()) {
      if (state.work.wait(after(runtime_.clock(), options_.ping_every), &stopping_) !=
          Wake::kTimeout) {
        continue;
      }
    }
    ping(state);
    if (state.queue.empty()) continue;
    batch.clear();
    size_t bytes = 0;
    const size_t most = runtime_.buggify("rpc.small_writes", size_t{64}, size_t{1}, size_t{2});
    while (!state.queue.empty() && batch.size() < most && bytes < (1u << 20)) {
      Frame frame = std::move(state.queue.front());
      state.queue.pop_front();
      bytes += frame.wire_bytes();
      if (frame.type == FrameType::kRequest && frame.kind != kPing) {
        const auto call = calls_.find(frame.call);
        if (call == calls_.end()) continue;  // its caller has given up: spare the peer
        call->second->sent = true;
      }
      batch.push_back(std::move(frame));
    }
    frames.stream().set_write_deadline(after(runtime_.clock(), options_.write_timeout));
    const Status written = frames.write(batch);
    state.queued_bytes -= std::min(bytes, state.queued_bytes);
    if (!written.ok()) return;
  }
}

// Asks for a sign of life if there was none for a while. Once a turn: the answer comes or patience ends.
void Peer::ping(LaneState& state) {
  const Instant now = runtime_.clock().now();
  if (now - std::max(state.heard, state.asked) < options_.ping_every) return;
  state.asked = now;
  Frame frame{FrameType::kRequest, kPing, Code::kOk, 0, {}};
  state.queued_bytes += frame.wire_bytes();
  state.queue.push_back(std::move(frame));
}

void Peer::read_replies(LaneState& state, FrameStream& frames) {
  for (;;) {
    auto frame = frames.read();
    if (frame.is(Code::kTimeout)) runtime_.probe("rpc.silent_connection");
    if (!frame.ok()) return;
    state.heard = runtime_.clock().now();
    if (frame->type != FrameType::kReply) return;  // acceptors only reply
    const auto call = calls_.find(frame->call);
    if (call == calls_.end()) {
      // Answered after its deadline.
    } else if (frame->code == Code::kOk) {
      call->second->finish({}, std::move(frame->payload));
    } else {
      call->second->finish({frame->code, std::move(frame->payload)});
    }
    // Frames that were read ahead come without a wait: others get their turn between them.
    runtime_.scheduler().yield();
  }
}

void Peer::fail_calls(const Status& sent_status) {
  for (auto& [id, call] : calls_) {
    if (call->finished) continue;
    call->finish(call->sent
                     ? sent_status
                     : Status(Code::kUnavailable, "node " + node_.to_string() + " went away"));
  }
  turns_.notify_all();
}

}  // namespace drumlin::rpc
