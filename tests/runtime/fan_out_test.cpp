// fan_out: every step once, so many at a time, and done even where no fiber is left.
#include "runtime/fan_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/world.h"

namespace drumlin {
namespace {

struct Seen {
  std::vector<size_t> began;
  size_t running = 0;
  size_t most = 0;
};

// A second each, so that those at once overlap.
Seen run(test::World& world, size_t n, size_t most) {
  Seen seen;
  world.run([&] {
    fan_out(world, "part", n, most, [&](size_t i) {
      seen.began.push_back(i);
      seen.most = std::max(seen.most, ++seen.running);
      (void)world.sleep_for(1s);
      --seen.running;
    });
    EXPECT_EQ(seen.running, 0u);
    EXPECT_EQ(seen.began.size(), n);
  });
  return seen;
}

TEST(FanOut, EachStepOnceAndSoManyAtATime) {
  for (const auto& [n, most, seconds] : {std::tuple<size_t, size_t, double>{10, 4, 3},
                                         {10, 10, 1},
                                         {3, 100, 1},
                                         {5, 1, 5},
                                         {1, 1, 1}}) {
    test::World world;
    const Seen seen = run(world, n, most);
    EXPECT_EQ(seen.most, std::min(n, most));
    EXPECT_TRUE(std::is_sorted(seen.began.begin(), seen.began.end()));
    EXPECT_EQ(world.clock().seconds(), seconds);
  }
}

TEST(FanOut, NothingToDo) {
  test::World world;
  EXPECT_TRUE(run(world, 0, 4).began.empty());
}

TEST(FanOut, OneAfterTheOtherWhereNoFiberIsLeft) {
  Scheduler::Options options;
  options.max_fibers = 3;
  test::World world(1, options);
  EXPECT_EQ(run(world, 10, 8).most, 3u) << "the caller and two more";

  options.max_fibers = 1;
  test::World full(1, options);
  const Seen seen = run(full, 10, 8);
  EXPECT_EQ(seen.most, 1u);
  EXPECT_TRUE(full.scheduler().fibers() <= 1);
}

}  // namespace
}  // namespace drumlin
