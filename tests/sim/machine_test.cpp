// Lives and deaths of processes.
#include <memory>
#include <set>
#include <vector>

#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

struct Note {
  ~Note() { ++*unwound; }
  int* unwound;
};

TEST(Machine, LivesAndExits) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  std::vector<Exit> exits;
  machine.on_exit([&](Exit how) {
    exits.push_back(how);
    EXPECT_FALSE(machine.running());
  });
  const auto forever = [](Runtime& runtime) { (void)runtime.sleep_for(1h); };
  EXPECT_FALSE(machine.powered());
  int unwound = 0;
  machine.boot([&](Runtime& runtime) {
    runtime.spawn("other", [&] {
      Note note{&unwound};
      (void)runtime.sleep_for(1h);
    });
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
  });
  EXPECT_TRUE(machine.powered());
  EXPECT_TRUE(machine.running());
  world.run_for(2s);
  EXPECT_FALSE(machine.running());
  EXPECT_EQ(unwound, 1) << "it ends with all its fibers";
  machine.boot([](Runtime& runtime) { runtime.halt("broken"); });
  world.run_for(1s);
  EXPECT_EQ(machine.halt_reason(), "broken");
  machine.boot(forever);
  world.run_for(1s);
  machine.kill();
  machine.kill();
  EXPECT_TRUE(machine.powered());
  EXPECT_EQ(machine.halt_reason(), "");
  machine.boot(forever);
  world.run_for(1s);
  machine.power_off();
  EXPECT_FALSE(machine.powered());
  machine.kill();
  EXPECT_EQ(exits, (std::vector{Exit::kReturned, Exit::kHalted, Exit::kKilled, Exit::kPowerOff}));
  EXPECT_EQ(machine.boots(), 4u);
  EXPECT_EQ(world.counters().get("halt").effective, 1u);
  EXPECT_EQ(world.counters().get("crash").effective, 1u);
}

TEST(Machine, RestartInsideHandlersAndOnExit) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  int lives = 0;
  const auto main = [&](Runtime& runtime) {
    ++lives;
    (void)runtime.sleep_for(10s);
  };
  machine.boot(main);
  world.at(Instant(2s), [&] {
    machine.kill();
    EXPECT_FALSE(machine.running());
    machine.boot(main);
  });
  world.run_for(5s);
  EXPECT_EQ(lives, 2);
  machine.on_exit([&](Exit) {
    if (!machine.running() && lives < 5) machine.boot(main);
  });
  machine.kill();
  EXPECT_TRUE(machine.running());
  world.run_for(1min);
  EXPECT_EQ(lives, 5) << "a crash loop";
  EXPECT_FALSE(machine.running());
}

TEST(Machine, HaltEndsOnlyThatNode) {
  World world(1);
  Machine& one = world.add_machine(NodeId(1));
  Machine& two = world.add_machine(NodeId(2));
  bool after_halt = false;
  int unwound = 0;
  two.boot([](Runtime& runtime) { (void)runtime.sleep_for(1h); });
  one.boot([&](Runtime& runtime) {
    Note note{&unwound};
    runtime.spawn("halts", [&] { runtime.halt("sync failed"); });
    (void)runtime.sleep_for(1s);
    after_halt = true;
  });
  world.run_for(10s);
  EXPECT_FALSE(one.running());
  EXPECT_TRUE(two.running());
  EXPECT_FALSE(after_halt);
  EXPECT_EQ(unwound, 1);
  EXPECT_EQ(one.halt_reason(), "sync failed");
}

TEST(Machine, HaltInAJobAndInATimer) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  machine.boot([](Runtime& runtime) {
    runtime.offload([&] { runtime.halt("in a job"); });
    ADD_FAILURE();
  });
  world.run_for(1s);
  EXPECT_EQ(machine.halt_reason(), "in a job");
  struct Bomb : Timer {
    explicit Bomb(Runtime& r) : runtime(r) {}
    void fire() override { runtime.halt("in a timer"); }
    Runtime& runtime;
  };
  machine.boot([](Runtime& runtime) {
    Bomb bomb(runtime);
    runtime.clock().arm(bomb, after(runtime.clock(), 1ms));
    (void)runtime.sleep_for(1s);
    ADD_FAILURE();
  });
  world.run_for(1s);
  EXPECT_EQ(machine.halt_reason(), "in a timer");
}

