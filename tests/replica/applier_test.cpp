// The applier: entries to kv and bodies in one batch, on the reactor or off it, and queries in
// between.
#include "replica/applier.h"

#include <gtest/gtest.h>

#include "shard/query.h"
#include "tests/support/storage.h"
#include "tests/support/world.h"

namespace drumlin::replica {
namespace {

constexpr uint32_t kShard = 3;

template <typename T>
raft::Entry entry(uint64_t index, T payload) {
  shard::Command command;
  command.payload = std::move(payload);
  return {Term(1), LogIndex(index), raft::EntryKind::kCommand, Blob(shard::encode(command))};
}
raft::Entry noop(uint64_t index) {
  return {Term(1), LogIndex(index), raft::EntryKind::kNoop, Blob()};
}
raft::Entry open_row() {
  return entry(1, shard::InstallRow{"b", 1, 1});
}
raft::Entry put(uint64_t index, std::string key, std::string_view body) {
  shard::Put out;
  out.bucket = "b";
  out.incarnation = out.epoch = 1;
  out.key = std::move(key);
  out.body = body;
  return entry(index, std::move(out));
}
QueryRequest get(std::string key, BodyRange range = {}) {
  QueryRequest out;
  out.shard = kShard;
  out.query = shard::encode_query(shard::GetObject{"b", 1, 1, std::move(key)});
  out.want_body = true;
  out.range = range;
  return out;
}

// Where the applier stood when each effect was told.
class Watch final : public ReplicaObserver {
 public:
  void recovered(GroupId, const raft::HardState&, const raft::Log&) override {}
  void sending(GroupId, const raft::Message&) override {}
  void became_leader(GroupId, Term, LogIndex) override {}
  void appended(GroupId, std::span<const raft::Entry>) override {}
  void durable(GroupId, LogIndex, Term) override {}
  void voted(GroupId, Term, NodeId) override {}
  void committed(GroupId, LogIndex, Term, Term) override {}
  void applied(GroupId group, LogIndex index, Term term, std::string_view command,
               std::string_view reply) override {
    EXPECT_EQ(group, GroupId(kShard));
    EXPECT_EQ(term, Term(1));
    EXPECT_FALSE(command.empty());
    EXPECT_FALSE(reply.empty());
    told.emplace_back(index, applier->applied());
  }
  void installed(GroupId, LogIndex, Term) override {}
  void acknowledged(GroupId, LogIndex, Term, std::string_view) override {}
  void read_served(GroupId, LogIndex, LogIndex) override {}

  const Applier* applier = nullptr;
  std::vector<std::pair<LogIndex, LogIndex>> told;
};

struct ApplierTest : ::testing::Test {
  ApplierTest() : services(storage.services(world, world.observer())) { open(); }
  void open() { applier = *Applier::open(services, kShard); }
  void apply(const raft::Entry& e) { ASSERT_TRUE(applier->try_apply(e, reply).ok()); }
  QueryReply query(const QueryRequest& request) {
    Result<QueryReply> out = Status(Code::kCancelled);
    world.run([&] { out = applier->query(request, kNever); });
    return out.value();
  }
  std::string body(const QueryRequest& request) { return std::string(query(request).body.view()); }

