// A machine's disk as its processes see it, over kills and power cuts.
#include <algorithm>
#include <set>

#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

TEST(SimDisk, FilesAndDirectories) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [](Runtime& runtime) {
    Disk& disk = runtime.disk();
    EXPECT_TRUE(disk.open("a", OpenMode::kRead).is(Code::kNotFound));
    EXPECT_TRUE(disk.open("a", OpenMode::kReadWrite).is(Code::kNotFound));
    EXPECT_TRUE(disk.open("dir/a", OpenMode::kCreate).is(Code::kNotFound));
    EXPECT_TRUE(disk.create_dir("dir").ok());
    EXPECT_TRUE(disk.create_dir("dir").ok());
    EXPECT_TRUE(write_file(disk, "dir/a", "hello", true).ok());
    EXPECT_TRUE(disk.open("dir/a", OpenMode::kCreateNew).is(Code::kAlreadyExists));
    EXPECT_TRUE(disk.create_dir("dir/a").is(Code::kAlreadyExists));
    EXPECT_TRUE(
        disk.open("dir/a", OpenMode::kRead).value()->write_at(0, "x").is(Code::kPermissionDenied));
    EXPECT_TRUE(disk.remove("dir").is(Code::kAlreadyExists)) << "not empty";
    EXPECT_TRUE(write_file(disk, "b", "world!", false).ok());
    EXPECT_TRUE(disk.rename("b", "dir/a").ok()) << "replaces";
    EXPECT_EQ(read_file(disk, "dir/a"), "world!");
    EXPECT_TRUE(disk.rename("b", "c").is(Code::kNotFound));
    EXPECT_TRUE(disk.rename("dir", "dir/sub").is(Code::kInvalidArgument));
    EXPECT_TRUE(disk.rename("dir/a", "dir/z").ok());
    EXPECT_TRUE(disk.create_dir("dir/d").ok());
    const auto entries = disk.list("dir");
    ASSERT_EQ(entries.value().size(), 2u);
    EXPECT_EQ(entries.value()[0].name, "d");
    EXPECT_TRUE(entries.value()[0].is_directory);
    EXPECT_EQ(entries.value()[1].name, "z");
    EXPECT_EQ(entries.value()[1].size_bytes, 6u);
    EXPECT_EQ(disk.list("").value().size(), 1u);
    EXPECT_TRUE(disk.list("none").is(Code::kNotFound));
    EXPECT_TRUE(disk.remove("dir/z").ok());
    EXPECT_TRUE(disk.remove("dir/d").ok());
    EXPECT_TRUE(disk.remove("dir").ok());
    for (const char* bad : {"/a", "a//b", "../a", "a/", "."})
      EXPECT_TRUE(disk.open(bad, OpenMode::kCreate).is(Code::kInvalidArgument)) << bad;
  });
}

TEST(SimDisk, CallsTakeTimeAndYield) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    const Instant before = runtime.clock().now();
    int others = 0;
    runtime.spawn("other", [&] { ++others; });
    auto file = runtime.disk().open("a", OpenMode::kCreate).value();
    EXPECT_EQ(others, 1);
    EXPECT_GE(runtime.clock().now() - before, 20us);
    const Instant opened = runtime.clock().now();
    EXPECT_TRUE(file->write_at(0, std::string(10'000'000, 'x')).ok());
    EXPECT_GE(runtime.clock().now() - opened, 10ms) << "10 MB at 1 GB/s";
    const Instant written = runtime.clock().now();
    EXPECT_TRUE(file->sync().ok());
    EXPECT_GE(runtime.clock().now() - written, 200us);
  });
}

TEST(SimDisk, SyncCoversOnlyWritesThatReturnedBeforeIt) {
  World world(3);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    auto file = runtime.disk().open("a", OpenMode::kCreate).value();
    EXPECT_TRUE(file->write_at(0, "a").ok());
    EXPECT_TRUE(runtime.disk().sync_dir("").ok());
    runtime.spawn("late", [&] { EXPECT_TRUE(file->write_at(1, "b").ok()); });
    EXPECT_TRUE(file->sync().ok());
    EXPECT_EQ(machine.disk().cache_read("a", 0, 10), "ab");
    EXPECT_EQ(machine.disk().platter_read("a", 0, 10), "a");
    EXPECT_TRUE(machine.disk().durable("a", 0, 1));
    EXPECT_FALSE(machine.disk().durable("a", 1, 1));
  });
}

