// HTTP's echo workload in the simulator: the same code as over sockets and pipes.
#include "tests/http/echo.h"

#include "observe/observer.h"
#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

uint64_t echo(uint64_t seed) {
  World::Options options;
  options.network.link.partial_per_1024 = 200;
  World world(seed, options);
  Machine& machine = world.add_machine(NodeId(1));
  observe::Metrics metrics;
  size_t before = 0;
  run_on(world, machine, [&](Runtime& runtime) {
    observe::Log log(runtime.clock(), NodeId(1), observe::Level::kError, {});
    before = world.trace().count();
    http::test::run_echo(runtime, {log, metrics, &machine.trace_sink()}, {"10.0.0.1", 80}, 20);
  });
  EXPECT_GE(world.trace().count() - before, 3u * 20 * 3);
  EXPECT_EQ(world.network().connections(), 0u);
  return world.trace().hash();
}

TEST(EchoInTheSimulator, SameSeedSameHash) {
  const uint64_t once = echo(7);
  EXPECT_EQ(echo(7), once);
  EXPECT_NE(echo(8), once);
}

TEST(EchoInTheSimulator, ManySeeds) {
  for (uint64_t seed = 100; seed < 110; ++seed)
    echo(seed);
}

}  // namespace
}  // namespace drumlin::sim::test
