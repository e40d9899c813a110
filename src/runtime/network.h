// Network: byte streams between endpoints. In production TCP sockets; in simulation byte pipes with
// latency, partitions and loss. All calls are for fibers and may yield unless they say otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"

namespace drumlin {

// A numeric address ("127.0.0.1", "::1"; in simulation "10.0.0.<node>") and a port. No names: a
// resolver would be one more thing that can stall or lie.
struct Endpoint {
  std::string host;
  uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
  auto operator<=>(const Endpoint&) const = default;
  std::string to_string() const;  // "host:port", IPv6 in brackets
  // Accepts what to_string() makes. kInvalidArgument otherwise.
  static Result<Endpoint> parse(std::string_view text);
};

// One connection. At most one fiber reads and one writes at a time; close() may come from any.
class Stream {
 public:
  // Closes. Does not yield.
  virtual ~Stream() = default;

  // Reads at least one byte; 0 means the other side has shut down its writing. kClosed after a
  // reset, kTimeout past the deadline, kCancelled once closed from our side.
  virtual Result<size_t> read_some(std::span<char> into) = 0;
  // Writes at least one byte of the (non-empty) pieces, in order. Errors as read_some.
  virtual Result<size_t> write_some(std::span<const std::string_view> pieces) = 0;

  // For reads and writes from now on, also those under way. kNever: none (the default).
  virtual void set_read_deadline(Instant deadline) = 0;
  virtual void set_write_deadline(Instant deadline) = 0;

  // Ends our direction; the other side reads to the end. Does not yield.
  virtual void shutdown_write() = 0;
  // Ends both directions at once; calls under way return kCancelled. Idempotent. Does not yield.
  virtual void close() = 0;

  virtual Endpoint peer() const = 0;

  // Loops over the above. read_exact: kClosed if the stream ends first.
  Status read_exact(std::span<char> into);
  Status write_all(std::string_view bytes);
  Status write_all(std::span<const std::string_view> pieces);
};

class Listener {
 public:
  virtual ~Listener() = default;
  // kCancelled once closed; kExhausted when out of descriptors (back off and try again).
  virtual Result<std::unique_ptr<Stream>> accept() = 0;
  virtual void close() = 0;
  virtual Endpoint local() const = 0;  // the actual port if 0 was asked for
};

class Network {
 public:
  virtual ~Network() = default;
  // Does not yield. kAlreadyExists if the address is in use, kInvalidArgument if it is none.
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) = 0;
  // kUnavailable if refused or unreachable, kTimeout.
  virtual Result<std::unique_ptr<Stream>> connect(const Endpoint& endpoint, Instant deadline) = 0;
};

}  // namespace drumlin
