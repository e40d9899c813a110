#include "bench/client/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"

namespace drumlin::bench {
namespace {

TEST(Histogram, Empty) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.max(), 0u);
  EXPECT_EQ(h.mean(), 0.0);
  EXPECT_EQ(h.percentile(50), 0u);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram h;
  for (uint64_t v = 1; v <= 100; ++v)
    h.record(v);
  EXPECT_EQ(h.percentile(1), 1u);
  EXPECT_EQ(h.percentile(50), 50u);
  EXPECT_EQ(h.percentile(99), 99u);
  EXPECT_EQ(h.percentile(100), 100u);
  EXPECT_DOUBLE_EQ(h.mean(), 50.5);
}

TEST(Histogram, PercentilesNeverExceedTheMaximum) {
  Histogram h;
  h.record(1'000'001);
  EXPECT_EQ(h.percentile(50), 1'000'001u);
  EXPECT_EQ(h.percentile(99.9), 1'000'001u);
}

TEST(Histogram, TheLargestValuesHaveAPlace) {
  Histogram h;
  h.record(UINT64_MAX);
  h.record(UINT64_MAX - 1);
  h.record(uint64_t{1} << 63);
  h.record(0);
  EXPECT_EQ(h.percentile(25), 0u);
  EXPECT_EQ(h.percentile(100), UINT64_MAX);
}

TEST(Histogram, OneOutlierInAThousandIsThePercentileAboveIt) {
  Histogram h;
  for (int i = 0; i < 999; ++i)
    h.record(1000);
  h.record(9'000'000);
  EXPECT_LE(h.percentile(99.9), 1016u);
  EXPECT_EQ(h.percentile(99.95), 9'000'000u);
}

// Against sorting, over twelve orders of magnitude.
TEST(Histogram, IsRightToATwoHundredthOfTheValue) {
  Rng rng(7);
  Histogram all, halves[2];
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t value = rng.log_uniform(1, 1'000'000'000'000);
    values.push_back(value);
    all.record(value);
    halves[i % 2].record(value);
  }
  std::sort(values.begin(), values.end());
  halves[0].add(halves[1]);
  EXPECT_EQ(halves[0].count(), all.count());
  for (const double percent : {0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<size_t>(percent / 100 * static_cast<double>(values.size()));
    const uint64_t exact = values[rank - 1];
    EXPECT_GE(all.percentile(percent), exact) << percent;
    EXPECT_LE(all.percentile(percent), exact + exact / 64 + 1) << percent;
    EXPECT_EQ(all.percentile(percent), halves[0].percentile(percent));
  }
}

}  // namespace
}  // namespace drumlin::bench