TEST(SimDisk, DurableNeedsTheEntry) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    Disk& disk = runtime.disk();
    EXPECT_TRUE(disk.create_dir("d").ok());
    EXPECT_TRUE(write_file(disk, "d/a", "x", true).ok());
    EXPECT_FALSE(machine.disk().durable("d/a", 0, 1));
    EXPECT_TRUE(disk.sync_dir("d").ok());
    EXPECT_FALSE(machine.disk().durable("d/a", 0, 1)) << "its directory's entry";
    EXPECT_EQ(machine.disk().platter_read("d/a", 0, 1), "");
    EXPECT_TRUE(disk.sync_dir("").ok());
    EXPECT_TRUE(machine.disk().durable("d/a", 0, 1));
    EXPECT_EQ(machine.disk().platter_read("d/a", 0, 9), "x");
    EXPECT_EQ(machine.disk().unsynced_changes(), 0u);
  });
}

TEST(SimDisk, RenameAcrossDirectoriesIsDurableAtOnce) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed);
    Machine& machine = world.add_machine(NodeId(1));
    run_on(world, machine, [](Runtime& runtime) {
      Disk& disk = runtime.disk();
      EXPECT_TRUE(disk.create_dir("d").ok());
      EXPECT_TRUE(disk.sync_dir("").ok());
      EXPECT_TRUE(write_file(disk, "a", "x", true).ok());
      EXPECT_TRUE(disk.rename("a", "d/a").ok());
    });
    machine.power_off();
    EXPECT_EQ(machine.disk().cache_read("d/a", 0, 9), "x");
    EXPECT_EQ(machine.disk().cache_read("a", 0, 9), "");
  }
}

TEST(SimDisk, KillLosesNothingPowerCutLosesWhatWaits) {
  std::set<std::string> after_cut;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    World world(seed);
    Machine& machine = world.add_machine(NodeId(1));
    run_on(world, machine, [](Runtime& runtime) {
      EXPECT_TRUE(write_file(runtime.disk(), "a", "old", true).ok());
      EXPECT_TRUE(runtime.disk().sync_dir("").ok());
      EXPECT_TRUE(write_file(runtime.disk(), "a", "new", false).ok());
      EXPECT_TRUE(write_file(runtime.disk(), "b", "synced, but not its entry", true).ok());
    });
    EXPECT_EQ(machine.disk().cache_read("a", 0, 9), "new");
    EXPECT_EQ(machine.disk().cache_read("b", 0, 6), "synced");
    EXPECT_EQ(world.counters().get("power").injected, 0u);
    machine.power_off();
    EXPECT_EQ(world.counters().get("power").effective, 1u);
    machine.power_off();
    EXPECT_EQ(world.counters().get("power").injected, 1u) << "it was off";
    after_cut.insert(machine.disk().cache_read("a", 0, 9) + "/" +
                     machine.disk().cache_read("b", 0, 6));
  }
  for (const char* outcome : {"old/", "new/", "old/synced", "new/synced"})
    EXPECT_TRUE(after_cut.contains(outcome)) << outcome;
}

TEST(SimDisk, FaultHookFailsCallsWithoutEffect) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  machine.disk().set_fault_hook([](const IoCall& call) {
    if (call.kind == IoKind::kWrite && call.path == "a" && call.offset == 0)
      return Status(Code::kIo, "bad sector");
    return Status();
  });
  run_on(world, machine, [](Runtime& runtime) {
    EXPECT_TRUE(write_file(runtime.disk(), "a", "x", false).is(Code::kIo));
    EXPECT_TRUE(write_file(runtime.disk(), "b", "x", false).ok());
    EXPECT_EQ(read_file(runtime.disk(), "a"), "");
  });
  EXPECT_EQ(world.counters().get("disk_error").effective, 1u);
}

TEST(SimDisk, FailedSyncNeedNotBeMendedByTheNext) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    World world(seed);
    Machine& machine = world.add_machine(NodeId(1));
    bool fail = true;
    machine.disk().set_fault_hook([&](const IoCall& call) {
      return call.kind == IoKind::kSync && fail ? Status(Code::kIo, "sync") : Status();
    });
    run_on(world, machine, [&](Runtime& runtime) {
      EXPECT_TRUE(write_file(runtime.disk(), "a", "x", true).is(Code::kIo));
      fail = false;
      EXPECT_TRUE(runtime.disk().open("a", OpenMode::kReadWrite).value()->sync().ok());
      EXPECT_TRUE(runtime.disk().sync_dir("").ok());
      lost += machine.disk().durable("a", 0, 1) ? 0 : 1;
    });
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, 35);
}

