// Faults of machines, disks and networks that a plan can ask for: what is done, what is felt, what is
// counted.
#include <memory>

#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

TEST(FullDisk, TakesWhatFitsAndSaysSo) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    Disk& disk = runtime.disk();
    EXPECT_TRUE(write_file(disk, "a", pattern(1000), true).ok());
    machine.disk().limit_free(500);
    EXPECT_EQ(disk.free_bytes().value(), 500u);
    EXPECT_TRUE(write_file(disk, "b", pattern(800), false).is(Code::kNoSpace));
    EXPECT_EQ(read_file(disk, "b"), pattern(800).substr(0, 500)) << "as pwrite does";
    EXPECT_TRUE(write_file(disk, "a", pattern(1000, 2), true).ok()) << "no byte more";
    EXPECT_TRUE(machine.felt_disk_error());
    machine.disk().limit_free(SimDisk::kNoLimit);
    EXPECT_TRUE(write_file(disk, "b", pattern(800), true).ok());
  });
  EXPECT_EQ(world.counters().get("full_disk").injected, 1u);
  EXPECT_EQ(world.counters().get("full_disk").effective, 1u);
  EXPECT_EQ(world.counters().get("short_write").effective, 1u);
  run_on(world, machine,
         [&](Runtime&) { EXPECT_FALSE(machine.felt_disk_error()) << "a new life"; });
}

TEST(FailedWrite, LeavesAPart) {
  size_t parts = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed);
    Machine& machine = world.add_machine(NodeId(1));
    bool fail = true;
    machine.disk().set_fault_hook([&](const IoCall& call) {
      return call.kind == IoKind::kWrite && fail ? Status(Code::kIo, "EIO") : Status();
    });
    run_on(world, machine, [&](Runtime& runtime) {
      EXPECT_TRUE(write_file(runtime.disk(), "a", pattern(1000), false).is(Code::kIo));
      fail = false;
      const std::string there = read_file(runtime.disk(), "a");
      EXPECT_EQ(there, pattern(1000).substr(0, there.size()));
      EXPECT_LT(there.size(), 1000u);
      parts += there.empty() ? 0 : 1;
    });
  }
  EXPECT_GT(parts, 10u);
}

TEST(DroppedCache, ShowsWhatAFailedSyncLost) {
  size_t differed = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed);
    Machine& machine = world.add_machine(NodeId(1));
    bool fail = true;
    machine.disk().set_fault_hook([&](const IoCall& call) {
      return call.kind == IoKind::kSync && fail ? Status(Code::kIo, "EIO") : Status();
    });
    run_on(world, machine, [&](Runtime& runtime) {
      Disk& disk = runtime.disk();
      EXPECT_TRUE(write_file(disk, "a", "lost?", true).is(Code::kIo));
      fail = false;
      const auto file = disk.open("a", OpenMode::kReadWrite).value();
      EXPECT_TRUE(file->write_at(5, "dirty").ok());
      EXPECT_EQ(read_file(disk, "a"), "lost?dirty") << "the cache calls all of it clean";
      EXPECT_TRUE(file->drop_cache().ok());
      const std::string now = read_file(disk, "a");
      EXPECT_TRUE(now == "lost?dirty" || now == std::string(5, '\0') + "dirty") << now;
      differed += now == "lost?dirty" ? 0 : 1;
      EXPECT_TRUE(file->sync().ok());
      EXPECT_TRUE(disk.sync_dir("").ok());
      EXPECT_TRUE(machine.disk().durable("a", 0, 10)) << "what is seen now is what is there";
    });
  }
  EXPECT_GT(differed, 3u);
  EXPECT_LT(differed, 17u);
}

TEST(StalledDisk, HoldsUpABlockingCallOnce) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    const Instant before = runtime.clock().now();
    machine.disk().stall_until(before + 5s);
    runtime.offload([&] {
      for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(runtime.disk().blocking().free_bytes().ok());
    });
    EXPECT_GE(runtime.clock().now() - before, 5s);
    EXPECT_LT(runtime.clock().now() - before, 6s);
  });
}

TEST(Clock, DriftsAndStepsWhileTimersDoNot) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    machine.set_clock(-10s, 1000);  // a millisecond a second
    const WallTime wall = runtime.clock().wall();
    const Instant now = runtime.clock().now();
    EXPECT_TRUE(runtime.sleep_for(100s).ok());
    EXPECT_EQ(runtime.clock().now() - now, 100s);
    EXPECT_EQ(runtime.clock().wall() - wall, 100s + 100ms);
    EXPECT_EQ(machine.wall_error(), -10s + 100ms);
    machine.set_clock(Duration(0), 0);
    EXPECT_EQ(machine.wall_error(), Duration(0));
  });
  EXPECT_EQ(world.counters().get("clock").injected, 1u);
  EXPECT_EQ(world.counters().get("clock").effective, 1u);
}

TEST(SlowCpu, EveryEventTakesItsTime) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    const auto ten_sleeps = [&] {
      const Instant before = runtime.clock().now();
      for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(runtime.sleep_for(1us).ok());
      return runtime.clock().now() - before;
    };
    EXPECT_EQ(ten_sleeps(), 10us);
    machine.set_event_cost(2ms);
    EXPECT_GE(ten_sleeps(), 18ms);
    machine.set_event_cost(Duration(0));
    EXPECT_TRUE(runtime.sleep_for(10ms).ok());
    EXPECT_EQ(ten_sleeps(), 10us);
  });
  EXPECT_EQ(world.counters().get("slow_cpu").effective, 1u);
}

