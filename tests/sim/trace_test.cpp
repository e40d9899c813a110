#include "sim/runtime/trace.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace drumlin::sim {
namespace {

Instant at(int64_t nanos) {
  return Instant(Duration(nanos));
}

TEST(Trace, EveryFieldReachesTheHash) {
  const auto hash = [](int64_t when, uint32_t machine, std::string_view kind, uint64_t a,
                       uint64_t b, std::string_view text, uint64_t content = 0) {
    Trace trace({});
    trace.event(at(when), machine, kind, a, b, text, content);
    return trace.hash();
  };
  const std::string long_text(100, 'x');
  std::set<uint64_t> seen = {
      hash(1, 1, "kind", 1, 2, "text"),    hash(2, 1, "kind", 1, 2, "text"),
      hash(1, 2, "kind", 1, 2, "text"),    hash(1, 1, "kin", 1, 2, "text"),
      hash(1, 1, "kind", 2, 1, "text"),    hash(1, 1, "kind", 1, 3, "text"),
      hash(1, 1, "kind", 1, 2, "texts"),   hash(1, 1, "kindt", 1, 2, "ext"),
      hash(1, 1, "kind", 1, 2, ""),        hash(1, 1, "kind", 1, 2, std::string_view("\0", 1)),
      hash(1, 1, "kind", 1, 2, long_text), hash(1, 1, "kind", 1, 2, long_text + "x"),
      hash(1, 1, "kind", 1, 2, "text", 7), hash(1, 1, "kind", 1, 2, "text", 8),
  };
  EXPECT_EQ(seen.size(), 14u);
}

TEST(Trace, KindIsHashedByItsText) {
  const std::string here = "disk.write";
  const std::string there = "disk.write";
  Trace one({});
  Trace other({});
  one.event(at(1), 1, here);
  other.event(at(1), 1, there);
  EXPECT_EQ(one.hash(), other.hash());
}

// Frozen: a run's hash is compared over builds and machines.
TEST(Trace, HashIsTheSameEverywhere) {
  Trace trace({});
  trace.event(at(12345678901), 2, "disk.write", 4096, 17, "wal/000001.log");
  trace.event(at(12345678902), 1001, "net.data", UINT64_MAX, 0,
              "a text of more than thirty-two bytes, hashed in one go");
  EXPECT_EQ(trace.hash(), 5584322474112690020u);
}

TEST(Trace, RingKeepsTheLast) {
  Trace trace({.ring = 4});
  for (uint64_t i = 0; i < 10; ++i)
    trace.event(at(5), 1, "step", i, 0, std::string(60, 'y'));
  const auto last = trace.last();
  ASSERT_EQ(last.size(), 4u);
  for (uint64_t i = 0; i < 4; ++i)
    EXPECT_EQ(last[i].a, 6 + i);
  EXPECT_EQ(last[3].hash, trace.hash());
  EXPECT_EQ(last[3].text, std::string(Trace::kRingText, 'y'));
  EXPECT_EQ(trace.count(), 10u);
  EXPECT_TRUE(trace.recorded().empty());
}

TEST(Trace, NamesTheFirstDifference) {
  Trace one({.ring = 2, .record = true});
  Trace other({.ring = 2, .record = true});
  for (uint64_t i = 0; i < 10; ++i) {
    one.event(at(1), 1, "step", i);
    other.event(at(1), 1, "step", i == 7 ? 70 : i);
  }
  EXPECT_EQ(Trace::first_difference(one, other), 7u);
  EXPECT_EQ(Trace::first_difference(one, one), std::nullopt);
  Trace shorter({.ring = 2, .record = true});
  shorter.event(at(1), 1, "step", 0);
  EXPECT_EQ(Trace::first_difference(one, shorter), 1u);
}

TEST(Trace, PrintsForPeople) {
  Trace trace({});
  trace.event(at(12345678901), 2, "disk.write", 4096, 17, "wal/000001.log");
  trace.event(at(1), 1003, "net.data");
  const auto last = trace.last();
  EXPECT_EQ(Trace::to_string(last[0]),
            "12.345678901s node 2 disk.write a=4096 b=17 wal/000001.log");
  EXPECT_EQ(Trace::to_string(last[1]), "0.000000001s client 3 net.data a=0 b=0");
}

}  // namespace
}  // namespace drumlin::sim
