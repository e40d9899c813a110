// Conditional writes, and what is remembered of requests under a client's own id.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "tests/shard/replica.h"

namespace drumlin::shard::test {
namespace {

constexpr Duration kSecond = 1s;

// `etag` is the body, too: it must outlive the command.
PutIf put_if(std::string key, std::string_view etag, Precondition when,
             RequestDigest request = {}) {
  PutIf out;
  static_cast<Put&>(out) = put(std::move(key), etag);
  out.attributes.etag = std::string(etag);
  out.when = std::move(when);
  out.request = request;
  return out;
}
DeleteIf delete_if(std::string key, Precondition when, RequestDigest request = {}) {
  DeleteIf out;
  static_cast<Delete&>(out) = del(std::move(key));
  out.when = std::move(when);
  out.request = request;
  return out;
}
Precondition absent() {
  Precondition out;
  out.absent = true;
  return out;
}
Precondition present() {
  Precondition out;
  out.present = true;
  return out;
}
Precondition tagged(std::vector<std::string> etags) {
  Precondition out;
  out.etags = std::move(etags);
  return out;
}
WallTime after_start(Duration d) {
  return at(0) + d;
}

struct ConditionTest : ::testing::Test {
  void SetUp() override { r.open_row(); }
  // "ok 3", "failed 2", "missing 0": what was answered, and the version.
  template <typename T>
  std::string run(T payload, Session session = {}, WallTime time = {}) {
    const Reply reply = r.run(std::move(payload), session, time);
    const std::string version = " " + std::to_string(reply.version);
    if (reply.code == Code::kOk) return "ok" + version;
    EXPECT_EQ(reply.detail, Detail::kCondition);
    return (reply.code == Code::kNotFound ? "missing" : "failed") + version;
  }
  std::string etag(const std::string& key) {
    const auto got = r.get(key);
    return got.object ? got.object->attributes.etag : "none";
  }
  Replica r;
};

TEST_F(ConditionTest, OnlyTheFirstOfManyCreates) {
  EXPECT_EQ(run(put_if("k", "one", absent())), "ok 2");
  EXPECT_EQ(run(put_if("k", "two", absent())), "failed 2");
  EXPECT_TRUE(r.applied.bodies.empty());
  EXPECT_EQ(run(put_if("k", "three", absent())), "failed 2");
  EXPECT_EQ(etag("k"), "one");
  EXPECT_EQ(run(put_if("other", "x", absent())), "ok 5");
}

TEST_F(ConditionTest, WhatWasDeletedIsAbsentAgain) {
  run(put_if("k", "one", absent()));
  r.run(del("k"));
  EXPECT_EQ(run(put_if("k", "two", absent())), "ok 4");
  EXPECT_EQ(etag("k"), "two");
}

TEST_F(ConditionTest, MatchReplacesWhatItKnowsAndNothingElse) {
  EXPECT_EQ(run(put_if("k", "one", tagged({"one"}))), "missing 0");
  EXPECT_EQ(run(put_if("k", "one", present())), "missing 0");
  r.run(del("gone"));
  EXPECT_EQ(run(put_if("k", "one", tagged({"one"}))), "missing 4") << "as a read of it would say";
  run(put_if("k", "one", absent()));
  EXPECT_EQ(run(put_if("k", "two", tagged({"one"}))), "ok 7");
  EXPECT_EQ(run(put_if("k", "three", tagged({"one"}))), "failed 7");
  EXPECT_EQ(run(put_if("k", "three", tagged({"zero", "two"}))), "ok 9");
  EXPECT_EQ(run(put_if("k", "four", present())), "ok 10");
  EXPECT_EQ(run(put_if("k", "five", tagged({"W/\"four\""}))), "failed 10") << "weak never matches";
  EXPECT_EQ(etag("k"), "four");
}

TEST_F(ConditionTest, ReplacingDropsTheFormerBody) {
  run(put_if("k", "one", absent()));
  run(put_if("k", "two", tagged({"one"})));
  ASSERT_EQ(r.applied.bodies.size(), 2u);
  EXPECT_FALSE(r.applied.bodies[0].put);
  EXPECT_EQ(r.applied.bodies[1].bytes, "two");
}

TEST_F(ConditionTest, DeletesMatchTagSizeAndTime) {
  run(put_if("k", "one", absent()), {}, after_start(3700ms));
  EXPECT_EQ(run(delete_if("k", tagged({"two"}))), "failed 2");
  Precondition when = tagged({"one"});
  when.size = 4;
  EXPECT_EQ(run(delete_if("k", when)), "failed 2");
  when.size = 3;
  when.modified = after_start(4s);
  EXPECT_EQ(run(delete_if("k", when)), "failed 2");
  when.modified = after_start(3s);
  EXPECT_EQ(run(delete_if("k", when)), "ok 6");
  EXPECT_EQ(etag("k"), "none");
  EXPECT_EQ(run(delete_if("k", when)), "ok 7") << "it is gone: what the client wants";
  EXPECT_EQ(run(delete_if("k", present())), "failed 7") << "asks for its presence";
}

TEST_F(ConditionTest, TheRowIsAskedBeforeTheCondition) {
  ASSERT_EQ(r.run(row_as<CloseRowIfEmpty>(kIncarnation, 1)).code, Code::kOk);
  const Reply reply = r.run(put_if("k", "x", tagged({"x"})));
  EXPECT_EQ(reply.code, Code::kAborted);
  EXPECT_EQ(reply.detail, Detail::kRowClosed);
}

TEST_F(ConditionTest, ARetryGetsTheFirstAnswer) {
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1})), "ok 2");
  const auto state = r.kv.state().size();
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1})), "ok 2");
  EXPECT_EQ(r.kv.state().size(), state);
  EXPECT_TRUE(r.applied.bodies.empty());
  EXPECT_EQ(r.get("k").version, 2u);
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 2})), "failed 2") << "another request";
}

