#include "rpc/server.h"

#include <algorithm>
#include <deque>
#include <vector>

namespace drumlin::rpc {
// What one peer has us work on.
struct Server::Load {
  size_t requests = 0;
  size_t bytes = 0;  // of their frames
};

// One request's part of it, for as long as this exists.
class Server::Admission {
 public:
  Admission(std::shared_ptr<Load> load, size_t bytes) : load_(std::move(load)), bytes_(bytes) {
    ++load_->requests;
    load_->bytes += bytes_;
  }
  ~Admission() {
    --load_->requests;
    load_->bytes -= bytes_;
  }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

 private:
  std::shared_ptr<Load> load_;
  size_t bytes_;
};

// Shared by the reading fiber, the writing fiber and every running request.
struct Server::Connection {
  Connection(Runtime& runtime, std::unique_ptr<Stream> stream, Session session)
      : peer(session.peer.node),
        lane(session.lane),
        frames(std::move(stream), std::move(session.send_key), std::move(session.receive_key)),
        work(runtime.scheduler(), runtime.clock()),
        room(runtime.scheduler(), runtime.clock()) {}

  // Ends both fibers. Idempotent.
  void end() {
    frames.stream().close();
    gone.cancel();
  }

  struct Reply {
    Frame frame;
    std::shared_ptr<Admission> admission;  // of the request, if it was admitted
  };

  NodeId peer;
  uint8_t lane;
  FrameStream frames;
  std::deque<Reply> replies;
  size_t reply_bytes = 0;  // not yet written
  WaitQueue work;          // there are replies
  WaitQueue room;          // replies were written
  Cancellation gone;
};

// Asks the real Membership, and notes on the way how far the dialer has come: check_member() is
// asked once its Hello is there, admit() once it has proven the secret.
class Server::Arrival final : public Membership {
 public:
  Arrival(Server& server, Stream& stream)
      : server_(server),
        stream_(stream),
        id_(server.next_connection_++),
        limit_(after(server.runtime_.clock(), server.options_.handshake_timeout)) {
    server_.make_room_for_a_stranger();
    server_.strangers_.emplace(id_, Stranger{&stream, false});
    server_.streams_.emplace(id_, &stream);
    stream.set_write_deadline(limit_);
    stream.set_read_deadline(
        std::min(limit_, after(server.runtime_.clock(), server.options_.hello_timeout)));
  }
  ~Arrival() override {
    server_.strangers_.erase(id_);
    server_.streams_.erase(id_);
  }
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;

  Status check_member(NodeId node) const override {
    DRUMLIN_TRY(server_.membership_.check_member(node));
    const auto stranger = server_.strangers_.find(id_);
    if (stranger != server_.strangers_.end()) stranger->second.greeted = true;
    stream_.set_read_deadline(limit_);
    return {};
  }
  Status admit(const PeerIdentity& peer) override {
    server_.strangers_.erase(id_);
    return server_.membership_.admit(peer);
  }
  void recorded_by(NodeId peer) override { server_.membership_.recorded_by(peer); }
  void refused_by(NodeId peer, const Status& why) override {
    server_.membership_.refused_by(peer, why);
  }

