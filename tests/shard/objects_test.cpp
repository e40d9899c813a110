// Objects: what put, delete and get do, and that they do it the same on every replica.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "tests/shard/replica.h"

namespace drumlin::shard::test {
namespace {

struct ObjectTest : ::testing::Test {
  void SetUp() override { r.open_row(); }
  Replica r;
};

TEST_F(ObjectTest, PutThenGet) {
  Put request = put("k", "hello");
  request.attributes = {
      "etag", {{"Content-Type", "text/plain"}}, {{"who", "me"}}, {{"crc32", "AA=="}}};
  const Reply reply = r.run(request, {}, at(77));
  EXPECT_EQ(reply.code, Code::kOk);
  EXPECT_EQ(reply.version, 2u);
  ASSERT_EQ(r.applied.bodies.size(), 1u);
  EXPECT_TRUE(r.applied.bodies[0].put);
  EXPECT_EQ(r.applied.bodies[0].bytes, "hello");
  EXPECT_EQ(r.applied.bodies[0].id, (BodyId{kShard, 2, 0}));

  const GetObjectReply got = r.get("k");
  ASSERT_TRUE(got.object);
  EXPECT_EQ(got.version, 2u);
  EXPECT_EQ(got.object->version, 2u);
  EXPECT_EQ(got.object->size, 5u);
  EXPECT_EQ(got.object->modified, at(77));
  EXPECT_EQ(got.object->body, (BodyId{kShard, 2, 0}));
  EXPECT_EQ(got.object->attributes.etag, "etag");
  EXPECT_EQ(got.object->attributes.headers, request.attributes.headers);
  EXPECT_EQ(got.object->attributes.user, request.attributes.user);
  EXPECT_EQ(got.object->attributes.checksums, request.attributes.checksums);
}

TEST_F(ObjectTest, OverwriteDropsTheFormerBody) {
  r.run(put("k", "one"));
  r.run(put("k", "two!"));
  ASSERT_EQ(r.applied.bodies.size(), 2u);
  EXPECT_FALSE(r.applied.bodies[0].put);
  EXPECT_EQ(r.applied.bodies[0].id.index, 2u);
  EXPECT_TRUE(r.applied.bodies[1].put);
  EXPECT_EQ(r.applied.bodies[1].id.index, 3u);
  EXPECT_EQ(r.get("k").object->size, 4u);
}

TEST_F(ObjectTest, EmptyBodyHasNoBytesToKeep) {
  r.run(put("k", ""));
  EXPECT_TRUE(r.applied.bodies.empty());
  r.run(put("k", "x"));
  EXPECT_EQ(r.applied.bodies.size(), 1u) << "nothing to drop";
  r.run(put("k", ""));
  ASSERT_EQ(r.applied.bodies.size(), 1u);
  EXPECT_FALSE(r.applied.bodies[0].put);
}

TEST_F(ObjectTest, DeleteIsOrderedLikeAnyWriteAndSeenInTheVersionOfWhatIsMissing) {
  EXPECT_EQ(r.get("k").version, 0u) << "nothing was ever deleted here";
  r.run(put("k", "x"));
  EXPECT_EQ(r.run(del("k")).version, 3u);
  ASSERT_EQ(r.applied.bodies.size(), 1u);
  EXPECT_FALSE(r.applied.bodies[0].put);
  EXPECT_FALSE(r.get("k").object);
  EXPECT_EQ(r.get("k").version, 3u);
  EXPECT_EQ(r.run(del("never")).version, 4u);
  EXPECT_TRUE(r.applied.bodies.empty());
  EXPECT_EQ(r.get("k").version, 4u) << "of the last delete in the shard, never less than its own";
}

TEST_F(ObjectTest, VersionOfWhatIsMissingSurvivesALoad) {
  r.run(del("k"));
  Replica other;
  other.kv.state() = r.kv.state();
  ASSERT_TRUE(other.shard.load(other.kv).ok());
  EXPECT_EQ(other.get("k").version, 2u);
}

TEST_F(ObjectTest, WritesAndReadsNeedTheRow) {
  Replica bare;
  EXPECT_EQ(bare.run(put("k", "x")).detail, Detail::kStaleBucket);
  EXPECT_EQ(bare.get("k").code, Code::kAborted);
  for (const uint64_t incarnation : {kIncarnation - 1, kIncarnation + 1}) {
    EXPECT_EQ(r.run(put("k", "x", incarnation)).detail, Detail::kStaleBucket);
    EXPECT_EQ(r.run(del("k", incarnation)).detail, Detail::kStaleBucket);
    EXPECT_EQ(r.get("k", incarnation).detail, Detail::kStaleBucket);
  }
  EXPECT_FALSE(r.get("k").object);
}

TEST_F(ObjectTest, SenderBehindTheRowIsStaleAndOneAheadOfItIsNot) {
  ASSERT_EQ(r.run(row_as<ReopenRow>(kIncarnation, 3)).code, Code::kOk);
  EXPECT_EQ(r.run(put("k", "x", kIncarnation, 2)).detail, Detail::kStaleBucket);
  EXPECT_EQ(r.get("k", kIncarnation, 2).detail, Detail::kStaleBucket);
  EXPECT_EQ(r.run(put("k", "x", kIncarnation, 3)).code, Code::kOk);
  // The record says 4 while this row has yet to be reopened.
  EXPECT_EQ(r.run(put("k", "x", kIncarnation, 4)).code, Code::kOk);
  EXPECT_TRUE(r.get("k", kIncarnation, 4).object);
}

TEST_F(ObjectTest, ALaterLifeOfTheBucketShowsNothingOfTheFormer) {
  r.run(put("k", "x"));
  ASSERT_EQ(r.run(row(kIncarnation + 1)).code, Code::kOk);
  EXPECT_FALSE(r.get("k", kIncarnation + 1).object);
  EXPECT_EQ(r.get("k").detail, Detail::kStaleBucket);
}

TEST_F(ObjectTest, LogTimeNeverGoesBack) {
  r.run(put("a", "x"), {}, at(100));
  r.run(put("b", "x"), {}, at(40));  // a leader whose clock is behind
  EXPECT_EQ(r.get("b").object->modified, at(100));
  r.entry("");
  r.run(put("c", "x"), {}, at(101));
  EXPECT_EQ(r.get("c").object->modified, at(101));
  Replica other;
  other.kv.state() = r.kv.state();
  ASSERT_TRUE(other.shard.load(other.kv).ok());
  other.run(put("d", "x"), {}, at(5));
  EXPECT_EQ(other.get("d").object->modified, at(101));
}

TEST_F(ObjectTest, NoopMovesTheAppliedIndexOnly) {
  r.entry("");
  EXPECT_EQ(r.shard.applied(), LogIndex(2));
  EXPECT_EQ(r.batch.changes().size(), 1u);
  EXPECT_TRUE(r.applied.reply.empty());
}

TEST_F(ObjectTest, WouldBlockChangesNothingAndTheSameEntryCanBeTriedAgain) {
  const std::string bytes = encode(command_of(put("k", "x"), {2, 1, 1, 0}));
  const uint64_t before = r.digest();
  r.kv.blocked = true;
  kv::Batch batch;
  EXPECT_TRUE(r.shard.apply(r.kv, batch, LogIndex(2), bytes).is(Code::kWouldBlock));
  r.kv.blocked = false;
  EXPECT_EQ(r.shard.applied(), LogIndex(1));
  EXPECT_EQ(r.digest(), before);
  r.entry(bytes);
  EXPECT_EQ(decode_reply(r.applied.reply).value().version, 2u);
}

TEST_F(ObjectTest, DamagedRecordIsReportedNotServed) {
  r.run(put("k", "x"));
  std::string& stored = r.kv.state()[Keys(kShard, 1).object(kIncarnation, "k")];
  stored.pop_back();
  EXPECT_TRUE(
      r.shard.query(r.kv, encode_query(GetObject{"b", kIncarnation, 1, "k"})).is(Code::kCorrupt));
  ListPartition list;
  list.bucket = "b";
  list.incarnation = kIncarnation;
  list.epoch = 1;
  EXPECT_TRUE(r.shard.query(r.kv, encode_query(list)).is(Code::kCorrupt));
}

// A random but plausible log: few keys, sessions with retries, bucket changes, bad epochs.
std::string draw(Rng& rng) {
  const std::string key(1, static_cast<char>('a' + rng.below(4)));
  const std::string body(rng.below(5), 'x');
  Session session;
  if (rng.chance(2, 3))
    session = {1 + rng.below(2), 1 + rng.below(2), 1 + rng.below(20), rng.below(6)};
  const WallTime time = at(static_cast<int64_t>(rng.below(1000)));
  const uint64_t incarnation = kIncarnation + rng.below(2);
  const uint64_t epoch = 1 + rng.below(2);
  switch (rng.below(12)) {
    case 0:
      return {};
    case 1:
      return encode(command_of(CreateBucket{"b", 4}, session, time));
    case 2:
      return encode(command_of(ActivateBucket{"b", 1 + rng.below(9)}, session, time));
    case 3:
      return encode(command_of(BeginDelete{"b"}, session, time));
    case 4:
      return encode(
          command_of(DecideDelete{"b", 1 + rng.below(9), epoch, rng.chance(1, 2)}, session, time));
    case 5:
      return encode(command_of(row(incarnation, epoch), session, time));
    case 6:
      return encode(command_of(row_as<CloseRowIfEmpty>(incarnation, epoch), session, time));
    case 7:
      return encode(command_of(row_as<ReopenRow>(incarnation, epoch + 1), session, time));
    case 8:
      return encode(command_of(del(key, incarnation, epoch), session, time));
    default:
      return encode(command_of(put(key, body, incarnation, epoch), session, time));
  }
}

bool same(const kv::Batch& a, const kv::Batch& b) {
  if (a.changes().size() != b.changes().size()) return false;
  for (size_t i = 0; i < a.changes().size(); ++i) {
    if (a.changes()[i].key != b.changes()[i].key || a.changes()[i].value != b.changes()[i].value) {
      return false;
    }
  }
  return true;
}

TEST(Determinism, SameEntriesMakeTheSameBatchesAnswersAndDigests) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    Replica a;
    auto b = std::make_unique<Replica>();
    for (int i = 0; i < 60; ++i) {
      const std::string bytes = draw(rng);
      a.entry(bytes);
      if (rng.chance(1, 8)) {  // restarted in between: what is in memory is what is in the kv
        auto reborn = std::make_unique<Replica>();
        reborn->kv.state() = b->kv.state();
        ASSERT_TRUE(reborn->shard.load(reborn->kv).ok());
        b = std::move(reborn);
      }
      b->entry(bytes);
      ASSERT_EQ(a.applied.reply, b->applied.reply) << "seed " << seed << " entry " << i;
      ASSERT_TRUE(same(a.batch, b->batch)) << "seed " << seed << " entry " << i;
      ASSERT_EQ(a.applied.bodies.size(), b->applied.bodies.size());
    }
    ASSERT_EQ(a.digest(), b->digest()) << "seed " << seed;
    const uint64_t before = a.digest();
    a.run(del("z"));
    ASSERT_NE(a.digest(), before) << "the applied index alone changes it";
  }
}

}  // namespace
}  // namespace drumlin::shard::test