// A log of three records, each acknowledged after its sync, killed at every single call.
class CrashAtIo : public ::testing::TestWithParam<bool> {};

TEST_P(CrashAtIo, EveryCallOfAWorkload) {
  const bool power = GetParam();
  const auto workload = [](Runtime& runtime, int& acknowledged) {
    auto file = runtime.disk().open("log", OpenMode::kCreate).value();
    EXPECT_TRUE(runtime.disk().sync_dir("").ok());
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(file->write_at(static_cast<uint64_t>(i), std::string(1, 'x')).ok());
      EXPECT_TRUE(file->sync().ok());
      acknowledged = i + 1;
    }
  };
  uint64_t calls = 0;
  std::set<size_t> beyond;  // more on disk than was acknowledged
  for (uint64_t k = 1; k <= 9; ++k) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      World world(seed);
      Machine& machine = world.add_machine(NodeId(1));
      Exit how = Exit::kHalted;
      machine.on_exit([&](Exit e) { how = e; });
      int acknowledged = 0;
      machine.crash_at_io(k, power);
      machine.boot([&](Runtime& runtime) { workload(runtime, acknowledged); });
      world.run_for(1min);
      EXPECT_FALSE(machine.running());
      calls = machine.ios();
      if (k > calls) {
        EXPECT_EQ(how, Exit::kReturned);
        EXPECT_EQ(acknowledged, 3);
        continue;
      }
      EXPECT_EQ(calls, k);
      EXPECT_EQ(how, power ? Exit::kPowerOff : Exit::kKilled);
      EXPECT_EQ(machine.powered(), !power);
      // Calls: open, sync_dir, then a write and a sync each.
      EXPECT_EQ(acknowledged, static_cast<int>(k <= 2 ? 0 : (k - 3) / 2))
          << "the caller does not hear of the k-th call";
      const size_t kept = machine.disk().cache_read("log", 0, 10).size();
      EXPECT_GE(kept, static_cast<size_t>(acknowledged));
      beyond.insert(kept - static_cast<size_t>(acknowledged));
    }
  }
  EXPECT_EQ(calls, 8u);
  EXPECT_EQ(beyond, power ? (std::set<size_t>{0, 1}) : (std::set<size_t>{0, 1}));
}

INSTANTIATE_TEST_SUITE_P(Machine, CrashAtIo, ::testing::Values(false, true));

TEST(Machine, CrashInsideAJob) {
  for (const bool power : {false, true}) {
    for (uint64_t k = 1; k <= 4; ++k) {
      World world(k);
      Machine& machine = world.add_machine(NodeId(1));
      machine.crash_at_io(k, power);
      int good = 0;
      bool returned = false;
      machine.boot([&](Runtime& runtime) {
        BlockingDisk& disk = runtime.disk().blocking();
        runtime.offload([&] {
          for (int i = 0; i < 6; ++i) {
            if (disk.open("f" + std::to_string(i), OpenMode::kCreate).ok()) ++good;
          }
        });
        returned = true;
      });
      world.run_for(1s);
      EXPECT_FALSE(machine.running());
      EXPECT_FALSE(returned);
      EXPECT_EQ(good, static_cast<int>(k) - 1);
      EXPECT_EQ(machine.ios(), k) << "nothing has an effect after death";
      if (!power) {
        EXPECT_EQ(machine.disk().list("").value().size(), k);
      }
    }
  }
}

TEST(Machine, CrashInABlockingCallOnTheReactor) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  machine.crash_at_io(1, true);
  bool went_on = false;
  machine.boot([&](Runtime& runtime) {
    EXPECT_FALSE(runtime.disk().blocking().create_dir("d").ok());
    EXPECT_FALSE(runtime.network().listen({"10.0.0.1", 80}).ok());
    EXPECT_FALSE(runtime.disk().blocking().create_dir("e").ok());
    (void)runtime.disk().create_dir("f");  // the next suspension
    went_on = true;
  });
  world.run_for(1s);
  EXPECT_FALSE(went_on);
  EXPECT_FALSE(machine.powered());
  EXPECT_EQ(machine.ios(), 1u);
}