  drumlin::test::World world;
  drumlin::test::Storage storage;
  Services services;
  std::unique_ptr<Applier> applier;
  std::string reply;
};

TEST_F(ApplierTest, EffectsAndAppliedIndexAreOneBatch) {
  apply(open_row());
  apply(put(2, "k", "hello"));
  EXPECT_EQ(shard::decode_reply(reply)->version, 2u);
  EXPECT_EQ(applier->applied(), LogIndex(2));
  const std::string body_key = drumlin::test::MapBodies::key({kShard, 1, 2, 0});
  EXPECT_EQ(storage.kv.state().at(body_key), "hello");
  apply(put(3, "k", "x"));
  EXPECT_FALSE(storage.kv.state().contains(body_key)) << "dropped with the record that named it";
  EXPECT_EQ(body(get("k")), "x");
}

// A crash between the write and the end of the job must not hide what came of the entry.
TEST_F(ApplierTest, EffectsAreToldAtOnce) {
  Watch watch;
  services.watch = &watch;
  watch.applier = applier.get();
  apply(open_row());
  world.run([&] { applier->apply(put(2, "k", "hello"), reply); });
  using Told = std::pair<LogIndex, LogIndex>;
  EXPECT_EQ(watch.told,
            (std::vector<Told>{{LogIndex(1), LogIndex(0)}, {LogIndex(2), LogIndex(1)}}));
}

TEST_F(ApplierTest, NoopMovesTheIndex) {
  apply(noop(1));
  EXPECT_EQ(applier->applied(), LogIndex(1));
  EXPECT_TRUE(reply.empty());
}

TEST_F(ApplierTest, ReopenedItGoesOnWhereTheKvStands) {
  apply(open_row());
  apply(put(2, "k", "hello"));
  const uint64_t digest = applier->digest().value();
  open();
  EXPECT_EQ(applier->applied(), LogIndex(2));
  EXPECT_EQ(applier->digest().value(), digest);
  apply(put(3, "k", "again"));
  EXPECT_EQ(body(get("k")), "again");
}

TEST_F(ApplierTest, Ranges) {
  apply(open_row());
  apply(put(2, "k", "0123456789"));
  apply(put(3, "empty", ""));
  EXPECT_EQ(body(get("k")), "0123456789");
  EXPECT_EQ(body(get("k", {2, 4})), "234");
  EXPECT_EQ(query(get("k", {2, 4})).first, 2u);
  EXPECT_EQ(body(get("k", {7, std::nullopt})), "789");
  EXPECT_EQ(body(get("k", {7, 100})), "789");
  EXPECT_EQ(body(get("k", {0, 0})), "0");
  EXPECT_EQ(body(get("k", {std::nullopt, 4})), "6789");
  EXPECT_EQ(query(get("k", {std::nullopt, 4})).first, 6u);
  EXPECT_EQ(body(get("k", {std::nullopt, 100})), "0123456789");
  for (const QueryReply& none : {query(get("k", {10, std::nullopt})), query(get("k", {10, 12})),
                                 query(get("k", {std::nullopt, 0})), query(get("empty", {0, 0})),
                                 query(get("empty", {std::nullopt, 5}))}) {
    EXPECT_TRUE(none.unsatisfiable);
    EXPECT_TRUE(none.body.empty());
  }
  EXPECT_FALSE(query(get("empty")).unsatisfiable);
  QueryRequest head = get("k", {2, 4});
  head.want_body = false;
  EXPECT_TRUE(query(head).body.empty());
  EXPECT_TRUE(query(get("missing", {2, 4})).body.empty());
}

TEST_F(ApplierTest, MoreThanTheLimitIsLeftOut) {
  apply(open_row());
  apply(put(2, "k", "0123456789"));
  QueryRequest limited = get("k");
  limited.max_body = 4;
  const QueryReply left_out = query(limited);
  EXPECT_TRUE(left_out.body_left_out);
  EXPECT_TRUE(left_out.body.empty());
  EXPECT_EQ(shard::object_in_reply(left_out.reply).value()->size, 10u);
  limited.range = {3, 7};
  EXPECT_TRUE(query(limited).body_left_out);
  limited.range = {3, 6};
  EXPECT_FALSE(query(limited).body_left_out);
  EXPECT_EQ(body(limited), "3456");
  limited.range = {10, std::nullopt};
  EXPECT_TRUE(query(limited).unsatisfiable);
  EXPECT_FALSE(query(limited).body_left_out);
}

TEST_F(ApplierTest, WhatWouldBlockIsRunAgainOffTheReactor) {
  apply(open_row());
  apply(put(2, "k", "hello"));
  storage.kv.blocked = true;
  const auto before = storage.kv.state();
  EXPECT_TRUE(applier->try_apply(put(3, "k", "later"), reply).is(Code::kWouldBlock));
  EXPECT_EQ(applier->applied(), LogIndex(2));
  EXPECT_EQ(storage.kv.state(), before);
  world.run([&] { applier->apply(put(3, "k", "later"), reply); });
  EXPECT_EQ(applier->applied(), LogIndex(3));
  EXPECT_EQ(shard::decode_reply(reply)->version, 3u);
  EXPECT_EQ(body(get("k")), "later");
  EXPECT_FALSE(applier->locked());
}

// Reads that need the disk run one after the other; a slow one must not have those behind it run for nobody.
TEST_F(ApplierTest, AReadThatHasWaitedTooLongIsNotRun) {
  apply(open_row());
  apply(put(2, "k", "hello"));
  storage.kv.blocked = true;
  world.job_time = 10s;
  const size_t before = world.jobs;
  const Instant start = world.clock().now();
  std::vector<Code> codes;
  for (const Duration patience : {Duration(20s), Duration(5s), Duration(10s), Duration(15s)}) {
    world.spawn("reader", [this, start, patience, &codes] {
      const auto out = applier->query(get("k"), start + patience);
      codes.push_back(out.ok() ? Code::kOk : out.code());
    });
  }
  world.run([] {});
  EXPECT_EQ(codes, (std::vector<Code>{Code::kTimeout, Code::kOk, Code::kTimeout, Code::kOk}));
  EXPECT_EQ(world.jobs - before, 2u);
  EXPECT_FALSE(applier->locked());
}

TEST_F(ApplierTest, DamagedBodiesAreErrorsNotBytes) {
  apply(open_row());
  apply(put(2, "k", "hello"));
  const std::string body_key = drumlin::test::MapBodies::key({kShard, 1, 2, 0});
  storage.kv.state()[body_key] = "hell";
  world.run([&] { EXPECT_TRUE(applier->query(get("k"), kNever).is(Code::kCorrupt)); });
  world.run([&] {
    EXPECT_TRUE(applier->query(get("k", {0, 2}), kNever).ok()) << "that part is there";
  });
  storage.kv.state().erase(body_key);
  world.run([&] { EXPECT_FALSE(applier->query(get("k"), kNever).ok()); });
}

TEST_F(ApplierTest, MalformedQueriesAreRefused) {
  QueryRequest bad = get("k");
  bad.query = "x";
  world.run([&] { EXPECT_TRUE(applier->query(bad, kNever).is(Code::kCorrupt)); });
  // A body of something that is no object.
  bad.query = shard::encode_query(shard::ListBuckets{});
  world.run([&] { EXPECT_FALSE(applier->query(bad, kNever).ok()); });
}

TEST_F(ApplierTest, DamagedKvHaltsTheNode) {
  apply(open_row());
  apply(put(2, "k", "old"));
  for (auto& [key, value] : storage.kv.state())
    value = "damaged";
  EXPECT_DEATH((void)applier->try_apply(put(3, "k", "x"), reply).ok(),
               "key-value store cannot be used");
  EXPECT_TRUE(Applier::open(services, kShard).is(Code::kCorrupt));
}

}  // namespace
}  // namespace drumlin::replica
