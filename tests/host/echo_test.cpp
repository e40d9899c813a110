// The echo workload of http over real sockets.
#include "tests/http/echo.h"

#include "tests/host/fixture.h"

namespace drumlin::host::test {
namespace {

void run_echo_at(const std::string& address) {
  on_host([&](Runtime& runtime) {
    observe::Log log(runtime.clock(), NodeId(1), observe::Level::kError, stderr_log_sink());
    observe::Metrics metrics;
    http::test::run_echo(runtime, {log, metrics}, {address, 0}, 50);
  });
}

TEST(Echo, Ipv4) {
  run_echo_at("127.0.0.1");
}

TEST(Echo, Ipv6) {
  bool there = false;
  on_host([&](Runtime& runtime) { there = runtime.network().listen({"::1", 0}).ok(); });
  if (!there) GTEST_SKIP() << "no IPv6 here";
  run_echo_at("::1");
}

}  // namespace
}  // namespace drumlin::host::test
