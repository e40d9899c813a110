// Plans and scenarios as text, and what seeds draw.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "sim/plan/plan.h"

namespace drumlin::sim {
namespace {

TEST(Plan, ComesBackFromItsText) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Plan plan = generate(seed, Scenario{});
    const auto decoded = Plan::decode(plan.encode());
    ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
    EXPECT_EQ(*decoded, plan) << "seed " << seed;
  }
}

TEST(Plan, TheSameSeedDrawsTheSamePlanAndAnotherAnother) {
  EXPECT_EQ(generate(7, Scenario{}).encode(), generate(7, Scenario{}).encode());
  EXPECT_NE(generate(7, Scenario{}).encode(), generate(8, Scenario{}).encode());
}

TEST(Plan, OperationsDoNotDependOnTheFaultsDrawn) {
  Scenario calm;
  calm.fault_every_ms = 0;
  EXPECT_EQ(generate(3, calm).ops, generate(3, Scenario{}).ops);
  EXPECT_TRUE(generate(3, calm).faults.empty());
}

TEST(Plan, EveryFamilyStrikesInManySeedsAndIsLeftOutInSome) {
  std::map<FaultKind, int> seeds;
  constexpr int kSeeds = 200;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    std::map<FaultKind, bool> seen;
    for (const Fault& fault : generate(seed, Scenario{}).faults)
      seen[fault.kind] = true;
    for (const auto& [kind, unused] : seen)
      ++seeds[kind];
  }
  for (const FaultKind kind :
       {FaultKind::kCrash,     FaultKind::kPower,      FaultKind::kPowerAll,
        FaultKind::kPause,     FaultKind::kSlowCpu,    FaultKind::kClock,
        FaultKind::kReadError, FaultKind::kWriteError, FaultKind::kSyncError,
        FaultKind::kFull,      FaultKind::kSlowDisk,   FaultKind::kStall,
        FaultKind::kRot,       FaultKind::kPartition,  FaultKind::kOneWay,
        FaultKind::kCut,       FaultKind::kHalfOpen,   FaultKind::kCutClients,
        FaultKind::kRefuse,    FaultKind::kLatency,    FaultKind::kReset,
        FaultKind::kCorrupt,   FaultKind::kPartialIo,  FaultKind::kClog}) {
    EXPECT_GT(seeds[kind], kSeeds / 5) << static_cast<int>(kind);
    EXPECT_LT(seeds[kind], kSeeds) << static_cast<int>(kind);
  }
}

TEST(Plan, OnlyNodesThatTheEndDoesWithoutAreDamaged) {
  Scenario free;
  free.budget = 0;
  size_t in_core = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Plan plan = generate(seed, Scenario{});
    for (const Fault& fault : plan.faults) {
      if (fault.kind != FaultKind::kRot) continue;
      EXPECT_EQ((plan.core >> (fault.a - 1)) & 1, 0u) << "seed " << seed;
      EXPECT_EQ(plan.comeback, 0u) << "seed " << seed;
    }
    const Plan wild = generate(seed, free);
    EXPECT_EQ(wild.budget, 0u);
    for (const Fault& fault : wild.faults) {
      in_core += fault.kind == FaultKind::kRot && ((wild.core >> (fault.a - 1)) & 1) != 0 ? 1 : 0;
    }
  }
  EXPECT_GT(in_core, 0u);
}

TEST(Plan, SizesAndMixesDifferWildly) {
  std::set<uint32_t> nodes;
  size_t without_gets = 0, many_shards = 0, outside = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Plan plan = generate(seed, Scenario{});
    nodes.insert(plan.nodes);
    many_shards += plan.shards > 32 ? 1 : 0;
    outside += plan.core != (1u << plan.nodes) - 1 ? 1 : 0;
    const auto gets = std::count_if(plan.ops.begin(), plan.ops.end(),
                                    [](const Op& op) { return op.kind == OpKind::kGet; });
    without_gets += gets == 0 ? 1 : 0;
  }
  EXPECT_EQ(nodes, (std::set<uint32_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_GT(without_gets, 5u);
  EXPECT_GT(many_shards, 10u);
  EXPECT_GT(outside, 50u);
}

TEST(Plan, ManyBoundWhatAnOwnerMayHaveBelowWhatItWants) {
  size_t bounded = 0;
  for (uint32_t users : {0u, 1u, 2u}) {
    Scenario scenario;
    scenario.users = users;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      const Plan plan = generate(seed, scenario);
      if (plan.buckets_per_user == 0) continue;
      ++bounded;
      const uint32_t churn = plan.churn_buckets() / std::max(1u, users);
      EXPECT_GT(plan.buckets_per_user, plan.own_buckets());
      EXPECT_LT(plan.buckets_per_user, plan.own_buckets() + churn);
    }
  }
  EXPECT_GT(bounded, 100u);
  EXPECT_LT(bounded, 200u);
  EXPECT_FALSE(Plan::decode("drumlin-plan 1\nbuckets 3\nbuckets_per_user 2\n").ok());
  EXPECT_TRUE(Plan::decode("drumlin-plan 1\nbuckets 3\nusers 2\nbuckets_per_user 2\n").ok());
}

