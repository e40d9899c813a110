// observe: the log's lines are JSON whatever is in them; metrics render as Prometheus reads them.
#include <gtest/gtest.h>

#include "observe/observer.h"

namespace drumlin::observe {
namespace {

class StoppedClock : public Clock {
 public:
  Instant now() const override { return Instant(); }
  WallTime wall() const override { return WallTime(1795523465123456789ns); }
  void arm(Timer&, Instant) override {}
};

TEST(Log, WritesOneJsonObjectALine) {
  StoppedClock clock;
  std::string out;
  Log log(clock, NodeId(3), Level::kInfo, [&](Level, std::string_view line) { out = line; });
  log.info("raft", "became leader",
           {{"shard", GroupId(7)}, {"why", "say \"hi\"\n"}, {"ok", true}, {"n", -2}});
  EXPECT_EQ(out, R"({"ts":"2026-11-24T12:31:05.123Z","level":"info","node":3,"area":"raft",)"
                 R"("msg":"became leader","shard":7,"why":"say \"hi\"\n","ok":true,"n":-2})");
  out.clear();
  log.debug("raft", "hidden");
  EXPECT_EQ(out, "");
}

TEST(Log, IsUtf8WhateverItIsTold) {
  StoppedClock clock;
  std::string out;
  Log log(clock, NodeId(3), Level::kInfo, [&](Level, std::string_view line) { out = line; });
  log.info("http", "refused", {{"why", std::string_view("na\u00efve")}});
  EXPECT_TRUE(out.ends_with("\"why\":\"na\u00efve\"}")) << out;
  log.info("http", "refused \xc3", {{"why", std::string_view("\xff\xc3\xa9\n")}});
  EXPECT_TRUE(out.ends_with(R"("msg":"refused %C3","why":"%FF%C3%A9\n"})")) << out;
}

TEST(Log, SaysSoManyLinesASecondAndHowManyMoreThereWere) {
  class SteppedClock : public StoppedClock {
   public:
    Instant now() const override { return at; }
    Instant at = Instant(100s);
  };
  SteppedClock clock;
  std::vector<std::string> out;
  Log log(
      clock, NodeId(1), Level::kInfo,
      [&](Level, std::string_view line) { out.emplace_back(line.substr(line.find("\"area\""))); },
      2);
  for (int i = 0; i < 5; ++i)
    log.info("s3", "flood", {{"n", i}});
  log.warn("s3", "heard");
  clock.at += 999ms;
  log.info("s3", "still too early");
  clock.at += 1ms;
  log.info("s3", "again");
  clock.at += 5s;
  log.info("s3", "quiet");
  EXPECT_EQ(out, (std::vector<std::string>{
                     R"("area":"s3","msg":"flood","n":0})", R"("area":"s3","msg":"flood","n":1})",
                     R"("area":"s3","msg":"heard"})",
                     R"("area":"log","msg":"lines were left out","of":"info","lines":4})",
                     R"("area":"s3","msg":"again"})", R"("area":"s3","msg":"quiet"})"}));
}

TEST(Log, LevelsParse) {
  Level level;
  EXPECT_TRUE(parse_level("warn", level));
  EXPECT_EQ(level, Level::kWarn);
  EXPECT_FALSE(parse_level("loud", level));
}

TEST(Metrics, RenderForAScraper) {
  Metrics metrics;
  metrics.counter("drumlin_x_total", "X.", {{"op", "put"}}).Increment(2);
  metrics.counter("drumlin_x_total", "X.", {{"op", "get"}}).Increment();
  metrics.latency("drumlin_y_seconds", "Y.").Observe(0.003);
  const std::string text = metrics.render();
  EXPECT_NE(text.find("# TYPE drumlin_x_total counter"), std::string::npos) << text;
  EXPECT_NE(text.find("drumlin_x_total{op=\"put\"} 2"), std::string::npos) << text;
  EXPECT_NE(text.find("drumlin_y_seconds_bucket{le=\"0.005\"} 1"), std::string::npos) << text;
}

}  // namespace
}  // namespace drumlin::observe