TEST(Machine, OffloadTakesEffectBetweenSubmitAndCompletion) {
  World::Options options;
  options.offload_min = 1ms;
  options.offload_max = 10ms;
  std::set<int64_t> points;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed, options);
    Machine& machine = world.add_machine(NodeId(1));
    run_on(world, machine, [&](Runtime& runtime) {
      const Instant start = runtime.clock().now();
      Instant effect{};
      int before = 0;
      bool done = false;
      int between = 0;
      runtime.spawn("other", [&] {
        while (!done) {
          ++(effect == Instant{} ? before : between);
          (void)runtime.sleep_for(100us);
        }
      });
      runtime.offload([&] { effect = runtime.clock().now(); });
      done = true;
      points.insert((effect - start).count());
      EXPECT_GE(effect - start, 1ms);
      EXPECT_GE(runtime.clock().now() - effect, 1ms);
      EXPECT_GE(before, 10);
      EXPECT_GE(between, 9);
    });
  }
  EXPECT_GT(points.size(), 15u) << "drawn";
}

TEST(Machine, KillsAroundAJob) {
  World::Options options;
  options.offload_min = options.offload_max = 1ms;
  for (const Duration when : {500us, 1500us}) {
    World world(1, options);
    Machine& machine = world.add_machine(NodeId(1));
    bool effect = false;
    bool returned = false;
    machine.boot([&](Runtime& runtime) {
      runtime.offload([&] { effect = true; });
      returned = true;
    });
    world.run_for(when);
    machine.kill();
    world.run_for(1s);
    EXPECT_EQ(effect, when > 1ms);
    EXPECT_FALSE(returned);
  }
}

TEST(Machine, PauseStopsTheProcessNotItsKernel) {
  World world(1, plain());
  Machine& one = world.add_machine(NodeId(1));
  Machine& two = world.add_machine(NodeId(2));
  std::vector<Instant> ticks;
  Instant accepted{};
  one.boot([&](Runtime& runtime) {
    auto listener = runtime.network().listen({"10.0.0.1", 80}).value();
    runtime.spawn("ticks", [&] {
      for (;;) {
        (void)runtime.sleep_for(100ms);
        ticks.push_back(runtime.clock().now());
      }
    });
    runtime.spawn("write", [&] {
      EXPECT_TRUE(runtime.sleep_until(Instant(1999999us)).ok());
      EXPECT_TRUE(write_file(runtime.disk(), "a", "x", false).ok());
      ADD_FAILURE() << "paused, then killed";
    });
    auto stream = listener->accept().value();
    accepted = runtime.clock().now();
    (void)runtime.sleep_for(1h);
  });
  world.at(Instant(2s), [&] { one.pause(5s); });
  two.boot([](Runtime& runtime) {
    EXPECT_TRUE(runtime.sleep_until(Instant(3s)).ok());
    EXPECT_TRUE(runtime.network().connect({"10.0.0.1", 80}, after(runtime.clock(), 1s)).ok())
        << "the kernel answers";
  });
  world.run_until(Instant(6s));
  ASSERT_FALSE(ticks.empty());
  EXPECT_LE(ticks.back(), Instant(2s));
  EXPECT_EQ(accepted, Instant{});
  EXPECT_EQ(one.ios(), 1u) << "the call under way has its effect";
  EXPECT_EQ(world.counters().get("pause").effective, 1u);
  ticks.clear();
  world.at(Instant(6500ms), [&] { one.pause(1500ms); });
  world.run_until(Instant(7999ms));
  EXPECT_TRUE(ticks.empty()) << "pauses add up";
  one.kill();
  EXPECT_EQ(accepted, Instant{});
}

TEST(Machine, PauseEnds) {
  World world(1, plain());
  Machine& machine = world.add_machine(NodeId(1));
  Instant woke{};
  machine.boot([&](Runtime& runtime) {
    EXPECT_TRUE(runtime.sleep_until(Instant(3s)).ok());
    woke = runtime.clock().now();
  });
  world.at(Instant(2s), [&] { machine.pause(5s); });
  world.run_for(1min);
  EXPECT_EQ(woke, Instant(7s));
  EXPECT_EQ(world.counters().get("pause").injected, 1u);
}

