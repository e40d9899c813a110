// HTTP's echo workload over TLS: over pipes, and in the simulator, where a run repeats with its seed:
// keys, nonces and signatures of both sides come from the simulated machine.
#include "tests/http/echo.h"

#include "tests/sim/harness.h"
#include "tests/tls/fixture.h"

namespace drumlin::tls::test {
namespace {

TEST(Echo, OverPipes) {
  for (const std::string kind : {"P-256", "RSA-2048"}) {
    for (const size_t max_read : {SIZE_MAX, size_t{700}}) {
      World world(7);
      world.server_max_read = max_read;
      world.capacity = 10000;
      TlsRuntime runtime(world, issued(kind));
      world.run([&] { http::test::run_echo(runtime, world.observer(), {"10.0.0.1", 80}, 20); });
      EXPECT_GE(runtime.handshakes, 3u);
      EXPECT_EQ(runtime.refused, 0u);
    }
  }
}

uint64_t echo(uint64_t seed, const Issued& identity) {
  sim::World::Options options;
  options.network.link.partial_per_1024 = 200;
  sim::World world(seed, options);
  sim::Machine& machine = world.add_machine(NodeId(1));
  observe::Metrics metrics;
  sim::test::run_on(world, machine, [&](Runtime& below) {
    observe::Log log(below.clock(), NodeId(1), observe::Level::kError, {});
    TlsRuntime runtime(below, identity);
    http::test::run_echo(runtime, {log, metrics, &machine.trace_sink()}, {"10.0.0.1", 80}, 20);
    EXPECT_GE(runtime.handshakes, 3u);
  });
  EXPECT_EQ(world.network().connections(), 0u);
  return world.trace().hash();
}

TEST(Echo, InTheSimulatorSameSeedSameHash) {
  for (const Issued& identity : {issue({.key = "ED25519"}), issue({.key = "P-256"})}) {
    const uint64_t once = echo(7, identity);
    EXPECT_EQ(echo(7, identity), once);
    EXPECT_NE(echo(8, identity), once);
  }
}

TEST(Echo, InTheSimulatorWithOffloadedHandshakes) {
  const uint64_t once = echo(7, issued("RSA-2048"));
  EXPECT_EQ(echo(7, issued("RSA-2048")), once);
  for (uint64_t seed = 100; seed < 105; ++seed)
    echo(seed, issued("RSA-2048"));
}

}  // namespace
}  // namespace drumlin::tls::test
