#include "bench/client/system.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "base/check.h"

namespace drumlin::bench {
namespace {

uint64_t read_clock(clockid_t id) {
  timespec t{};
  DRUMLIN_CHECK_EQ(::clock_gettime(id, &t), 0);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace

uint64_t monotonic_ns() {
  return read_clock(CLOCK_MONOTONIC);
}

WallTime wall_now() {
  return WallTime(Duration(static_cast<int64_t>(read_clock(CLOCK_REALTIME))));
}

uint64_t own_cpu_ns() {
  return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

Result<uint64_t> cpu_ns_of(const std::vector<int>& pids) {
  const auto ticks_per_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  uint64_t total = 0;
  for (const int pid : pids) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) return Status(Code::kNotFound, "cannot read " + path);
    // The name in parentheses may hold anything; after it come the fields from the third on.
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i)
      fields >> skipped;
    uint64_t user = 0, kernel = 0;
    fields >> user >> kernel;
    if (!fields) return Status(Code::kCorrupt, path + " is not as expected");
    total += (user + kernel) * (1'000'000'000 / ticks_per_second);
  }
  return total;
}

Result<Address> Address::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  Address out;
  if (colon != std::string_view::npos) {
    out.host = text.substr(0, colon);
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, out.port);
    in_addr address{};
    if (error == std::errc() && at == end &&
        ::inet_pton(AF_INET, out.host.c_str(), &address) == 1) {
      return out;
    }
  }
  return Status(Code::kInvalidArgument, "not an address A.B.C.D:PORT: " + std::string(text));
}

int connect_to(const Address& address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(address.port);
  DRUMLIN_CHECK_EQ(::inet_pton(AF_INET, address.host.c_str(), &name.sin_addr), 1);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

}  // namespace drumlin::bench