TEST(Machine, ClocksAndIdentity) {
  World world(7);
  Machine& one = world.add_machine(NodeId(1));
  Machine& two = world.add_machine(NodeId(2));
  std::set<std::string> boots;
  std::set<uint64_t> draws;
  std::set<std::string> secrets;
  const auto main = [&](Runtime& runtime) {
    boots.insert(runtime.boot_id());
    EXPECT_EQ(runtime.boot_id().size(), 36u);
    draws.insert(runtime.random().stream("x").next());
    std::string secret(16, '\0');
    runtime.secure_random(secret);
    secrets.insert(secret);
  };
  run_on(world, one, main);
  run_on(world, one, main);
  EXPECT_EQ(boots.size(), 1u) << "a restart is no boot";
  one.power_off();
  run_on(world, one, main);
  EXPECT_EQ(boots.size(), 2u);
  run_on(world, two, main);
  EXPECT_EQ(boots.size(), 3u);
  EXPECT_EQ(draws.size(), 4u) << "each life has chances of its own";
  EXPECT_EQ(secrets.size(), 4u);
  one.set_clock(-1h, 0);
  run_on(world, one, [&](Runtime& runtime) {
    const WallTime wall = runtime.clock().wall();
    const Instant now = runtime.clock().now();
    EXPECT_EQ(wall, world.options().epoch + now.time_since_epoch() - 1h);
    one.set_clock(1h, 0);
    EXPECT_EQ(runtime.clock().wall() - wall, 2h) << "it steps";
    EXPECT_EQ(runtime.clock().now(), now) << "time for timers does not";
  });
}

TEST(Machine, TimersFireInOrder) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  struct Mark : Timer {
    void fire() override { order->push_back(id); }
    std::vector<int>* order = nullptr;
    int id = 0;
  };
  std::vector<int> order;
  run_on(world, machine, [&](Runtime& runtime) {
    Mark marks[6];
    for (int i = 0; i < 6; ++i) {
      marks[i].order = &order;
      marks[i].id = i;
    }
    const Instant now = runtime.clock().now();
    runtime.clock().arm(marks[0], now + 3ms);
    runtime.clock().arm(marks[1], now + 1ms);
    runtime.clock().arm(marks[2], now + 1ms);
    runtime.clock().arm(marks[3], now - 1ms);
    runtime.clock().arm(marks[4], now + 2ms);
    runtime.clock().arm(marks[4], kNever);
    runtime.clock().arm(marks[5], now + 5ms);
    runtime.clock().arm(marks[5], now + 2ms);
    EXPECT_TRUE(order.empty()) << "not recursively";
    EXPECT_TRUE(runtime.sleep_for(10ms).ok());
  });
  EXPECT_EQ(order, (std::vector{3, 1, 2, 5, 0}));
}

TEST(Machine, ClientsHaveNoDiskAndLiveOn) {
  World world(1);
  Runtime& client = world.client_runtime("reader");
  bool done = false;
  client.spawn("work", [&] {
    EXPECT_TRUE(client.sleep_for(1s).ok());
    EXPECT_TRUE(client.network().listen({"10.0.1.1", 5}).ok());
    done = true;
  });
  world.run_for(2s);
  EXPECT_TRUE(done);
}

TEST(Machine, WorldEndsWithEverythingUnderWay) {
  int unwound = 0;
  {
    World world(1);
    Machine& one = world.add_machine(NodeId(1));
    Runtime& client = world.client_runtime("c");
    one.boot([&](Runtime& runtime) {
      Note note{&unwound};
      auto listener = runtime.network().listen({"10.0.0.1", 80}).value();
      runtime.spawn("disk", [&] {
        Note inner{&unwound};
        for (;;)
          (void)write_file(runtime.disk(), "a", "x", true);
      });
      runtime.spawn("job", [&] {
        Note inner{&unwound};
        for (;;)
          runtime.offload([] {});
      });
      auto stream = listener->accept().value();
      char c = 0;
      (void)stream->read_some({&c, 1});
      (void)stream->read_some({&c, 1});
    });
    client.spawn("connect", [&] {
      Note note{&unwound};
      auto stream = client.network().connect({"10.0.0.1", 80}, kNever).value();
      (void)stream->write_all("xy");
      (void)client.sleep_for(1h);
    });
    world.at(Instant(1h), [] {});
    world.run_for(100ms);
  }
  EXPECT_EQ(unwound, 4);
}

}  // namespace
}  // namespace drumlin::sim::test
