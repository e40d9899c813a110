// The replicas of one node: what it takes in while its disk or its followers are slow. The test drives the
// groups itself; nothing reaches the disk before settle().
#include "replica/replica_set.h"

#include <gtest/gtest.h>

#include "shard/command.h"
#include "tests/support/storage.h"
#include "tests/support/world.h"

namespace drumlin::replica {
namespace {

constexpr size_t kQueueBytes = 1000;

wal::Wal::Options small_queue() {
  wal::Wal::Options options;
  options.queue_bytes = kQueueBytes;
  return options;
}

raft::Message from_leader(raft::MessageType type) {
  raft::Message m;
  m.type = type;
  m.from = NodeId(2);
  m.to = NodeId(1);
  m.term = Term(1);
  return m;
}

raft::Message append_of_one(size_t bytes) {
  raft::Message m = from_leader(raft::MessageType::kAppend);
  m.entries.push_back(
      raft::Entry{Term(1), LogIndex(1), raft::EntryKind::kCommand, Blob(std::string(bytes, 'x'))});
  return m;
}

std::string command_of(size_t bytes) {
  shard::Command command;
  shard::Put put;
  put.bucket = "b";
  put.key = "k";
  const std::string body(bytes, 'x');
  put.body = body;
  command.payload = std::move(put);
  return shard::encode(command);
}

// Node 1 with `groups` shards, in each of which the nodes of `voters` vote.
struct ReplicaSetTest : ::testing::Test {
  void open(uint32_t groups, std::vector<NodeId> voters, Options options = {}) {
    options.self = NodeId(1);
    storage = std::make_unique<drumlin::test::Storage>(small_queue(), groups);
    services.emplace(storage->services(world, world.observer(), options));
    std::vector<GroupId> ids;
    ReplicaSet::Voters table;
    for (uint32_t shard = 0; shard < groups; ++shard) {
      ids.push_back(GroupId(shard));
      table.emplace(GroupId(shard), voters);
    }
    RecoveredLogs logs(ids, 1u << 20);
    set.emplace(*services, table, std::map<NodeId, rpc::Peer*>{});
    world.run([&] { ASSERT_TRUE(set->open(logs).ok()); });
    set->admit();
  }
  void receive(uint32_t shard, raft::Message message) {
    std::vector<GroupMessage> batch;
    batch.push_back({GroupId(shard), std::move(message)});
    set->on_message(NodeId(2), kRaftBulk, encode_batch(batch));
  }
  // All turns, and all writes they ask for, until nothing is left.
  void settle() {
    for (int round = 0; round < 8; ++round) {
      pump();
      storage->settle();
    }
    world.run([] {});
  }
  void pump() {
    for (const ShardStatus& shard : set->status())
      set->group(shard.shard)->pump(sent);
  }
  void lead(uint32_t shard) {
    set->group(shard)->tick();
    settle();
    ASSERT_EQ(set->group(shard)->core().role(), raft::Role::kLeader);
  }
  // The result of a proposal that has ended, or nothing.
  std::shared_ptr<std::optional<Code>> propose(uint32_t shard, size_t bytes) {
    auto out = std::make_shared<std::optional<Code>>();
    world.spawn("proposer", [this, shard, bytes, out] {
      const auto reply = set->propose(shard, command_of(bytes), kNever);
      *out = reply.ok() ? Code::kOk : reply.code();
    });
    world.run([] {});
    return out;
  }

  drumlin::test::World world;
  std::unique_ptr<drumlin::test::Storage> storage;
  std::optional<Services> services;
  std::optional<ReplicaSet> set;
  std::vector<raft::Message> sent;
};

TEST_F(ReplicaSetTest, EntriesOfOthersAreDroppedWhileTheLogsQueueIsFull) {
  open(2, {NodeId(1), NodeId(2)});
  receive(0, append_of_one(kQueueBytes));
  pump();
  ASSERT_TRUE(storage->wal().overloaded(wal::Wal::Source::kPeer));

  receive(1, append_of_one(10));
  EXPECT_EQ(set->group(1)->core().last_index(), LogIndex());
  EXPECT_EQ(set->group(1)->core().term(), Term());
  receive(1, from_leader(raft::MessageType::kHeartbeat));
  EXPECT_EQ(set->group(1)->core().leader(), NodeId(2)) << "what carries no entries passes";
  EXPECT_EQ(storage->wal().last_index(GroupId(1)), LogIndex());
  EXPECT_FALSE(storage->wal().overloaded(wal::Wal::Source::kOwn)) << "our own may still come";

  settle();
  receive(1, append_of_one(10));
  settle();
  EXPECT_EQ(set->group(1)->core().durable(), LogIndex(1));
}

TEST_F(ReplicaSetTest, ProposalsOfAllGroupsWaitForTheirCommitWithinOneLimit) {
  Options options;
  options.uncommitted_bytes_total = 500;
  open(3, {NodeId(1)}, options);
  for (uint32_t shard = 0; shard < 3; ++shard)
    lead(shard);
  ASSERT_EQ(services->uncommitted_bytes, 0u);

  const auto first = propose(0, 200);
  EXPECT_FALSE(first->has_value());
  const auto second = propose(1, 100);
  EXPECT_FALSE(second->has_value());
  EXPECT_GE(services->uncommitted_bytes, 300u);
  EXPECT_EQ(*propose(2, 200), Code::kExhausted) << "a group that has nothing waiting itself";
  settle();
  EXPECT_EQ(*first, Code::kOk);
  EXPECT_EQ(*second, Code::kOk);
  EXPECT_EQ(services->uncommitted_bytes, 0u);

  const auto large = propose(2, 600);
  settle();
  EXPECT_EQ(*large, Code::kOk) << "one is always taken";
}

}  // namespace
}  // namespace drumlin::replica