class Links : public ::testing::Test {
 protected:
  static constexpr uint16_t kPort = 80;
  Links()
      : world(1, plain()), one(world.add_machine(NodeId(1))), two(world.add_machine(NodeId(2))) {
    one.boot([](Runtime& runtime) {
      auto listener = runtime.network().listen({"10.0.0.1", kPort}).value();
      for (;;) {
        auto accepted = listener->accept();
        if (!accepted.ok()) return;
        std::shared_ptr<Stream> stream = std::move(*accepted);
        runtime.spawn("echo", [stream] {
          char block[65536];
          for (;;) {
            const auto n = stream->read_some(block);
            if (!n.ok() || *n == 0 || !stream->write_all(std::string_view(block, *n)).ok()) return;
          }
        });
      }
    });
    world.run_for(1ms);
  }
  Result<std::unique_ptr<Stream>> connect(Runtime& runtime) {
    return runtime.network().connect({"10.0.0.1", kPort}, after(runtime.clock(), 1s));
  }
  // What came of a word said and awaited for a second.
  static Code echo(Runtime& runtime, Stream& stream, size_t bytes = 5) {
    stream.set_read_deadline(after(runtime.clock(), 1s));
    DRUMLIN_CHECK_OK(stream.write_all(pattern(bytes)));
    std::string back(bytes, '\0');
    const Status heard = stream.read_exact(back);
    EXPECT_TRUE(!heard.ok() || back == pattern(bytes));
    return heard.code();
  }

  World world;
  Machine& one;
  Machine& two;
};

TEST_F(Links, AHalfOpenConnectionIsSilentForEver) {
  run_on(world, two, [&](Runtime& runtime) {
    auto stream = connect(runtime).value();
    EXPECT_EQ(echo(runtime, *stream), Code::kOk);
    EXPECT_EQ(world.network().vanish({two.ip()}, {one.ip()}), 1u);
    EXPECT_EQ(echo(runtime, *stream), Code::kTimeout);
    world.network().heal();
    EXPECT_EQ(echo(runtime, *stream), Code::kTimeout) << "no partition that ends";
    auto other = connect(runtime).value();
    EXPECT_EQ(echo(runtime, *other), Code::kOk);
  });
  EXPECT_EQ(world.counters().get("half_open").injected, 1u);
  EXPECT_EQ(world.counters().get("half_open").effective, 1u);
}

TEST_F(Links, RefusingMachinesRefuse) {
  run_on(world, two, [&](Runtime& runtime) {
    one.refuse_until(runtime.clock().now() + 1s);
    EXPECT_TRUE(connect(runtime).is(Code::kUnavailable));
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
    EXPECT_TRUE(connect(runtime).ok());
  });
  EXPECT_EQ(world.counters().get("refused_connect").effective, 1u);
}

TEST_F(Links, ARuleHoldsForLinksThatAreAndThatComeUntilItEnds) {
  run_on(world, two, [&](Runtime& runtime) {
    auto before = connect(runtime).value();
    EXPECT_EQ(echo(runtime, *before, 50'000), Code::kOk);
    world.network().set_link_rule([](const Host&, const Host& to, LinkModel model) {
      if (to.tag == 1) {
        model.clogged = true;
        model.bytes_per_second = 20'000;
      }
      return model;
    });
    EXPECT_EQ(echo(runtime, *before, 50'000), Code::kTimeout) << "it takes more than two seconds";
    world.network().set_link_rule(nullptr);
    EXPECT_TRUE(runtime.sleep_for(5s).ok());
    auto later = connect(runtime).value();
    EXPECT_EQ(echo(runtime, *later, 50'000), Code::kOk);
  });
  EXPECT_GT(world.counters().get("clog").effective, 0u);
}

TEST(Buggify, PointsAreDrawnByNameAndNothingIsDoneWithoutThem) {
  const auto strikes = [](uint64_t seed, uint32_t percent) {
    World world(seed);
    world.chaos().set_percent(percent);
    Machine& machine = world.add_machine(NodeId(1));
    std::map<std::string, int> out;
    run_on(world, machine, [&](Runtime& runtime) {
      for (int i = 0; i < 2000; ++i) {
        for (const char* point : {"a.one", "b.two", "c.three", "d.four"})
          out[point] += runtime.buggify(point) ? 1 : 0;
      }
      const int drawn = runtime.buggify("e.five", 7, 10, 12);
      EXPECT_TRUE(drawn == 7 || (drawn >= 10 && drawn <= 12));
      runtime.probe("f.six");
    });
    EXPECT_EQ(world.chaos().probes().at("f.six"), 1u);
    return out;
  };
  for (const auto& [point, n] : strikes(1, 0))
    EXPECT_EQ(n, 0) << point;
  for (const auto& [point, n] : strikes(1, 100))
    EXPECT_GT(n, 0) << point;
  EXPECT_EQ(strikes(1, 50), strikes(1, 50));
  size_t active = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed)
    active += strikes(seed, 50)["b.two"] > 0 ? 1 : 0;
  EXPECT_GT(active, 10u);
  EXPECT_LT(active, 40u);
}

TEST(Buggify, ClientsAreLeftAlone) {
  World world(1);
  world.chaos().set_percent(100);
  Runtime& client = world.client_runtime("client");
  EXPECT_EQ(client.probes(), nullptr);
  for (int i = 0; i < 1000; ++i)
    EXPECT_FALSE(client.buggify("a.one"));
}

}  // namespace
}  // namespace drumlin::sim::test
