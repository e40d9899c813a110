#include "http/server.h"

#include <algorithm>
#include <array>
#include <utility>

namespace drumlin::http {
namespace {
constexpr Duration kRestAfter = 1s;  // without a request: a connection gives up its buffer
}  // namespace

// On the stack of the connection's fiber.
struct Server::Connection {
  Connection(Server& owner, uint64_t number, Stream& byte_stream)
      : server(owner),
        id(number),
        stream(byte_stream),
        reader(byte_stream, owner.limits_.head_bytes) {
    server.connections_.emplace(id, this);
    server.open_gauge_.Increment();
  }
  ~Connection() {
    server.connections_.erase(id);
    server.open_gauge_.Decrement();
  }
  Server& server;
  const uint64_t id;
  Stream& stream;
  MessageReader reader;
  RequestHead head;
  bool in_exchange = false;
  uint64_t requests = 0;
};

Server::Server(Runtime& runtime, observe::Observer observer, std::unique_ptr<Listener> listener,
               Limits limits, Handler handler, ErrorResponder error_responder)
    : runtime_(runtime),
      observer_(observer),
      listener_(std::move(listener)),
      limits_(limits),
      handler_(std::move(handler)),
      error_responder_(std::move(error_responder)),
      open_gauge_(observer.metrics.gauge("drumlin_http_connections", "Open HTTP connections.",
                                         {{"listener", listener_->local().to_string()}})),
      request_counter_(observer.metrics.counter("drumlin_http_requests_total",
                                                "Requests handed to a handler.",
                                                {{"listener", listener_->local().to_string()}})),
      refused_counter_(observer.metrics.counter(
          "drumlin_http_refused_total", "Requests and connections refused before any handler.",
          {{"listener", listener_->local().to_string()}})),
      fibers_(runtime.scheduler(), runtime.clock()) {}

Server::~Server() = default;

void Server::start() {
  DRUMLIN_CHECK(!std::exchange(started_, true));
  fibers_.add();
  runtime_.spawn("http accept", [this] {
    accept_loop();
    fibers_.done();
  });
}

void Server::stop() {
  if (std::exchange(stopping_, true)) return;
  listener_->close();
  for (auto& [id, connection] : connections_) {
    if (!connection->in_exchange) connection->stream.close();
  }
}

Status Server::settle(Instant deadline) {
  stop();
  if (fibers_.wait(deadline) == Wake::kNotified) return {};
  return {Code::kTimeout, "requests are under way"};
}

Status Server::drain(Instant deadline) {
  if (settle(deadline).ok()) return {};
  for (auto& [id, connection] : connections_)
    connection->stream.close();
  (void)fibers_.wait();
  return {Code::kTimeout, "connections were cut off"};
}

void Server::accept_loop() {
  while (!stopping_) {
    auto stream = listener_->accept();
    if (!stream.ok()) {
      if (stopping_ || stream.is(Code::kCancelled)) return;
      observer_.log.warn("http", "accept failed", {{"why", stream.status().to_string()}});
      (void)runtime_.sleep_for(100ms);
      continue;
    }
    runtime_.buggify_delay("http.slow_accept", 50ms);
    if (stopping_) return;
    const bool full = serving_ >= limits_.max_connections || runtime_.scheduler().crowded();
    if (full && refusing_ >= limits_.max_refusing) continue;  // closes it
    // A std::function is copyable, a stream is not.
    auto shared = std::make_shared<std::unique_ptr<Stream>>(std::move(*stream));
    fibers_.add();
    ++(full ? refusing_ : serving_);
    runtime_.spawn("http connection", [this, shared, full] {
      serve(std::move(*shared), full);
      --(full ? refusing_ : serving_);
      fibers_.done();
    });
  }
}

void Server::serve(std::unique_ptr<Stream> stream, bool refused) {
  if (stopping_) return;
  Connection connection(*this, next_connection_++, *stream);
  Next next = refused ? answer_error(connection, 503, "too many connections") : Next::kRequest;
  while (next == Next::kRequest) {
    next = read_head(connection);
    if (next != Next::kRequest) break;
    connection.in_exchange = true;
    next = serve_request(connection);
    // Pipelined requests need no wait between them: others get their turn.
    if (next == Next::kRequest) runtime_.scheduler().yield();
    // A server may close between two requests whenever it likes.
    const bool closes = stopping_ || runtime_.buggify("http.close_kept_alive");
    if (next == Next::kRequest && closes) next = Next::kLinger;
    connection.in_exchange = next != Next::kRequest;
  }
  if (next == Next::kLinger) linger(*stream);
}

// kRequest: connection.head is a request. Anything else: there is none, and where needed it was
// said.
Server::Next Server::read_head(Connection& connection) {
  MessageReader& reader = connection.reader;
  const Instant idle = after(runtime_.clock(), limits_.idle_timeout);
  Instant deadline = std::min(idle, after(runtime_.clock(), kRestAfter));
  bool begun = false;
  for (;;) {
    if (!begun && !reader.buffered().empty()) {
      begun = true;
      deadline = after(runtime_.clock(), limits_.head_timeout);
    }
    const HeadScanner::Found found = reader.next_head();
    if (found == HeadScanner::Found::kMalformed) {
      return answer_error(connection, 400, reader.scanner().reason());
    }
    if (reader.scanner().lines() > limits_.max_headers + 1) {
      return answer_error(connection, 431, "too many headers");
    }
    if (found == HeadScanner::Found::kHead) break;
    connection.stream.set_read_deadline(deadline);
    const auto n = reader.fill();
    if (n.is(Code::kTooLarge)) return answer_error(connection, 431, "headers too large");
    if (n.is(Code::kTimeout) && begun) return answer_error(connection, 408, "headers too slow");
    if (n.is(Code::kTimeout) && deadline < idle) {
      reader.rest();
      deadline = idle;
      continue;
    }
    if (!n.ok() || *n == 0) return Next::kClose;
  }
  const auto malformed = reader.take_request(connection.head);
  if (malformed) return answer_error(connection, malformed->status, malformed->reason);
  return Next::kRequest;
}

Server::Next Server::serve_request(Connection& connection) {
  ++requests_;
  request_counter_.Increment();
  const RequestHead& head = connection.head;
  observer_.trace("http.request", connection.id, connection.requests, head.target);
  Exchange exchange(connection.stream, connection.reader, runtime_.clock(), limits_, head,
                    stopping_);
  handler_(exchange);
  if (!exchange.finished() && !exchange.responded()) {
    give_error(exchange, 500, "the request was not answered");
  }
  observer_.trace("http.response", connection.id, connection.requests++,
                  std::to_string(exchange.status()));
  if (!exchange.finished()) return Next::kClose;  // broken off; nothing more can be said
  return exchange.settle() ? Next::kRequest : Next::kLinger;
}

// For what is no request: the connection cannot be understood any further.
Server::Next Server::answer_error(Connection& connection, int status, std::string_view reason) {
  connection.in_exchange = true;
  refused_counter_.Increment();
  observer_.log.debug(
      "http", "refused a request",
      {{"from", connection.stream.peer().to_string()}, {"status", status}, {"why", reason}});
  observer_.trace("http.refused", connection.id, static_cast<uint64_t>(status), reason);
  connection.head.clear();  // keep_alive is false, there is no body
  Exchange exchange(connection.stream, connection.reader, runtime_.clock(), limits_,
                    connection.head, stopping_);
  give_error(exchange, status, reason);
  return exchange.finished() ? Next::kLinger : Next::kClose;
}

void Server::give_error(Exchange& exchange, int status, std::string_view reason) {
  ResponseHead head;
  head.status = status;
  std::string body;
  error_responder_(status, reason, head, body);
  exchange.respond(std::move(head), body).ignore();  // who cannot be answered has left
}

// Says that nothing more comes, and lets the other side finish reading it.
void Server::linger(Stream& stream) {
  stream.shutdown_write();
  stream.set_read_deadline(after(runtime_.clock(), limits_.linger_timeout));
  std::array<char, 16 * 1024> scratch;
  size_t total = 0;
  while (total < limits_.linger_bytes) {
    const auto n = stream.read_some(scratch);
    if (!n.ok() || *n == 0) return;
    total += *n;
  }
}

}  // namespace drumlin::http
