// Between Endpoint and the sockaddr of the operating system.
#pragma once

#include <sys/socket.h>

#include "base/status.h"
#include "runtime/network.h"

namespace drumlin::host {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// kInvalidArgument unless the host is a numeric address.
Result<SocketAddress> to_address(const Endpoint& endpoint);

// IPv4 that came through an IPv6 socket is shown as IPv4.
Endpoint to_endpoint(const SocketAddress& address);

// Of a bound, or a connected, socket. An empty endpoint if it is not (any more).
Endpoint local_endpoint(int fd);
Endpoint peer_endpoint(int fd);

}  // namespace drumlin::host
