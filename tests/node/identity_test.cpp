// What a start must agree on with its disk.
#include "node/identity.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/node/configs.h"
#include "tests/wal/machine.h"

namespace drumlin::node::test {
namespace {

using wal::test::Image;
using wal::test::Machine;

Config valid(Config config) {
  DRUMLIN_CHECK_OK(config.validate());
  return config;
}

// One start of a node on what an earlier one left; the superblock that it noted, or why not.
Result<wal::Superblock> start(Image& image, const Config& config) {
  Machine machine(image);
  Result<wal::Superblock> out = Status(Code::kCancelled);
  machine.run([&] {
    const auto found = inspect_disk(machine, config);
    if (!found.ok()) {
      out = found.status();
      return;
    }
    auto store = enter_disk(machine, machine.observer(), *found);
    out = store.ok() ? Result<wal::Superblock>((*store)->get()) : store.status();
  });
  image = machine.disk().image();
  return out;
}

TEST(Identity, FirstStartFormatsTheDisk) {
  Image image;
  const Config config = valid(cluster(3));
  const auto block = start(image, config).value();
  EXPECT_EQ(block.node, NodeId(1));
  EXPECT_EQ(block.cluster_id, config.cluster_id());
  EXPECT_NE(block.incarnation, 0u);
  EXPECT_EQ(block.boot_counter, 1u);
  EXPECT_FALSE(block.admitted);
  EXPECT_FALSE(block.clean);
  EXPECT_EQ(block.kv_engine, "memory");
  EXPECT_EQ(placement::ShardTable::decode(block.shard_table).value(), planned_table(config));
}

TEST(Identity, EveryStartIsCountedAndTheDiskStaysTheSame) {
  Image image;
  const Config config = valid(cluster(3));
  const auto first = start(image, config).value();
  for (uint64_t boot = 2; boot <= 4; ++boot) {
    const auto again = start(image, config).value();
    EXPECT_EQ(again.boot_counter, boot);
    EXPECT_EQ(again.incarnation, first.incarnation);
  }
}

TEST(Identity, LookingChangesNothing) {
  Machine machine;
  const Config config = valid(cluster(3));
  machine.run([&] {
    EXPECT_TRUE(inspect_disk(machine, config)->fresh);
    EXPECT_TRUE(inspect_disk(machine, config)->fresh);
  });
  EXPECT_EQ(machine.disk().image(), Image{});
}

TEST(Identity, RefusesADiskOfSomethingElse) {
  struct Case {
    std::function<void(Config&)> change;
    const char* message;
  };
  const Case cases[] = {
      {[](Config& c) { c.id = NodeId(2); }, "belongs to node 1, this is node 2"},
      {[](Config& c) { c.shards = 128; }, "another cluster.shards or another set of cluster.nodes"},
      {[](Config& c) { c.members.pop_back(); },
       "another cluster.shards or another set of cluster.nodes"},
      {[](Config& c) { c.cluster_name = "other"; }, "belongs to another cluster"},
      {[](Config& c) { c.cluster_secret = "other"; }, "belongs to another cluster"},
      {[](Config& c) { c.kv_engine = "rocksdb"; }, "storage.kv = \"memory\", not \"rocksdb\""},
  };
  for (const Case& refused : cases) {
    Image image;
    ASSERT_TRUE(start(image, valid(cluster(3))).ok());
    const Image before = image;
    Config changed = cluster(3);
    refused.change(changed);
    const auto again = start(image, valid(changed));
    EXPECT_TRUE(again.is(Code::kFailedPrecondition)) << refused.message;
    EXPECT_NE(again.status().message().find(refused.message), std::string::npos)
        << again.status().message();
    EXPECT_EQ(image, before) << "a refused start leaves no trace";
  }
}

TEST(Identity, EndpointsMayMove) {
  Image image;
  ASSERT_TRUE(start(image, valid(cluster(3))).ok());
  Config moved = cluster(3);
  moved.members[1].peer = {"127.0.0.9", 1};
  EXPECT_TRUE(start(image, valid(moved)).ok());
}

TEST(Identity, DamagedSuperblockIsNotAFreshDisk) {
  Image image;
  ASSERT_TRUE(start(image, valid(cluster(3))).ok());
  for (char& byte : image.files.at("superblock"))
    byte = 'x';
  EXPECT_TRUE(start(image, valid(cluster(3))).is(Code::kCorrupt));
}

}  // namespace
}  // namespace drumlin::node::test
