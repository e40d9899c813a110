// What the load generator asks of the operating system: clocks, CPU time, sockets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace drumlin::bench {

uint64_t monotonic_ns();
WallTime wall_now();

// CPU time so far, user and kernel, of this process and of others (/proc/PID/stat, in ticks of
// 10 ms). A process that is gone is an error: its share would be missing from the answer.
uint64_t own_cpu_ns();
Result<uint64_t> cpu_ns_of(const std::vector<int>& pids);

struct Address {
  std::string host;  // numeric IPv4
  uint16_t port = 0;
  std::string text() const { return host + ":" + std::to_string(port); }
  static Result<Address> parse(std::string_view text);
};

// A non-blocking TCP socket, connected; -1 with errno otherwise. Blocks for the handshake.
int connect_to(const Address& address);

}  // namespace drumlin::bench
