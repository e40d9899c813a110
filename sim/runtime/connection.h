// Connection: one TCP-like connection, both ends and what is on the wire between them.
//
// Each direction is one queue of bytes: [read | arrived, unread | under way], and packets that say
// when which of them arrive. Whatever does not get through (a partition, a host without power)
// stops its direction, `held`, until SimNetwork releases it: retransmission without the traffic. An
// end has a process only from open to close; its kernel may go on (what was written before a close
// arrives) or know nothing of the connection any more, and then answers whatever arrives with a
// reset. A reset is never retransmitted.
//
// Shared by the streams of both ends and the backlog.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/rng.h"
#include "base/status.h"
#include "base/time.h"
#include "runtime/network.h"
#include "sim/runtime/network.h"
#include "sim/runtime/parked.h"
#include "sim/runtime/ring.h"

namespace drumlin::sim {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr size_t kClient = 0;
  static constexpr size_t kServer = 1;

  // Not connected yet; the handshake is net_stack.cpp's.
  Connection(SimNetwork& network, Process& client, uint16_t client_port, Host& server,
             uint16_t server_port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  uint64_t id() const { return id_; }

  // -- The handshake.
  Rng& wire(size_t from) { return ways_[from].wire; }
  SimNetwork::Link& link(size_t from) { return *ways_[from].link; }
  Host& host(size_t end) { return *ends_[end].host; }
  uint16_t port(size_t end) const { return ends_[end].port; }
  bool passes(size_t from) const;
  // The client's end is open, and its word of it on the way to that listener.
  void establish(uint64_t listener);
  // The server's end waits in the backlog of a listener of `process`.
  void attach(Process& process);

  // -- Streams: `end` is the caller's.
  Result<size_t> read_some(size_t end, Process& process, std::span<char> into);
  Result<size_t> write_some(size_t end, Process& process, std::span<const std::string_view> pieces);
  void set_read_deadline(size_t end, Instant deadline);
  void set_write_deadline(size_t end, Instant deadline);
  void shutdown_write(size_t end);
  void close(size_t end);
  Endpoint peer(size_t end) const { return {ends_[1 - end].host->ip, ends_[1 - end].port}; }

  // -- The network.
  bool between(const Host& a, const Host& b) const;
  bool established() const { return ends_[kClient].state != State::kOpening; }
  bool belongs_to(size_t end, const Process& process) const {
    return ends_[end].process == &process;
  }
  // This end's process is gone, or closed without reading; its kernel says so to the other.
  void abandon(size_t end);
  void host_down(const Host& host);
  void reset_both();
  // From now on nothing passes, either way, and neither end hears why.
  void vanish() { vanished_ = true; }
  // Something that held packets or acknowledgements is over.
  void release();
  void drop_self() { self_.reset(); }

 private:
  enum class State : uint8_t {
    kOpening,  // the server, until the client's word has arrived
    kOpen,
    kReset,
    kClosed,  // by its process
    kGone,    // its kernel does not know it
  };
  struct End {
    Host* host = nullptr;
    uint16_t port = 0;
    Process* process = nullptr;
    State state = State::kOpening;
    bool saw_end = false;  // the other's shutdown has arrived
    bool ended = false;    // our shutdown is on its way
    Instant read_deadline = kNever;
    Instant write_deadline = kNever;
    Parked* reader = nullptr;
    Parked* writer = nullptr;
  };
  enum class Kind : uint8_t { kData, kOpen, kEnd, kReset };
  struct Packet {
    Instant at{};
    uint64_t end = 0;  // of its bytes
    Kind kind = Kind::kData;
    bool corrupt = false;
    bool breaks = false;  // resets both ends where it arrives
  };
  // One direction; its event is the arrival of the first packet.
  struct Way final : Event {
    Way() : Event(nullptr) {}
    void fire() override { connection->arrive(from); }
    Connection* connection = nullptr;
    size_t from = 0;
    SimNetwork::Link* link = nullptr;
    Rng wire{0};    // latencies, partial writes
    Rng faults{0};  // drawn from only where a fault is possible
    Rng reads{0};   // partial reads
    ByteRing bytes;
    uint64_t arrived = 0;
    uint64_t acknowledged = 0;
    Ring<Packet> packets;
    Instant last_arrival{};
    bool held = false;     // until release()
    bool stalled = false;  // until the receiver reads
  };

  World& world() const { return network_.world(); }
  void send(size_t from, Kind kind);
  void arrive(size_t from);
  bool arrive_first(size_t from);
  bool arrive_data(size_t from, const Packet& packet);
  bool arrive_open(size_t from);
  void hold(size_t from);
  void forget_under_way(size_t from);
  void cut_under_way(size_t from);
  void send_reset(size_t from);
  void reset(size_t end);
  void acknowledge(size_t from);
  void wake(size_t end);
  size_t partial(Way& way, Rng& rng, size_t n) const;

  SimNetwork& network_;
  const uint64_t id_;
  End ends_[2];
  Way ways_[2];  // by the end that sends
  uint64_t listener_ = 0;
  bool vanished_ = false;
  bool vanish_felt_ = false;
  // While the client has closed and the server has not heard of it.
  std::shared_ptr<Connection> self_;
};

}  // namespace drumlin::sim
