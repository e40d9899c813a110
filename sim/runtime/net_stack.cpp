#include "sim/runtime/net_stack.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sim/runtime/connection.h"
#include "sim/runtime/process.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {
namespace {

bool is_loopback(std::string_view address) {
  return address == "127.0.0.1" || address == "::1";
}
bool is_any(std::string_view address) {
  return address == "0.0.0.0" || address == "::";
}

// One end of a connection, in a process's hands. The network may have taken it from the process by
// then (a death): every call looks there first.
class SimStream final : public Stream {
 public:
  SimStream(Process& process, std::shared_ptr<Connection> connection, size_t end)
      : process_(process), connection_(std::move(connection)), end_(end) {}
  ~SimStream() override { close(); }
  SimStream(const SimStream&) = delete;
  SimStream& operator=(const SimStream&) = delete;

  Result<size_t> read_some(std::span<char> into) override {
    return connection_->read_some(end_, process_, into);
  }
  Result<size_t> write_some(std::span<const std::string_view> pieces) override {
    return connection_->write_some(end_, process_, pieces);
  }
  void set_read_deadline(Instant deadline) override {
    if (!process_.dead()) connection_->set_read_deadline(end_, deadline);
  }
  void set_write_deadline(Instant deadline) override {
    if (!process_.dead()) connection_->set_write_deadline(end_, deadline);
  }
  void shutdown_write() override {
    if (!process_.dead()) connection_->shutdown_write(end_);
  }
  void close() override {
    if (!process_.dead()) connection_->close(end_);
  }
  Endpoint peer() const override { return connection_->peer(end_); }

 private:
  Process& process_;
  std::shared_ptr<Connection> connection_;
  size_t end_;
};

// From the first packet of a connection to the answer, on the connecting fiber's stack. Its event
// is the arrival of a packet, or the end of the patience with one that was lost.
class Handshake final : public Event {
 public:
  enum class Outcome : uint8_t { kPending, kOpen, kRefused, kGaveUp };

  Handshake(Process& process, Connection& connection)
      : Event(nullptr),
        process_(process),
        world_(process.world()),
        connection_(connection),
        parked_(process.world(), process.host()),
        began_(world_.now()),
        patience_(world_.network().model().connect_retry) {}

  Outcome run(Instant deadline) {
    ask();
    (void)parked_.wait(deadline);
    return outcome_;
  }
  uint64_t listener() const { return listener_; }

  void fire() override {
    if (process_.dead()) return;
    switch (step_) {
      case Step::kAsked:
        return answer();
      case Step::kAnswered:
        return hear();
      case Step::kLost:
        return ask();
    }
  }

 private:
  enum class Step : uint8_t { kAsked, kAnswered, kLost };

  void ask() {
    asked_ = world_.now();
    step_ = Step::kAsked;
    travel(Connection::kClient);
  }
  void travel(size_t from) {
    SimNetwork& network = world_.network();
    const Duration d = network.latency(connection_.link(from), connection_.wire(from));
    world_.arm(*this, world_.now() + d);
  }

  // At the server.
  void answer() {
    if (!connection_.passes(Connection::kClient)) return lost(Connection::kClient);
    Host& server = connection_.host(Connection::kServer);
    const uint16_t port = connection_.port(Connection::kServer);
    const bool local = &server == &process_.host();
    SimListener* listener = world_.network().listener(server, port, local);
    world_.event(&server, "net.ask", connection_.id(), port);
    if (listener != nullptr && server.refuses_until > world_.now()) {
      world_.counters().effective("refused_connect");
      listener = nullptr;
    }
    if (listener != nullptr && !listener->has_room()) return lost(Connection::kClient);
    listener_ = listener == nullptr ? 0 : listener->id();
    step_ = Step::kAnswered;
    travel(Connection::kServer);
  }

  // At the client.
  void hear() {
    if (!connection_.passes(Connection::kServer)) return lost(Connection::kServer);
    world_.event(&process_.host(), "net.answer", connection_.id(), listener_ == 0 ? 0 : 1);
    end(listener_ == 0 ? Outcome::kRefused : Outcome::kOpen);
  }

  void lost(size_t from) {
    SimNetwork& network = world_.network();
    if (connection_.host(1 - from).up) network.felt(connection_.link(from));
    world_.event(&process_.host(), "net.lost", connection_.id());
    const Instant give_up = began_ + network.model().connect_give_up;
    if (give_up <= world_.now()) return end(Outcome::kGaveUp);
    step_ = Step::kLost;
    world_.arm(*this, std::max(world_.now(), std::min(asked_ + patience_, give_up)));
    patience_ *= 2;
  }

  void end(Outcome outcome) {
    outcome_ = outcome;
    parked_.wake();
  }