TEST_F(ConditionTest, ARefusalIsAnAnswerToo) {
  run(put_if("k", "one", absent()));
  EXPECT_EQ(run(put_if("k", "two", absent(), {0, 1})), "failed 2");
  r.run(del("k"));
  EXPECT_EQ(run(put_if("k", "two", absent(), {0, 1})), "failed 2");
  EXPECT_EQ(etag("k"), "none");
  EXPECT_EQ(run(put_if("x", "x", tagged({"x"}), {0, 3})), "missing 4");
  run(put_if("x", "x", absent()));
  EXPECT_EQ(run(put_if("x", "x", tagged({"x"}), {0, 3})), "missing 4");
}

TEST_F(ConditionTest, ADeleteIsRememberedToo) {
  run(put_if("k", "one", absent()));
  EXPECT_EQ(run(delete_if("k", {}, {0, 1})), "ok 3");
  run(put_if("k", "two", absent()));
  EXPECT_EQ(run(delete_if("k", {}, {0, 1})), "ok 3");
  EXPECT_EQ(etag("k"), "two");
}

// The sender comes again with a fresh record of the bucket, under the same id.
TEST_F(ConditionTest, AStaleSenderWasToldNothingYet) {
  PutIf early = put_if("k", "one", absent(), {0, 1});
  early.incarnation = kIncarnation + 1;
  EXPECT_EQ(r.run(early).code, Code::kAborted);
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1})), "ok 3");
}

TEST_F(ConditionTest, SessionsComeFirst) {
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {2, 1, 1, 0}), "ok 2");
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {2, 1, 1, 0}), "ok 2");
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {3, 1, 9, 0}), "ok 2") << "over another node";
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {3, 1, 9, 0}), "ok 2");
}

TEST_F(ConditionTest, AfterAQuarterOfAnHourOfLogTimeItIsForgotten) {
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {}, after_start(kSecond)), "ok 2");
  const WallTime last = after_start(kSecond + Outcomes::kKeep);
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {}, last), "ok 2");
  // A leader whose clock lags does not turn time back.
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {}, after_start(2 * kSecond)), "ok 2");
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {}, last + 1ns), "failed 2");
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1}), {}, last + 1ns), "failed 2");
  const Keys keys(kShard, 1);
  EXPECT_FALSE(r.kv.state().contains(keys.outcome(2)));
  EXPECT_TRUE(r.kv.state().contains(keys.outcome(5))) << "recorded again";
}

