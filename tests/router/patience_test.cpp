// Patience: as long as answers take, within limits.
#include "router/patience.h"

#include <gtest/gtest.h>

namespace drumlin::router {
namespace {

Patience usual() {
  return {600ms, 5s};
}

TEST(Patience, OfAStrangerIsTheShortest) {
  EXPECT_EQ(usual().attempt(0), 600ms);
  EXPECT_EQ(usual().attempt(1), 1200ms);
  EXPECT_EQ(usual().attempt(2), 2400ms);
  EXPECT_EQ(usual().attempt(4), 5s);
  EXPECT_EQ(usual().attempt(1000), 5s);
}

TEST(Patience, QuickAnswersDoNotMakeItShorter) {
  Patience patience = usual();
  for (int i = 0; i < 100; ++i)
    patience.answered(1ms);
  EXPECT_EQ(patience.attempt(0), 600ms);
}

TEST(Patience, SlowAnswersMakeItLongerAtOnce) {
  Patience patience = usual();
  patience.answered(1ms);
  patience.answered(1500ms);
  EXPECT_GT(patience.attempt(0), 1500ms) << "the next of them is waited for";
  for (int i = 0; i < 50; ++i)
    patience.answered(i % 2 == 0 ? 1400ms : 1600ms);
  EXPECT_GT(patience.attempt(0), 1600ms);
  EXPECT_LT(patience.attempt(0), 2100ms) << "they are much alike";
  EXPECT_EQ(patience.attempt(3), 5s);
}

TEST(Patience, ForgetsSlowAnswers) {
  Patience patience = usual();
  for (int i = 0; i < 50; ++i)
    patience.answered(3s);
  for (int i = 0; i < 50; ++i)
    patience.answered(2ms);
  EXPECT_EQ(patience.attempt(0), 600ms);
}

}  // namespace
}  // namespace drumlin::router
