#include "host/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace drumlin::host {
namespace {

template <typename T>
T read_as(const SocketAddress& address) {
  T out;
  std::memcpy(&out, &address.storage, sizeof out);
  return out;
}

template <typename T>
SocketAddress write_as(const T& value) {
  SocketAddress out;
  std::memcpy(&out.storage, &value, sizeof value);
  out.length = sizeof value;
  return out;
}

std::string host_text(int family, const void* bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  return ::inet_ntop(family, bytes, text, sizeof text) == nullptr ? std::string() : text;
}

}  // namespace

Result<SocketAddress> to_address(const Endpoint& endpoint) {
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, endpoint.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    return write_as(v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, endpoint.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    return write_as(v6);
  }
  return Status(Code::kInvalidArgument, "not a numeric address: \"" + endpoint.host + "\"");
}

Endpoint to_endpoint(const SocketAddress& address) {
  if (address.family() == AF_INET) {
    const auto v4 = read_as<sockaddr_in>(address);
    return {host_text(AF_INET, &v4.sin_addr), ntohs(v4.sin_port)};
  }
  if (address.family() != AF_INET6) return {};
  const auto v6 = read_as<sockaddr_in6>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    return {host_text(AF_INET, &v6.sin6_addr.s6_addr[12]), ntohs(v6.sin6_port)};
  }
  return {host_text(AF_INET6, &v6.sin6_addr), ntohs(v6.sin6_port)};
}

Endpoint local_endpoint(int fd) {
  SocketAddress address;
  if (::getsockname(fd, address.raw(), &address.length) != 0) return {};
  return to_endpoint(address);
}

Endpoint peer_endpoint(int fd) {
  SocketAddress address;
  if (::getpeername(fd, address.raw(), &address.length) != 0) return {};
  return to_endpoint(address);
}

}  // namespace drumlin::host
