// raft/quorum: majorities against counting by hand.
#include "raft/quorum.h"

#include <gtest/gtest.h>

namespace drumlin::raft {
namespace {

TEST(Quorum, MajorityIsMoreThanHalf) {
  for (size_t voters = 1; voters <= 9; ++voters) {
    EXPECT_GT(2 * majority_of(voters), voters);
    EXPECT_LE(2 * (majority_of(voters) - 1), voters);
  }
}

// Every vector of up to five small values: the highest value that a majority has reached.
TEST(Quorum, MajorityReachedAgreesWithCounting) {
  for (size_t n = 1; n <= 5; ++n) {
    size_t combinations = 1;
    for (size_t i = 0; i < n; ++i)
      combinations *= 4;
    for (size_t c = 0; c < combinations; ++c) {
      std::vector<uint64_t> values;
      for (size_t i = 0, rest = c; i < n; ++i, rest /= 4)
        values.push_back(rest % 4);
      uint64_t best = 0;
      for (uint64_t candidate = 0; candidate < 4; ++candidate) {
        size_t reached = 0;
        for (const uint64_t value : values)
          reached += value >= candidate ? 1 : 0;
        if (2 * reached > n) best = candidate;
      }
      EXPECT_EQ(majority_reached(values), best);
    }
  }
}

TEST(Votes, PendingUntilAMajorityIsCertain) {
  Votes votes;
  EXPECT_EQ(votes.tally(3), Tally::kPending);
  votes.record(NodeId(1), true);
  EXPECT_EQ(votes.tally(3), Tally::kPending);
  EXPECT_EQ(votes.tally(1), Tally::kWon);
  votes.record(NodeId(2), false);
  EXPECT_EQ(votes.tally(3), Tally::kPending);
  votes.record(NodeId(3), true);
  EXPECT_EQ(votes.tally(3), Tally::kWon);
}

TEST(Votes, LostOnceAMajorityIsOutOfReach) {
  Votes votes;
  votes.record(NodeId(2), false);
  EXPECT_EQ(votes.tally(4), Tally::kPending);
  votes.record(NodeId(3), false);
  EXPECT_EQ(votes.tally(3), Tally::kLost);
  EXPECT_EQ(votes.tally(4), Tally::kLost);
  EXPECT_EQ(votes.tally(5), Tally::kPending);
}

TEST(Votes, OneVoterCountsOnceAndItsFirstAnswerStands) {
  Votes votes;
  votes.record(NodeId(2), true);
  votes.record(NodeId(2), true);
  EXPECT_EQ(votes.tally(3), Tally::kPending);
  votes.record(NodeId(2), false);
  votes.record(NodeId(1), true);
  EXPECT_EQ(votes.tally(3), Tally::kWon);
  votes.reset();
  EXPECT_EQ(votes.tally(3), Tally::kPending);
}

}  // namespace
}  // namespace drumlin::raft
