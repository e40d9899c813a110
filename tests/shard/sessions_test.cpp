// Sessions: a numbered command is applied once, in whatever order and how often it arrives.
#include <gtest/gtest.h>

#include "tests/shard/replica.h"

namespace drumlin::shard::test {
namespace {

Session session(uint64_t number, uint64_t low_water = 0, uint64_t boot = 1, uint64_t node = 2) {
  return {node, boot, number, low_water};
}

struct SessionTest : ::testing::Test {
  using Slots = std::vector<uint32_t>;
  void SetUp() override { r.open_row(); }
  // Where the replies of node 2 lie.
  Slots slots() {
    Slots out;
    const Keys keys(kShard, 1);
    for (uint32_t slot = 0; slot < 16; ++slot) {
      if (r.kv.state().contains(keys.reply(2, slot))) out.push_back(slot);
    }
    return out;
  }
  Replica r;
};

TEST_F(SessionTest, RetryHearsTheFirstReplyAndChangesNothing) {
  const Reply first = r.run(put("k", "one"), session(1));
  EXPECT_EQ(first.version, 2u);
  const auto before = r.kv.state();
  const Reply again = r.run(put("k", "two"), session(1));
  EXPECT_EQ(again.version, 2u);
  EXPECT_EQ(r.get("k").version, 2u);
  EXPECT_EQ(r.batch.changes().size(), 1u) << "only the applied index moves";
  EXPECT_TRUE(r.applied.bodies.empty());
  EXPECT_EQ(r.kv.state().size(), before.size());
}

TEST_F(SessionTest, RefusalsAreRememberedToo) {
  EXPECT_EQ(r.run(put("k", "x", /*incarnation=*/9), session(1)).detail, Detail::kStaleBucket);
  ASSERT_EQ(r.run(row(9)).code, Code::kOk);
  EXPECT_EQ(r.run(put("k", "x", 9), session(1)).detail, Detail::kStaleBucket) << "its first reply";
}

TEST_F(SessionTest, NumbersMayArriveInAnyOrder) {
  EXPECT_EQ(r.run(put("c", "x"), session(3)).code, Code::kOk);
  EXPECT_EQ(r.run(put("a", "x"), session(1)).code, Code::kOk);
  EXPECT_EQ(r.run(put("b", "x"), session(2)).code, Code::kOk);
  EXPECT_TRUE(r.get("a").object && r.get("b").object && r.get("c").object);
  EXPECT_EQ(r.run(put("a", "y"), session(1)).version, 3u);
}

TEST_F(SessionTest, BelowTheLowWaterNothingIsAppliedAndNothingIsKept) {
  for (uint64_t n = 1; n <= 5; ++n)
    r.run(put("k", "x"), session(n));
  EXPECT_EQ(slots(), (Slots{0, 1, 2, 3, 4}));
  r.run(put("k", "x"), session(6, /*low_water=*/3));
  EXPECT_EQ(slots(), (Slots{0, 3, 4})) << "the sixth in the place of the first";

  const uint64_t version = r.get("k").version;
  const Reply late = r.run(put("k", "late"), session(2));
  EXPECT_EQ(late.code, Code::kOutcomeUnknown);
  EXPECT_EQ(late.detail, Detail::kSession);
  EXPECT_EQ(r.get("k").version, version);
}

TEST_F(SessionTest, LowWaterNeverFalls) {
  r.run(put("k", "x"), session(5, 4));
  r.run(put("k", "x"), session(6, 1));  // sent earlier, arrived later
  EXPECT_EQ(r.run(put("k", "x"), session(3, 0)).detail, Detail::kSession);
}

TEST_F(SessionTest, EarlierLifeIsRefusedAndALaterOneBeginsAnew) {
  r.run(put("k", "x"), session(1, 0, /*boot=*/4));
  const uint64_t version = r.get("k").version;
  const Reply old = r.run(put("k", "old"), session(2, 0, /*boot=*/3));
  EXPECT_EQ(old.code, Code::kOutcomeUnknown);
  EXPECT_EQ(r.get("k").version, version);

  const Reply reborn = r.run(put("k", "new"), session(1, 0, /*boot=*/5));
  EXPECT_EQ(reborn.code, Code::kOk);
  EXPECT_GT(reborn.version, version);
  EXPECT_EQ(r.run(put("k", "x"), session(9, 0, 4)).code, Code::kOutcomeUnknown);
}

TEST_F(SessionTest, LaterLifeLeavesNoRepliesOfTheFormer) {
  for (uint64_t n = 1; n <= 4; ++n)
    r.run(put("k", "x"), session(n, 0, 1));
  r.run(put("k", "x"), session(9, 0, 2));
  EXPECT_EQ(slots(), Slots{0});
}

TEST_F(SessionTest, OneAfterTheOtherTheyTakeOneSlot) {
  for (uint64_t n = 1; n <= 5; ++n) {
    r.run(put("k" + std::to_string(n), "x"), session(n, n - 1));
    EXPECT_EQ(slots(), Slots{0});
    // The object, the reply, the meta record. (The body's pieces are put by who keeps bodies.)
    EXPECT_EQ(r.batch.changes().size(), 3u);
  }
}

// A replica that has just loaded must choose the slots that one does which has been there all along:
// the kv's bytes are part of what replicas must agree on.
TEST_F(SessionTest, AReloadChangesNoSlot) {
  uint64_t random = 1;
  uint64_t low_water = 0;
  uint64_t boot = 1;
  for (uint64_t n = 1; n <= 300; ++n) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const uint64_t choice = random >> 60;
    if (choice == 0) low_water = n - 1;
    if (choice == 1) low_water += (n - 1 - low_water) / 2;
    if (choice == 2 && n % 4 == 0) ++boot;
    Replica other;
    other.kv.state() = r.kv.state();
    ASSERT_TRUE(other.shard.load(other.kv).ok());
    const uint64_t late = choice == 3 ? low_water / 2 : low_water;  // sent earlier
    r.run(del("k"), session(n, late, boot));
    other.run(del("k"), session(n, late, boot));
    ASSERT_EQ(other.kv.state(), r.kv.state()) << n;
  }
}

TEST_F(SessionTest, NodesDoNotShareNumbers) {
  r.run(put("k", "x"), session(1, 0, 1, 2));
  EXPECT_EQ(r.run(put("k", "y"), session(1, 0, 1, 3)).version, 3u);
}

TEST_F(SessionTest, WithoutASessionEveryTimeCounts) {
  EXPECT_EQ(r.run(put("k", "x")).version, 2u);
  EXPECT_EQ(r.run(put("k", "x")).version, 3u);
}

TEST_F(SessionTest, SurvivesALoad) {
  r.run(put("k", "x"), session(4, 2));
  r.run(put("k", "x"), session(5, 2));
  Replica other;
  other.kv.state() = r.kv.state();
  ASSERT_TRUE(other.shard.load(other.kv).ok());
  EXPECT_EQ(other.shard.applied(), r.shard.applied());
  EXPECT_EQ(other.run(put("k", "y"), session(4, 2)).version, 2u);
  EXPECT_EQ(other.run(put("k", "y"), session(1, 0)).code, Code::kOutcomeUnknown);
  EXPECT_EQ(other.run(put("k", "y"), session(6, 5)).version, 6u);
}

TEST_F(SessionTest, FullWindowIsRefusedUntilTheLowWaterMovesOn) {
  for (uint64_t n = 1; n <= Sessions::kMaxReplies; ++n) {
    r.run(del("k"), session(n, /*low_water=*/0));  // all were under way at once
  }
  const Reply full = r.run(del("k"), session(Sessions::kMaxReplies + 1, 0));
  EXPECT_EQ(full.code, Code::kExhausted);
  EXPECT_EQ(full.detail, Detail::kSession);
  // All of them are answered: whoever says so must not be kept out by them.
  EXPECT_EQ(r.run(del("k"), session(Sessions::kMaxReplies + 2, Sessions::kMaxReplies)).code,
            Code::kOk);
  EXPECT_EQ(r.run(del("k"), session(Sessions::kMaxReplies + 1, Sessions::kMaxReplies)).code,
            Code::kOk);
}

TEST(SessionLoad, MalformedBytesAreCorrupt) {
  const Keys keys(kShard, 1);
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {keys.reply(1, 0), ""},
           {keys.reply(1, 0), "\2short"},
           {keys.reply(1, 0) + "x", "\2" + std::string(24, '\0')},
           {keys.reply(1, Sessions::kMaxReplies), "\2" + std::string(24, '\0')},
           {keys.meta(), "short"}}) {
    Replica r;
    r.kv.state()[key] = value;
    EXPECT_TRUE(r.shard.load(r.kv).is(Code::kCorrupt)) << drumlin::hex(key);
  }
  Replica later;
  later.kv.state()[keys.meta()] = std::string(1, 1) + std::string(24, '\0');
  EXPECT_TRUE(later.shard.load(later.kv).is(Code::kUnsupported));
}

}  // namespace
}  // namespace drumlin::shard::test