size_t stored_outcomes(const Replica& r) {
  const std::string prefix = Keys(kShard, 1).outcomes();
  size_t n = 0;
  for (const auto& [key, value] : r.kv.state())
    n += key.starts_with(prefix) ? 1 : 0;
  return n;
}

TEST_F(ConditionTest, OldOutcomesGoAFewWithEachEntry) {
  for (uint64_t i = 1; i <= 40; ++i)
    run(delete_if("k", {}, {0, i}), {}, after_start(kSecond));
  EXPECT_EQ(stored_outcomes(r), 40u);
  const WallTime later = after_start(2 * kSecond + Outcomes::kKeep);
  r.run(del("k"), {}, later);
  EXPECT_EQ(stored_outcomes(r), 40 - Outcomes::kPurge);
  r.run(del("k"), {}, later);
  r.run(del("k"), {}, later);
  EXPECT_EQ(stored_outcomes(r), 0u);
}

TEST_F(ConditionTest, BeyondTheBoundTheOldestGoes) {
  for (uint64_t i = 1; i <= Outcomes::kMax; ++i)
    r.run(delete_if("k", {}, {0, i}));
  EXPECT_EQ(stored_outcomes(r), Outcomes::kMax);
  const uint64_t last = r.shard.applied().value();
  r.run(delete_if("k", {}, {1, 0}));
  EXPECT_EQ(stored_outcomes(r), Outcomes::kMax);
  EXPECT_EQ(run(delete_if("k", {}, {0, 2})), "ok 3") << "the second is still known";
  EXPECT_EQ(run(delete_if("k", {}, {0, 1})), "ok " + std::to_string(last + 3)) << "done again";
}

TEST_F(ConditionTest, WhatIsRememberedComesBackFromTheKv) {
  run(put_if("k", "one", absent(), {5, 1}), {}, after_start(kSecond));
  Replica other;
  other.kv.state() = r.kv.state();
  ASSERT_TRUE(other.shard.load(other.kv).ok());
  EXPECT_EQ(other.run(put_if("k", "one", absent(), {5, 1})).version, 2u);
  EXPECT_EQ(other.run(put_if("k", "one", absent(), {5, 2})).code, Code::kFailedPrecondition);
  other.kv.state()[Keys(kShard, 1).outcome(2)].pop_back();
  EXPECT_TRUE(other.shard.load(other.kv).is(Code::kCorrupt));
}

TEST_F(ConditionTest, AnApplyThatIsRunAgainRemembersOnce) {
  const std::string bytes = encode(command_of(put_if("k", "one", absent(), {0, 1})));
  kv::Batch dropped;
  ASSERT_TRUE(r.shard.apply(r.kv, dropped, r.shard.applied() + 1, bytes).ok());
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1})), "ok 2");
  EXPECT_EQ(run(put_if("k", "one", absent(), {0, 1})), "ok 2");
}

// Two replicas, one of which is loaded anew all the time, hold the same and answer the same.
TEST_F(ConditionTest, EveryReplicaDecidesTheSame) {
  Rng rng(11);
  Replica other;
  other.open_row();
  Duration now{};
  for (int i = 0; i < 2000; ++i) {
    now += rng.chance(1, 50) ? Duration(10min) : Duration(100ms);
    const std::string key = "k" + std::to_string(rng.below(3));
    const RequestDigest request{0, rng.below(40)};
    Precondition when;
    if (rng.chance(1, 2)) when = rng.chance(1, 2) ? absent() : tagged({"e1", "e2"});
    const std::string tag = "e" + std::to_string(rng.below(4));
    const Command command = rng.chance(1, 3)
                                ? command_of(delete_if(key, when, request), {}, after_start(now))
                                : command_of(put_if(key, tag, when, request), {}, after_start(now));
    r.apply(command);
    if (rng.chance(1, 3)) {
      ASSERT_TRUE(other.shard.load(other.kv).ok());
    }
    other.apply(command);
    ASSERT_EQ(other.applied.reply, r.applied.reply) << i;
    ASSERT_EQ(other.digest(), r.digest()) << i;
  }
}

}  // namespace
}  // namespace drumlin::shard::test
