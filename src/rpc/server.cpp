#include "rpc/server.h"

#include <deque>
#include <vector>

namespace drumlin::rpc {

// Shared by the reading fiber, the writing fiber and every running request.
struct Server::Connection {
  Connection(Runtime& runtime, std::unique_ptr<Stream> stream, Session session, size_t max_requests)
      : peer(session.peer.node),
        frames(std::move(stream), std::move(session.send_key), std::move(session.receive_key)),
        work(runtime.scheduler(), runtime.clock()),
        permits(runtime.scheduler(), runtime.clock(), max_requests) {}
  NodeId peer;
  FrameStream frames;
  std::deque<Frame> replies;
  WaitQueue work;
  Semaphore permits;
  bool broken = false;
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
      options_(options) {}

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
    if (streams_.size() >= options_.max_connections) continue;  // closes it
    // A std::function is copyable, a stream is not.
    auto shared = std::make_shared<std::unique_ptr<Stream>>(std::move(*stream));
    runtime_.spawn("rpc connection", [this, shared] { serve(std::move(*shared)); });
  }
}

void Server::serve(std::unique_ptr<Stream> stream) {
  struct Registration {
    Registration(std::map<uint64_t, Stream*>& map, uint64_t key, Stream* value)
        : streams(map), id(key) {
      streams.emplace(id, value);
    }
    ~Registration() { streams.erase(id); }
    std::map<uint64_t, Stream*>& streams;
    uint64_t id;
  };
  const Instant limit = after(runtime_.clock(), options_.handshake_timeout);
  stream->set_read_deadline(limit);
  stream->set_write_deadline(limit);
  const Registration registration(streams_, next_connection_++, stream.get());
  auto session = accept_handshake(runtime_, *stream, self_, membership_);
  if (!session.ok()) {
    observer_.log.warn(
        "rpc", "refused a peer",
        {{"from", stream->peer().to_string()}, {"why", session.status().to_string()}});
    return;
  }
  if (stopping_) return;
  stream->set_read_deadline(kNever);
  stream->set_write_deadline(kNever);
  auto connection = std::make_shared<Connection>(runtime_, std::move(stream), std::move(*session),
                                                 options_.max_requests_per_connection);
  runtime_.spawn("rpc replies", [this, connection] { write_replies(*connection); });
  read_frames(connection);
  connection->broken = true;
  connection->frames.stream().close();
  connection->work.notify_all();
}

void Server::read_frames(const std::shared_ptr<Connection>& connection) {
  for (;;) {
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
      continue;
    }
    if (frame->type != FrameType::kRequest) return;  // dialers only speak
    if (!connection->permits.acquire(1).ok() || connection->broken) return;
    auto request = std::make_shared<Frame>(std::move(*frame));
    runtime_.spawn("rpc request", [this, connection, request] {
      auto reply =
          handler_.on_request(connection->peer, request->kind, std::move(request->payload));
      Frame out{FrameType::kReply, request->kind, reply.code(), request->call, {}};
      out.payload = reply.ok() ? std::move(*reply) : reply.status().message();
      connection->permits.release(1);
      if (connection->broken) return;
      connection->replies.push_back(std::move(out));
      connection->work.notify_one();
    });
  }
}

void Server::write_replies(Connection& connection) {
  std::vector<Frame> batch;
  while (!connection.broken) {
    if (connection.replies.empty()) {
      (void)connection.work.wait();
      continue;
    }
    batch.clear();
    size_t bytes = 0;
    while (!connection.replies.empty() && batch.size() < 64 && bytes < (1u << 20)) {
      bytes += connection.replies.front().wire_bytes();
      batch.push_back(std::move(connection.replies.front()));
      connection.replies.pop_front();
    }
    connection.frames.stream().set_write_deadline(after(runtime_.clock(), options_.write_timeout));
    if (!connection.frames.write(batch).ok()) break;
  }
  connection.broken = true;
  connection.frames.stream().close();
}

}  // namespace drumlin::rpc