TEST(Plan, ThirdNumbersOfFaultsMayBeLeftOut) {
  const auto plan = Plan::decode("drumlin-plan 1\nfault 5 clock 1 -2000 -30\nfault 6 cut 1 2\n");
  ASSERT_TRUE(plan.ok()) << plan.status().to_string();
  EXPECT_EQ(plan->faults, (std::vector<Fault>{{5, FaultKind::kClock, 1, -2000, -30},
                                              {6, FaultKind::kCut, 1, 2, 0}}));
  EXPECT_FALSE(Plan::decode("drumlin-plan 1\nfault 5 pause 1 -3 0\n").ok());
}

TEST(Plan, RefusesWhatItDoesNotUnderstandAndNamesTheLine) {
  const auto error = [](std::string_view text) { return Plan::decode(text).status().message(); };
  EXPECT_EQ(error(""), "the plan is empty");
  EXPECT_EQ(error("plan 1\n"), "not a plan: the first line must be \"drumlin-plan 1\"");
  EXPECT_EQ(error("drumlin-plan 2\n"), "not a plan: the first line must be \"drumlin-plan 1\"");
  EXPECT_EQ(error("drumlin-plan 1\nseed 1\nwings 2\n"), "line 3 is not understood");
  EXPECT_EQ(error("drumlin-plan 1\nop 0 0 1 fly 0 0 0 signed\n"), "line 2 is not understood");
  EXPECT_EQ(error("drumlin-plan 1\nfault 5 crash 1\n"), "line 2 is not understood");
  EXPECT_EQ(error("drumlin-plan 1\nop 99 0 1 get 0 0 0 signed\n"),
            "a number of the plan is out of range");
  EXPECT_EQ(error("drumlin-plan 1\nnodes 0\n"), "a number of the plan is out of range");
}

TEST(Plan, TheEngineIsRocksDbUnlessItSaysOtherwise) {
  EXPECT_EQ(Plan::decode("drumlin-plan 1\n")->kv, KvEngine::kRocksDb);
  EXPECT_EQ(Plan::decode("drumlin-plan 1\nkv memory\n")->kv, KvEngine::kMemory);
  EXPECT_FALSE(Plan::decode("drumlin-plan 1\nkv files\n").ok());
  EXPECT_EQ(generate(1, Scenario{}).kv, KvEngine::kRocksDb);
  Scenario scenario;
  EXPECT_TRUE(scenario.set("kv", "memory").ok());
  EXPECT_FALSE(scenario.set("kv", "files").ok());
  const Plan plan = generate(1, scenario);
  EXPECT_EQ(plan.kv, KvEngine::kMemory);
  EXPECT_EQ(Plan::decode(plan.encode())->kv, KvEngine::kMemory);
}

TEST(Plan, CommentsAndOrderDoNotMatter) {
  const auto plan = Plan::decode(
      "# a plan\ndrumlin-plan 1   # its version\n\nfault 5 heal 0 0\nop 1 2 3 put 0 4 5 "
      "chunked\nnodes 3\nseed 9\n");
  ASSERT_TRUE(plan.ok()) << plan.status().to_string();
  EXPECT_EQ(plan->seed, 9u);
  EXPECT_EQ(plan->ops, (std::vector<Op>{{1, 2, 3, OpKind::kPut, 0, 4, 5, Encoding::kChunked}}));
  EXPECT_EQ(plan->faults, (std::vector<Fault>{{5, FaultKind::kHeal, 0, 0}}));
}

TEST(Scenario, ReadsItsFile) {
  const auto scenario =
      Scenario::decode("# three nodes\nnodes = 3\nfaults = crash,heal  # few\nops = 10\n");
  ASSERT_TRUE(scenario.ok()) << scenario.status().to_string();
  EXPECT_EQ(scenario->nodes_min, 3u);
  EXPECT_EQ(scenario->nodes_max, 3u);
  EXPECT_EQ(scenario->ops, 10u);
  EXPECT_EQ(scenario->faults, "crash,heal");
}

TEST(Scenario, RefusesUnknownSettingsFaultsAndBounds) {
  const auto error = [](std::string_view text) {
    return Scenario::decode(text).status().message();
  };
  EXPECT_EQ(error("nodes 3\n"), "line 1: not \"key = value\"");
  EXPECT_EQ(error("\nwings = 2\n"), "line 2: wings = 2: unknown setting");
  EXPECT_EQ(error("faults = crash,flood\n"), "line 1: faults = crash,flood: unknown fault");
  EXPECT_EQ(error("ops = many\n"), "line 1: ops = many: not a number");
  EXPECT_EQ(error("nodes_min = 5\nnodes_max = 2\n"), "a number of the scenario is out of range");
  EXPECT_EQ(error("max_body_bytes = 8388608\n"), "a number of the scenario is out of range");
}

}  // namespace
}  // namespace drumlin::sim