TEST(SimDisk, SlowAndStalled) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    Disk& disk = runtime.disk();
    const auto timed = [&] {
      const Instant before = runtime.clock().now();
      EXPECT_TRUE(disk.free_bytes().ok());
      return runtime.clock().now() - before;
    };
    machine.disk().set_slowdown(1000);
    EXPECT_GE(timed(), 20ms);
    machine.disk().set_slowdown(1);
    EXPECT_LE(timed(), 100us);
    machine.disk().stall_until(runtime.clock().now() + 5s);
    EXPECT_EQ(timed(), 5s);
    bool ended = false;
    runtime.spawn("under way", [&] { ended = disk.free_bytes().ok(); });
    runtime.scheduler().yield();
    machine.disk().stall_until(runtime.clock().now() + 1s);
    EXPECT_TRUE(runtime.sleep_for(999ms).ok());
    EXPECT_FALSE(ended);
    EXPECT_TRUE(runtime.sleep_for(2ms).ok());
    EXPECT_TRUE(ended);
  });
  EXPECT_EQ(world.counters().get("slow_disk").injected, 1u);
  EXPECT_EQ(world.counters().get("slow_disk").effective, 1u);
  EXPECT_EQ(world.counters().get("stalled_disk").injected, 2u);
  EXPECT_EQ(world.counters().get("stalled_disk").effective, 1u) << "the last met no new call";
}

TEST(SimDisk, FillsUp) {
  World::Options options;
  options.disk.capacity_bytes = 1000;
  World world(1, options);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [](Runtime& runtime) {
    Disk& disk = runtime.disk();
    EXPECT_TRUE(write_file(disk, "a", std::string(600, 'a'), false).ok());
    EXPECT_TRUE(write_file(disk, "a", std::string(600, 'b'), false).ok()) << "in place";
    EXPECT_EQ(disk.free_bytes().value(), 400u);
    EXPECT_TRUE(write_file(disk, "b", std::string(401, 'b'), false).is(Code::kNoSpace));
    auto file = disk.open("b", OpenMode::kReadWrite).value();
    EXPECT_TRUE(file->preallocate(401).is(Code::kNoSpace));
    EXPECT_TRUE(file->preallocate(400).ok());
    EXPECT_EQ(disk.free_bytes().value(), 0u);
    EXPECT_TRUE(disk.remove("a").ok());
    EXPECT_TRUE(file->write_at(400, std::string(600, 'c')).ok());
    EXPECT_TRUE(file->truncate(0).ok());
    EXPECT_EQ(disk.free_bytes().value(), 1000u);
  });
}

TEST(SimDisk, BlockingCallsInAJobAreChargedToIt) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [](Runtime& runtime) {
    BlockingDisk& disk = runtime.disk().blocking();
    const Instant before = runtime.clock().now();
    Instant inside{};
    size_t ticks = 0;
    runtime.spawn("ticks", [&] {
      while (runtime.sleep_for(100us).ok() && ticks < 1000)
        ++ticks;
    });
    runtime.offload([&] {
      auto file = disk.open("a", OpenMode::kCreate).value();
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(file->write_at(0, "x").ok());
        EXPECT_TRUE(file->sync().ok());
      }
      inside = runtime.clock().now();
    });
    EXPECT_LE(inside - before, 50us) << "the clock stands still inside";
    EXPECT_GE(runtime.clock().now() - before, 20 * 220us);
    EXPECT_GT(ticks, 20u) << "others ran meanwhile";
  });
}

TEST(SimDisk, BlockingCallsOnTheReactorHoldTheProcessUp) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [](Runtime& runtime) {
    auto file = runtime.disk().blocking().open("a", OpenMode::kCreate).value();
    for (int i = 0; i < 10; ++i)
      EXPECT_TRUE(file->sync().ok());
    const Instant before = runtime.clock().now();
    EXPECT_TRUE(runtime.sleep_for(1us).ok());
    EXPECT_GE(runtime.clock().now() - before, 2ms);
  });
  EXPECT_EQ(world.counters().get("pause").effective, 0u) << "no fault";
}

TEST(SimDisk, FlippedBit) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [&](Runtime& runtime) {
    EXPECT_TRUE(write_file(runtime.disk(), "a", "abc", true).ok());
    EXPECT_TRUE(machine.disk().flip_bit("a", 1, 0));
    EXPECT_FALSE(machine.disk().flip_bit("a", 3, 0));
    EXPECT_FALSE(machine.disk().flip_bit("b", 0, 0));
    EXPECT_EQ(read_file(runtime.disk(), "a"), "acc");
  });
}

}  // namespace
}  // namespace drumlin::sim::test
