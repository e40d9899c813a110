// TCP sockets behind runtime/network.h: non-blocking, edge-triggered, TCP_NODELAY. A call tries
// first and waits only if it would block. Streams and listeners must not outlive the Reactor.
#pragma once

#include <memory>

#include "host/reactor.h"
#include "runtime/network.h"

namespace drumlin::host {

class Sockets final : public Network {
 public:
  explicit Sockets(Reactor& reactor) : reactor_(reactor) {}
  // kPermissionDenied too, for a port that this user may not have.
  Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) override;
  // kExhausted too, when out of descriptors.
  Result<std::unique_ptr<Stream>> connect(const Endpoint& endpoint, Instant deadline) override;

 private:
  Reactor& reactor_;
};

}  // namespace drumlin::host
