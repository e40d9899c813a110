// Who gets memory for bodies, and who waits behind whom.
#include "s3/body_budget.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/world.h"

namespace drumlin::s3::test {
namespace {

using drumlin::test::World;

// Of 100 in all, 60 for one user.
class BodyBudgetTest : public ::testing::Test {
 public:
  ~BodyBudgetTest() override { world.scheduler().kill(world.domain()); }
  // Takes n for `user`, holds it for so long.
  void take(const std::string& name, uint64_t user, size_t n, Duration hold,
            Duration patience = 1h) {
    world.spawn("taker", [this, name, user, n, hold, patience] {
      auto bytes = budget.acquire(user, n, after(world.clock(), patience));
      lines.push_back(name + (bytes.ok() ? "" : " gives up"));
      if (bytes.ok()) (void)world.sleep_for(hold);
    });
    world.scheduler().yield();
  }
  // What has happened so far, and no more.
  std::vector<std::string> happened() { return std::exchange(lines, {}); }
  using Lines = std::vector<std::string>;

  World world;
  BodyBudget budget{world.scheduler(), world.clock(), 100, 60};
  std::vector<std::string> lines;
};

TEST_F(BodyBudgetTest, WhoHasHisShareWaitsAndOthersGoOn) {
  world.run([&] {
    take("a1", 1, 50, 1s);
    take("a2", 1, 20, 1s);
    take("a3", 1, 5, 1s);
    EXPECT_EQ(happened(), Lines{"a1"})
        << "nor does a small one overtake a large one of the same user";
    take("b1", 2, 50, 5s);
    EXPECT_EQ(happened(), Lines{"b1"});
    (void)world.sleep_for(1500ms);
    EXPECT_EQ(happened(), (Lines{"a2", "a3"}));
    EXPECT_EQ(budget.users(), 2u);
    (void)world.sleep_for(10s);
    EXPECT_EQ(budget.users(), 0u) << "nothing is kept of who has nothing";
  });
}

TEST_F(BodyBudgetTest, WhoeverHasRoomInHisShareIsServedInOrderOfArrival) {
  world.run([&] {
    take("a", 1, 60, 1s);
    take("b", 2, 60, 1s);  // 40 are left
    take("c", 3, 30, 1s);
    take("more of a", 1, 1, 1s);
    EXPECT_EQ(happened(), Lines{"a"}) << "c would fit, and b would wait for ever";
    (void)world.sleep_for(1500ms);
    EXPECT_EQ(happened(), (Lines{"b", "c", "more of a"}));
  });
}

// The share is the same while its bytes are waited for in the whole.
TEST_F(BodyBudgetTest, WhatIsWaitedForCountsInTheShare) {
  world.run([&] {
    take("a", 1, 50, 2s);
    take("b", 2, 40, 1s);
    take("c1", 3, 40, 1s);
    take("c2", 3, 40, 1s);
    take("d", 4, 10, 3s);
    EXPECT_EQ(happened(), (Lines{"a", "b"}));
    (void)world.sleep_for(1500ms);
    EXPECT_EQ(happened(), (Lines{"c1", "d"})) << "d did not stand behind c2";
    (void)world.sleep_for(1s);
    EXPECT_EQ(happened(), Lines{"c2"});
  });
}

TEST_F(BodyBudgetTest, WhoGivesUpLeavesNothingBehind) {
  world.run([&] {
    take("a", 1, 60, 3s);
    take("of a's", 1, 10, 1s, 1s);
    take("b", 2, 50, 1s, 1s);
    take("c", 3, 40, 1s);
    (void)world.sleep_for(1500ms);
    EXPECT_EQ(happened(), (Lines{"a", "of a's gives up", "b gives up", "c"}));
    EXPECT_EQ(budget.users(), 2u);
    (void)world.sleep_for(5s);
    for (const uint64_t user : {1u, 2u, 3u})
      EXPECT_TRUE(budget.acquire(user, 60, after(world.clock(), 1s)).ok());
  });
}

TEST_F(BodyBudgetTest, MoreThanAShareCanNeverBe) {
  world.run([&] {
    EXPECT_EQ(budget.share(), 60u);
    EXPECT_TRUE(budget.acquire(1, 61, kNever).is(Code::kInvalidArgument));
    BodyBudget all(world.scheduler(), world.clock(), 100, 200);
    EXPECT_EQ(all.share(), 100u);
    EXPECT_TRUE(all.acquire(1, 100, kNever).ok());
  });
}

TEST_F(BodyBudgetTest, BytesMoveAndShrink) {
  world.run([&] {
    BodyBudget::Bytes bytes = budget.acquire(1, 60, kNever).value();
    bytes.shrink(70);
    EXPECT_EQ(bytes.count(), 60u);
    bytes.shrink(20);
    EXPECT_EQ(bytes.count(), 20u);
    BodyBudget::Bytes others = budget.acquire(1, 40, kNever).value();
    BodyBudget::Bytes moved = std::move(bytes);
    EXPECT_EQ(moved.count(), 20u);
    moved = BodyBudget::Bytes();
    others = BodyBudget::Bytes();
    EXPECT_EQ(budget.users(), 0u);
  });
}

}  // namespace
}  // namespace drumlin::s3::test
