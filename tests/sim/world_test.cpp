// The loop, and that a seed is a run.
#include <memory>
#include <set>
#include <vector>

#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

TEST(World, RunsActionsInOrder) {
  World world(1);
  std::vector<int> order;
  world.at(Instant(3s), [&] { order.push_back(3); });
  world.at(Instant(2s), [&] { order.push_back(1); });
  world.at(Instant(2s), [&] { order.push_back(2); });
  EXPECT_EQ(world.now(), Instant(1s));
  world.run_until(Instant(2s));
  EXPECT_EQ(order, (std::vector{1, 2}));
  EXPECT_EQ(world.now(), Instant(2s));
  EXPECT_TRUE(world.run_until([&] { return order.size() == 3; }, Instant(1h)));
  EXPECT_EQ(world.now(), Instant(3s));
  EXPECT_FALSE(world.run_until([] { return false; }, Instant(5s)));
  EXPECT_EQ(world.now(), Instant(5s));
  world.at(Instant(1s), [&] { order.push_back(4); });
  world.run_for(Duration(0));
  EXPECT_EQ(order.back(), 4) << "what lies in the past happens now";
  EXPECT_EQ(world.events(), 4u);
}

TEST(World, StreamsDependOnNameAndSeedOnly) {
  World world(1);
  const uint64_t a = world.stream("a").next();
  (void)world.stream("b").next();
  EXPECT_EQ(world.stream("a").next(), a);
  EXPECT_NE(world.stream("b").next(), a);
  EXPECT_NE(World(2).stream("a").next(), a);
}

// Three nodes that write, sync, offload and talk under kills, cuts, partitions and pauses.
struct BusyRun {
  uint64_t hash = 0;
  uint64_t events = 0;
  std::unique_ptr<World> world;
};

BusyRun busy_run(uint64_t seed, bool record = false) {
  World::Options options;
  options.trace.record = record;
  BusyRun run;
  run.world = std::make_unique<World>(seed, options);
  World& world = *run.world;
  const auto main = [](Runtime& runtime) {
    auto listener = runtime.network().listen({"0.0.0.0", 80}).value();
    runtime.spawn("serve", [&] {
      for (;;) {
        auto accepted = listener->accept();
        if (!accepted.ok()) return;
        char block[2000];
        auto n = (*accepted)->read_some(block);
        if (n.ok()) (void)(*accepted)->write_all({block, *n});
      }
    });
    Rng rng = runtime.random().stream("work");
    auto file = runtime.disk().open("log", OpenMode::kCreate);
    for (uint64_t i = 0; file.ok(); ++i) {
      (void)(*file)->write_at(i * 100, pattern(100, i));
      if (rng.below(3) == 0) (void)(*file)->sync();
      runtime.offload([&] { (void)runtime.disk().blocking().sync_dir(""); });
      const Endpoint to{"10.0.0." + std::to_string(rng.between(1, 3)), 80};
      auto stream = runtime.network().connect(to, after(runtime.clock(), 500ms));
      if (!stream.ok()) continue;
      (*stream)->set_read_deadline(after(runtime.clock(), 500ms));
      char block[2000];
      if ((*stream)->write_all(pattern(rng.between(1, 2000))).ok())
        (void)(*stream)->read_some(block);
    }
  };
  for (uint64_t id = 1; id <= 3; ++id)
    world.add_machine(NodeId(id)).boot(main);
  Rng rng = world.stream("faults");
  for (int i = 0; i < 40; ++i) {
    world.run_for(rng.duration_between(1ms, 200ms));
    const NodeId id(rng.between(1, 3));
    Machine& machine = world.machine(id);
    const bool power = rng.below(2) == 0;
    switch (rng.below(5)) {
      case 0:
        machine.crash_at_io(rng.between(1, 10), power);
        break;
      case 1:
        machine.power_off();
        break;
      case 2:
        world.network().partition({machine.ip()}, {"10.0.0.1", "10.0.0.2"});
        break;
      case 3:
        machine.pause(50ms);
        break;
      default:
        world.network().heal();
    }
    for (const auto& [other, m] : world.machines()) {
      if (!m->running() && rng.below(2) == 0) m->boot(main);
    }
  }
  run.hash = world.trace().hash();
  run.events = world.events();
  return run;
}

TEST(World, SameSeedSameRun) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const BusyRun once = busy_run(seed);
    const BusyRun again = busy_run(seed, true);
    EXPECT_EQ(once.hash, again.hash) << seed;
    EXPECT_EQ(once.events, again.events);
    EXPECT_GT(once.events, 1000u);
    hashes.insert(once.hash);
    for (const char* family : {"crash", "power", "partition", "pause"})
      EXPECT_GE(once.world->counters().get(family).injected,
                once.world->counters().get(family).effective)
          << family;
  }
  EXPECT_EQ(hashes.size(), 5u) << "another seed is another run";
}

// The same in every build: debug and release, GCC and Clang, with sanitizers. A change of the
// models or of what is traced changes it: then say so and put in the new number, after two builds
// agree.
TEST(World, RunIsTheSameInEveryBuild) {
  EXPECT_EQ(busy_run(4711).hash, 13270646284076686432u);
}

TEST(World, FirstDifferenceOfTwoRuns) {
  const BusyRun one = busy_run(1, true);
  const BusyRun same = busy_run(1, true);
  const BusyRun other = busy_run(2, true);
  EXPECT_EQ(Trace::first_difference(one.world->trace(), same.world->trace()), std::nullopt);
  const auto at = Trace::first_difference(one.world->trace(), other.world->trace());
  ASSERT_TRUE(at.has_value());
  EXPECT_EQ(one.world->trace().recorded().size(), one.world->trace().count());
}

// A draw in one place shifts nothing in another: what node 3 does to its disk alone does not change
// when the packets between 1 and 2 arrive.
TEST(World, StreamsAreIndependent) {
  const auto arrivals = [](bool busy_disk) {
    World::Options options;
    options.trace.record = true;
    World world(1, options);
    world.add_machine(NodeId(1)).boot([](Runtime& runtime) {
      auto listener = runtime.network().listen({"10.0.0.1", 80}).value();
      auto stream = listener->accept().value();
      char block[100];
      while (stream->read_some(block).value() > 0) {
      }
    });
    world.add_machine(NodeId(2)).boot([](Runtime& runtime) {
      (void)runtime.sleep_for(1ms);
      auto stream = runtime.network().connect({"10.0.0.1", 80}, kNever).value();
      for (int i = 0; i < 50; ++i) {
        (void)stream->write_all("x");
        (void)runtime.sleep_for(1ms);
      }
    });
    world.add_machine(NodeId(3)).boot([&](Runtime& runtime) {
      for (int i = 0; i < 50 && busy_disk; ++i)
        (void)write_file(runtime.disk(), "a", "x", true);
    });
    world.run_for(1s);
    std::vector<Instant> out;
    for (const Trace::Entry& entry : world.trace().recorded()) {
      if (entry.kind == "net.data") out.push_back(entry.at);
    }
    return out;
  };
  const auto quiet = arrivals(false);
  EXPECT_EQ(quiet.size(), 50u);
  EXPECT_EQ(arrivals(true), quiet);
}

}  // namespace
}  // namespace drumlin::sim::test
