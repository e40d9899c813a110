// sim/rocksdb: the real engine on the simulated disk, without any fault.
#include "sim/rocksdb/rocksdb.h"

#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

kv::RocksOptions small() {
  kv::RocksOptions options;
  options.path = "kv";
  options.cache_bytes = 16 << 10;
  options.write_buffer_bytes = 64 << 10;
  return options;
}

std::unique_ptr<kv::Kv> open(Runtime& runtime) {
  Result<std::unique_ptr<kv::Kv>> kv = Status(Code::kCancelled);
  runtime.offload([&] { kv = open_rocksdb(runtime, small()); });
  EXPECT_TRUE(kv.ok()) << kv.status().to_string();
  return kv.ok() ? std::move(*kv) : nullptr;
}

Status put(kv::Kv& kv, const std::string& key, std::string value, kv::Access access) {
  kv::Batch batch;
  batch.put(key, std::move(value));
  return kv.write(batch, access);
}

TEST(SimRocks, TheHooksFit) {
  const Status status = self_test();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST(SimRocks, WhatWasFlushedIsThereAfterAPowerCut) {
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  run_on(world, machine, [](Runtime& runtime) {
    const auto kv = open(runtime);
    EXPECT_TRUE(put(*kv, "a", "1", kv::Access::kNonBlocking).ok());
    Status flushed;
    runtime.offload([&] { flushed = kv->flush(); });
    EXPECT_TRUE(flushed.ok());
    EXPECT_TRUE(put(*kv, "b", "2", kv::Access::kNonBlocking).ok());
    EXPECT_EQ(*kv->get("b"), "2");
  });
  machine.power_off();
  run_on(world, machine, [](Runtime& runtime) {
    const auto kv = open(runtime);
    EXPECT_EQ(kv->get("a").code(), Code::kWouldBlock);
    runtime.offload([&] {
      const auto view = kv->snapshot(kv::Access::kBlocking);
      EXPECT_EQ(*view->get("a"), "1");
      EXPECT_EQ(*view->get("b"), std::nullopt);
      const auto cursor = view->cursor("", "");
      EXPECT_EQ(cursor->key(), "a");
      cursor->next();
      EXPECT_FALSE(cursor->valid());
    });
  });
}

TEST(SimRocks, ClosedItOpensAgainInTheSameProcess) {
  World world(1);
  run_on(world, world.add_machine(NodeId(1)), [](Runtime& runtime) {
    auto kv = open(runtime);
    EXPECT_TRUE(put(*kv, "a", pattern(200'000), kv::Access::kBlocking).ok());
    kv.reset();  // with a flush to do
    kv = open(runtime);
    EXPECT_TRUE(put(*kv, "a", "1", kv::Access::kNonBlocking).ok());
    EXPECT_EQ(*kv->get("a"), "1");
  });
}

// Flushes wait for their delay, and nobody helps: then the reactor is told, and a job waits.
TEST(SimRocks, AWriteThatMustWaitForAFlushWaitsInAJob) {
  int stalls = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    World world(seed);
    run_on(world, world.add_machine(NodeId(1)), [&](Runtime& runtime) {
      const auto kv = open(runtime);
      for (int i = 0; i < 100; ++i) {
        const std::string key = "key" + std::to_string(i);
        Status status = put(*kv, key, pattern(8000), kv::Access::kNonBlocking);
        if (!status.is(Code::kWouldBlock)) {
          EXPECT_TRUE(status.ok()) << status.to_string();
          continue;
        }
        ++stalls;
        const Instant before = runtime.clock().now();
        runtime.offload([&] { status = put(*kv, key, pattern(8000), kv::Access::kBlocking); });
        EXPECT_TRUE(status.ok()) << status.to_string();
        EXPECT_GT(runtime.clock().now(), before);
      }
    });
  }
  EXPECT_GT(stalls, 0);
}

// A call of a job delays that job; the rest of the process goes on meanwhile.
TEST(SimRocks, CallsTakeTheTimeOfTheirDiskCalls) {
  World world(1);
  run_on(world, world.add_machine(NodeId(1)), [](Runtime& runtime) {
    const auto kv = open(runtime);
    EXPECT_TRUE(put(*kv, "a", pattern(60'000), kv::Access::kNonBlocking).ok());
    const Instant before = runtime.clock().now();
    Instant meanwhile;
    runtime.spawn("other", [&] {
      (void)runtime.sleep_for(300us);
      meanwhile = runtime.clock().now();
    });
    runtime.offload([&] { EXPECT_TRUE(kv->flush().ok()); });
    EXPECT_GT(runtime.clock().now(), before + 600us) << "three syncs at least";
    EXPECT_EQ(meanwhile, before + 300us);
  });
}

// Stores are apart: what one draws shifts nothing in another.
TEST(SimRocks, AnotherStoreBesideItChangesNothing) {
  const auto table = [](bool beside) {
    World world(5);
    Machine& one = world.add_machine(NodeId(1));
    Machine& two = world.add_machine(NodeId(2));
    const auto work = [](Runtime& runtime) {
      const auto kv = open(runtime);
      for (int i = 0; i < 30; ++i)
        EXPECT_TRUE(put(*kv, std::to_string(i), pattern(500, 7), kv::Access::kBlocking).ok());
      Status flushed;
      runtime.offload([&] { flushed = kv->flush(); });
      EXPECT_TRUE(flushed.ok());
    };
    if (beside) two.boot(work);
    run_on(world, one, work);
    std::string bytes;
    const auto files = one.disk().list("kv");
    for (const DirEntry& entry : *files) {
      if (entry.name.ends_with(".sst"))
        bytes += one.disk().cache_read("kv/" + entry.name, 0, entry.size_bytes);
    }
    return bytes;
  };
  const std::string alone = table(false);
  EXPECT_GT(alone.size(), 15000u);
  EXPECT_EQ(alone, table(true));
}

}  // namespace
}  // namespace drumlin::sim::test