  Process& process_;
  World& world_;
  Connection& connection_;
  Parked parked_;
  const Instant began_;
  Instant asked_{};
  Duration patience_;
  Step step_ = Step::kAsked;
  Outcome outcome_ = Outcome::kPending;
  uint64_t listener_ = 0;  // 0: none
};

}  // namespace

Result<std::unique_ptr<Listener>> NetStack::listen(const Endpoint& endpoint) {
  if (process_.dead()) return {Code::kCancelled, "the process is dead"};
  Host& host = process_.host();
  const bool loopback = is_loopback(endpoint.host);
  if (!loopback && !is_any(endpoint.host) && endpoint.host != host.ip)
    return {Code::kInvalidArgument, "not an address of this host: " + endpoint.to_string()};
  SimNetwork& network = process_.world().network();
  Endpoint local = endpoint;
  if (local.port == 0) local.port = network.ephemeral_port(host);
  if (network.listener(host, local.port, true) != nullptr)
    return {Code::kAlreadyExists, "address in use: " + local.to_string()};
  return std::unique_ptr<Listener>(
      std::make_unique<SimListener>(process_, network.next_listener(), local, loopback));
}

Result<std::unique_ptr<Stream>> NetStack::connect(const Endpoint& endpoint, Instant deadline) {
  process_.require_alive();
  World& world = process_.world();
  if (deadline != kNever && deadline <= world.now()) return {Code::kTimeout, "connect"};
  SimNetwork& network = world.network();
  Host& here = process_.host();
  const bool to_self = is_loopback(endpoint.host) || is_any(endpoint.host);
  Host* server = to_self ? &here : network.find(endpoint.host);
  if (server == nullptr) return {Code::kUnavailable, "no route to " + endpoint.to_string()};
  const uint16_t port = network.ephemeral_port(here);
  const auto connection =
      std::make_shared<Connection>(network, process_, port, *server, endpoint.port);
  Handshake handshake(process_, *connection);
  switch (handshake.run(deadline)) {
    case Handshake::Outcome::kOpen:
      break;
    case Handshake::Outcome::kRefused:
      return {Code::kUnavailable, "connection refused: " + endpoint.to_string()};
    case Handshake::Outcome::kPending:
    case Handshake::Outcome::kGaveUp:
      return {Code::kTimeout, "connect to " + endpoint.to_string()};
  }
  connection->establish(handshake.listener());
  return std::unique_ptr<Stream>(
      std::make_unique<SimStream>(process_, connection, Connection::kClient));
}

// -- SimListener

SimListener::SimListener(Process& process, uint64_t id, Endpoint local, bool local_only)
    : process_(process),
      id_(id),
      local_(std::move(local)),
      local_only_(local_only),
      backlog_(std::make_shared<Backlog>()) {
  const bool added = process_.world().network().add_listener(process_.host(), local_.port, this);
  DRUMLIN_CHECK(added, local_.to_string());
}

SimListener::~SimListener() {
  close();
}

bool SimListener::has_room() const {
  return backlog_->connections.size() < process_.world().network().model().backlog;
}

void SimListener::arrived(std::shared_ptr<Connection> connection) {
  connection->attach(process_);
  backlog_->connections.push_back(std::move(connection));
  if (backlog_->waiting.empty()) return;
  Parked* const first = backlog_->waiting.front();
  backlog_->waiting.pop_front();
  first->wake();
}

Result<std::unique_ptr<Stream>> SimListener::accept() {
  const auto backlog = backlog_;
  Process& process = process_;
  for (;;) {
    process.require_alive();
    if (backlog->closed) return {Code::kCancelled, "listener closed"};
    if (!backlog->connections.empty()) break;
    Parked parked(process.world(), process.host());
    struct Standing {
      ~Standing() { std::erase(queue, parked); }
      std::deque<Parked*>& queue;
      Parked* parked;
    } standing{backlog->waiting, &parked};
    backlog->waiting.push_back(&parked);
    (void)parked.wait();
  }
  auto connection = std::move(backlog->connections.front());
  backlog->connections.pop_front();
  return std::unique_ptr<Stream>(
      std::make_unique<SimStream>(process, std::move(connection), Connection::kServer));
}

void SimListener::close() {
  if (backlog_->closed) return;
  backlog_->closed = true;
  if (process_.dead()) return;  // the network has forgotten the port and reset the connections
  process_.world().network().remove_listener(process_.host(), local_.port);
  for (const auto& connection : backlog_->connections)
    connection->abandon(Connection::kServer);
  backlog_->connections.clear();
  for (Parked* parked : backlog_->waiting)
    parked->wake();
  backlog_->waiting.clear();
}

}  // namespace drumlin::sim
