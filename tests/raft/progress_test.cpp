// raft/progress: the account of what is in flight returns to zero on every way out.
#include "raft/progress.h"

#include <gtest/gtest.h>

namespace drumlin::raft {
namespace {

Progress replicating_after(uint64_t match) {
  Progress progress;
  progress.match = LogIndex(match);
  progress.become_replicate();
  return progress;
}

TEST(Progress, SendsAheadOfTheAnswer) {
  Progress progress = replicating_after(3);
  EXPECT_EQ(progress.next, LogIndex(4));
  progress.sent(LogIndex(5), 20);
  progress.sent(LogIndex(6), 10);
  EXPECT_EQ(progress.next, LogIndex(7));
  EXPECT_EQ(progress.in_flight_bytes, 30u);
}

TEST(Progress, AnAnswerFreesAllThatItCovers) {
  Progress progress = replicating_after(0);
  progress.sent(LogIndex(2), 20);
  progress.sent(LogIndex(4), 10);
  progress.sent(LogIndex(6), 5);
  progress.acknowledged(LogIndex(1));  // part of a message frees nothing
  EXPECT_EQ(progress.in_flight_bytes, 35u);
  progress.acknowledged(LogIndex(5));
  EXPECT_EQ(progress.in_flight.size(), 1u);
  EXPECT_EQ(progress.in_flight_bytes, 5u);
  progress.acknowledged(LogIndex(2));  // late
  EXPECT_EQ(progress.in_flight_bytes, 5u);
  progress.acknowledged(LogIndex(6));
  EXPECT_EQ(progress.in_flight_bytes, 0u);
  progress.acknowledged(LogIndex(6));  // twice
  EXPECT_EQ(progress.in_flight_bytes, 0u);
  EXPECT_TRUE(progress.in_flight.empty());
}

TEST(Progress, AProbeForgetsWhatWasInFlight) {
  Progress progress = replicating_after(2);
  progress.sent(LogIndex(8), 100);
  progress.probe_sent = true;
  progress.become_probe(LogIndex(3));
  EXPECT_EQ(progress.state, Progress::State::kProbe);
  EXPECT_EQ(progress.next, LogIndex(3));
  EXPECT_FALSE(progress.probe_sent);
  EXPECT_EQ(progress.in_flight_bytes, 0u);
  EXPECT_TRUE(progress.in_flight.empty());
  progress.match = LogIndex(5);
  progress.become_replicate();
  EXPECT_EQ(progress.next, LogIndex(6));
}

}  // namespace
}  // namespace drumlin::raft