 private:
  Server& server_;
  Stream& stream_;
  const uint64_t id_;
  const Instant limit_;
};

Server::Server(Runtime& runtime, observe::Observer observer, const Identity& self,
               Membership& membership, Handler& handler, std::unique_ptr<Listener> listener,
               ServerOptions options)
    : runtime_(runtime),
      observer_(observer),
      self_(self),
      membership_(membership),
      handler_(handler),
      listener_(std::move(listener)),
      options_(options),
      refused_(
          observer.metrics.counter("drumlin_rpc_requests_refused_total",
                                   "Requests of other nodes beyond what is taken of one at once")) {
  options_.peer_requests =
      runtime.buggify("rpc.few_peer_requests", options_.peer_requests, size_t{1}, size_t{8});
}

Server::~Server() = default;

void Server::start() {
  runtime_.spawn("rpc accept", [this] { accept_loop(); });
}

void Server::stop() {
  stopping_ = true;
  listener_->close();
  for (auto& [id, stream] : streams_)
    stream->close();
}

void Server::accept_loop() {
  while (!stopping_) {
    auto stream = listener_->accept();
    if (!stream.ok()) {
      if (stopping_ || stream.is(Code::kCancelled)) return;
      observer_.log.warn("rpc", "accept failed", {{"why", stream.status().to_string()}});
      (void)runtime_.sleep_for(100ms);
      continue;
    }
    // A std::function is copyable, a stream is not.
    auto shared = std::make_shared<std::unique_ptr<Stream>>(std::move(*stream));
    runtime_.spawn("rpc connection", [this, shared] { serve(std::move(*shared)); });
    // It makes room for itself before the next one is accepted.
    runtime_.scheduler().yield();
  }
}

void Server::make_room_for_a_stranger() {
  while (!strangers_.empty() && strangers_.size() >= options_.max_handshakes) {
    auto victim = std::find_if(strangers_.begin(), strangers_.end(),
                               [](const auto& entry) { return !entry.second.greeted; });
    if (victim == strangers_.end()) victim = strangers_.begin();
    victim->second.stream->close();
    strangers_.erase(victim);
  }
}

void Server::serve(std::unique_ptr<Stream> stream) {
  if (stopping_) return;
  Arrival arrival(*this, *stream);
  auto session = accept_handshake(runtime_, *stream, self_, arrival);
  if (!session.ok()) {
    observer_.log.warn(
        "rpc", "refused a peer",
        {{"from", stream->peer().to_string()}, {"why", session.status().to_string()}});
    return;
  }
  if (stopping_) return;
  stream->set_read_deadline(kNever);
  stream->set_write_deadline(kNever);
  converse(std::make_shared<Connection>(runtime_, std::move(stream), std::move(*session)));
}

void Server::converse(const std::shared_ptr<Connection>& connection) {
  struct Registration {
    Registration(Server& owner, Connection& mine)
        : server(owner), connection(mine), key(mine.peer, mine.lane) {
      Connection*& slot = server.conversations_[key];
      // The peer has dialled anew, so it has given the old one up, which may be half open here.
      if (slot != nullptr) slot->end();
      slot = &connection;
    }
    ~Registration() {
      const auto slot = server.conversations_.find(key);
      if (slot != server.conversations_.end() && slot->second == &connection)
        server.conversations_.erase(slot);
    }
    Server& server;
    Connection& connection;
    std::pair<NodeId, uint8_t> key;
  };
  const Registration registration(*this, *connection);
  runtime_.spawn("rpc replies", [this, connection] { write_replies(*connection); });
  read_frames(connection);
  connection->end();
}

void Server::read_frames(const std::shared_ptr<Connection>& connection) {
  while (!connection->gone.cancelled() && !stopping_) {
    auto frame = connection->frames.read();
    if (!frame.ok()) {
      if (frame.is(Code::kCorrupt)) {
        observer_.log.error("rpc", "bad frame, closing",
                            {{"peer", connection->peer}, {"why", frame.status().message()}});
      }
      return;
    }
    if (frame->type == FrameType::kMessage) {
      handler_.on_message(connection->peer, frame->kind, std::move(frame->payload));
    } else {
      if (frame->type != FrameType::kRequest) return;  // dialers only speak
      if (!await_reader_of_replies(*connection)) return;
      take_request(connection, std::move(*frame));
    }
    // Frames that were read ahead come without a wait: others get their turn between them.
    runtime_.scheduler().yield();
  }
}

// False: the connection is gone.
bool Server::await_reader_of_replies(Connection& connection) const {
  while (connection.replies.size() >=
         options_.peer_requests + options_.max_small_replies_per_connection) {
    if (connection.room.wait(kNever, &connection.gone) != Wake::kNotified) return false;
  }
  return !connection.gone.cancelled();
}

void Server::take_request(const std::shared_ptr<Connection>& connection, Frame frame) {
  if (frame.kind == kPing) {
    reply(*connection, Frame{FrameType::kReply, kPing, Code::kOk, frame.call, {}}, nullptr);
    return;
  }
  auto admission = admit(connection->peer, frame.wire_bytes());
  if (admission == nullptr) {
    refuse(*connection, frame);
    return;
  }
  auto request = std::make_shared<Frame>(std::move(frame));
  runtime_.spawn("rpc request", [this, connection, request, admission]() mutable {
    run_request(*connection, *request, std::move(admission));
  });
}

// Null: no room.
std::shared_ptr<Server::Admission> Server::admit(NodeId peer, size_t bytes) {
  std::shared_ptr<Load>& load = loads_[peer];
  if (load == nullptr) load = std::make_shared<Load>();
  if (crowded()) return nullptr;
  if (load->requests > 0 && (load->requests >= options_.peer_requests ||
                             load->bytes + bytes > options_.peer_request_bytes)) {
    return nullptr;
  }
  return std::make_shared<Admission>(load, bytes);
}

// In a simulated run for longer than a call may take, then not for a while.
bool Server::crowded() {
  const Instant now = runtime_.clock().now();
  if (now >= next_crowd_) {
    crowded_until_ = now + runtime_.buggify("rpc.crowded", Duration(0), 100ms, 6s);
    if (crowded_until_ > now) next_crowd_ = crowded_until_ + 60s;
  }
  return runtime_.scheduler().crowded() || now < crowded_until_;
}

// The handler has not seen it: known not done, and worth another try after a while.
void Server::refuse(Connection& connection, const Frame& request) {
  runtime_.probe("rpc.request_refused");
  refused_.Increment();
  const std::string why = "node " + self_.node.to_string() + " has as many requests of node " +
                          connection.peer.to_string() + " as it takes at once";
  reply(connection, Frame{FrameType::kReply, request.kind, Code::kUnavailable, request.call, why},
        nullptr);
}

void Server::run_request(Connection& connection, Frame& request,
                         std::shared_ptr<Admission> admission) {
  runtime_.buggify_delay("rpc.slow_request", 100ms);
  while (connection.reply_bytes >= options_.max_reply_bytes_per_connection) {
    if (connection.room.wait(kNever, &connection.gone) != Wake::kNotified) return;
  }
  auto answer = handler_.on_request(connection.peer, request.kind, std::move(request.payload));
  if (connection.gone.cancelled()) return;
  Frame out{FrameType::kReply, request.kind, answer.code(), request.call, {}};
  out.payload = answer.ok() ? std::move(*answer) : answer.status().message();
  if (out.payload.size() > kMaxFramePayloadBytes) {
    out.code = Code::kTooLarge;
    out.payload =
        "an answer of " + std::to_string(out.payload.size()) + " bytes does not fit a frame";
  }
  reply(connection, std::move(out), std::move(admission));
}

void Server::reply(Connection& connection, Frame frame, std::shared_ptr<Admission> admission) {
  connection.reply_bytes += frame.wire_bytes();
  connection.replies.push_back({std::move(frame), std::move(admission)});
  connection.work.notify_one();
}

void Server::write_replies(Connection& connection) {
  std::vector<Frame> batch;
  std::vector<std::shared_ptr<Admission>> admissions;
  while (!connection.gone.cancelled()) {
    if (connection.replies.empty()) {
      (void)connection.work.wait(kNever, &connection.gone);
      continue;
    }
    size_t bytes = 0;
    while (!connection.replies.empty() && batch.size() < 64 && bytes < (1u << 20)) {
      Connection::Reply& next = connection.replies.front();
      bytes += next.frame.wire_bytes();
      batch.push_back(std::move(next.frame));
      admissions.push_back(std::move(next.admission));
      connection.replies.pop_front();
    }
    connection.frames.stream().set_write_deadline(after(runtime_.clock(), options_.write_timeout));
    if (!connection.frames.write(batch).ok()) break;
    connection.reply_bytes -= bytes;
    batch.clear();
    admissions.clear();
    connection.room.notify_all();
  }
  connection.end();
  connection.replies.clear();
}

}  // namespace drumlin::rpc
