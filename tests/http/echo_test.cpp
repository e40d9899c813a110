// The echo workload over byte pipes: the same seed gives the same trace, another seed another.
#include "tests/http/echo.h"

#include "tests/http/world.h"

namespace drumlin::http::test {
namespace {

uint64_t trace_of(uint64_t seed, size_t max_read) {
  World world(seed);
  world.server_max_read = max_read;
  world.capacity = 10000;
  HashTrace trace;
  observe::Observer observer = world.observer();
  observer.sink = &trace;
  world.run([&] { run_echo(world, observer, {"10.0.0.1", 80}, 20); });
  EXPECT_GE(trace.events, 3u * 20 * 3) << "request, response and the client's word for each";
  return trace.hash;
}

TEST(Echo, SameSeedSameTrace) {
  const uint64_t once = trace_of(7, SIZE_MAX);
  EXPECT_EQ(trace_of(7, SIZE_MAX), once);
  EXPECT_NE(trace_of(8, SIZE_MAX), once);
}

TEST(Echo, ArrivesWholeInSmallReads) {
  trace_of(9, 100);
}

}  // namespace
}  // namespace drumlin::http::test
