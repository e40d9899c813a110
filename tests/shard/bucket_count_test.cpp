// How many buckets an owner may have, as the catalogue shard decides it: the count is that of the records,
// whatever steps come late, twice or from several drivers, and whoever began without counting.
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "shard/codec.h"
#include "tests/shard/replica.h"

namespace drumlin::shard::test {
namespace {

struct BucketCountTest : ::testing::Test {
  Code create(const std::string& name, uint64_t owner, uint64_t most) {
    return r.run(CreateCountedBucket{name, 1, owner, most}).code;
  }
  void remove(const std::string& name) {
    const uint64_t life = r.bucket(name).value().incarnation;
    r.run(ActivateBucket{name, life});
    r.run(BeginDelete{name});
    r.run(DecideDelete{name, life, 1, true});
    ASSERT_EQ(r.run(FinishRemove{name, life}).code, Code::kOk);
  }
  uint64_t make_user(const std::string& name) { return r.run(CreateUser{name}).version; }
  // Nothing: none is kept.
  std::optional<uint64_t> count(uint64_t owner) const {
    const auto& state = r.kv.state();
    const auto found = state.find(Keys(kShard, 1).bucket_count(owner));
    if (found == state.end()) return std::nullopt;
    return decode_value<BucketCount>(found->second, "count").value().buckets;
  }
  std::map<uint64_t, uint64_t> records() const {
    const auto page =
        decode_list_buckets_reply(r.shard.query(r.kv, encode_query(ListBuckets{})).value()).value();
    std::map<uint64_t, uint64_t> out;
    for (const BucketRecord& record : page.records)
      ++out[record.owner];
    return out;
  }
  Replica r;
};

TEST_F(BucketCountTest, OneMoreThanAllowedIsRefused) {
  EXPECT_EQ(create("a", kRootUser, 2), Code::kOk);
  EXPECT_EQ(create("b", kRootUser, 2), Code::kOk);
  EXPECT_EQ(create("c", kRootUser, 2), Code::kTooLarge);
  EXPECT_FALSE(r.bucket("c"));
  EXPECT_EQ(create("c", kRootUser, 0), Code::kTooLarge);
  EXPECT_EQ(create("c", kRootUser, 3), Code::kOk) << "as the command says";
  EXPECT_EQ(count(kRootUser), 3u);
}

TEST_F(BucketCountTest, WhatIsThereIsNoNewOne) {
  EXPECT_EQ(create("a", kRootUser, 1), Code::kOk);
  EXPECT_EQ(create("a", kRootUser, 1), Code::kOk) << "joins what is being made";
  r.run(ActivateBucket{"a", 1});
  EXPECT_EQ(create("a", kRootUser, 1), Code::kAlreadyExists);
  r.run(BeginDelete{"a"});
  EXPECT_EQ(create("a", kRootUser, 1), Code::kAborted);
  EXPECT_EQ(count(kRootUser), 1u);
}

TEST_F(BucketCountTest, EachOwnerHasAnOwnCount) {
  const uint64_t alice = make_user("alice");
  const uint64_t bob = make_user("bob");
  EXPECT_EQ(create("a", alice, 1), Code::kOk);
  EXPECT_EQ(create("b", bob, 1), Code::kOk);
  EXPECT_EQ(create("c", kRootUser, 1), Code::kOk);
  for (const uint64_t owner : {alice, bob, kRootUser}) {
    EXPECT_EQ(create("d", owner, 1), Code::kTooLarge);
    EXPECT_EQ(count(owner), 1u);
  }
  EXPECT_EQ(create("d", 99, 1), Code::kPermissionDenied) << "no such user";
  EXPECT_EQ(count(99), std::nullopt);
}

TEST_F(BucketCountTest, RemovedOnceHoweverOftenItIsSaid) {
  create("a", kRootUser, 2);
  create("b", kRootUser, 2);
  remove("a");
  EXPECT_EQ(count(kRootUser), 1u);
  EXPECT_EQ(r.run(FinishRemove{"a", 1}).code, Code::kNotFound);
  EXPECT_EQ(r.run(FinishRemove{"b", 2}).code, Code::kAborted) << "it is not being removed";
  EXPECT_EQ(count(kRootUser), 1u);
  EXPECT_EQ(create("a", kRootUser, 2), Code::kOk);
  EXPECT_EQ(r.run(FinishRemove{"a", 1}).code, Code::kAborted) << "late, of the life before";
  EXPECT_EQ(count(kRootUser), 2u);
}

TEST_F(BucketCountTest, HalfDeletedOnesCountUntilTheyAreGone) {
  create("a", kRootUser, 1);
  r.run(ActivateBucket{"a", 1});
  r.run(BeginDelete{"a"});
  EXPECT_EQ(create("b", kRootUser, 1), Code::kTooLarge);
  r.run(DecideDelete{"a", 1, 1, true});
  EXPECT_EQ(create("b", kRootUser, 1), Code::kTooLarge);
  r.run(FinishRemove{"a", 1});
  EXPECT_EQ(create("b", kRootUser, 1), Code::kOk);
}

TEST_F(BucketCountTest, AReplayIsAnsweredFromMemory) {
  const Session session{2, 3, 4, 3};
  const CreateCountedBucket command{"a", 1, kRootUser, 2};
  EXPECT_EQ(r.run(command, session).code, Code::kOk);
  EXPECT_EQ(r.run(command, session).code, Code::kOk);
  EXPECT_EQ(count(kRootUser), 1u);
}

TEST_F(BucketCountTest, UnboundedOnesCountToo) {
  const uint64_t alice = make_user("alice");
  for (const char* name : {"a", "b", "c"})
    r.run(CreateOwnedBucket{name, 1, alice});
  r.run(CreateBucket{"root", 1});
  remove("c");
  EXPECT_EQ(count(alice), 2u);
  EXPECT_EQ(count(kRootUser), 1u);
  EXPECT_EQ(create("d", alice, 2), Code::kTooLarge);
}

TEST_F(BucketCountTest, GoesWithItsUser) {
  const uint64_t alice = make_user("alice");
  create("a", alice, 1);
  EXPECT_EQ(r.run(DeleteUser{"alice"}).code, Code::kFailedPrecondition);
  EXPECT_EQ(count(alice), 1u);
  remove("a");
  EXPECT_EQ(count(alice), 0u);
  EXPECT_EQ(r.run(DeleteUser{"alice"}).code, Code::kOk);
  EXPECT_EQ(count(alice), std::nullopt);
}

TEST_F(BucketCountTest, SurvivesARestart) {
  create("a", kRootUser, 1);
  Shard again(kShard, 1);
  ASSERT_TRUE(again.load(r.kv).ok());
  r.shard = std::move(again);
  EXPECT_EQ(create("b", kRootUser, 1), Code::kTooLarge);
}

// Steps of the protocol in any order and from anybody, with and without counting.
TEST_F(BucketCountTest, IsTheNumberOfRecords) {
  const std::vector<uint64_t> owners = {kRootUser, make_user("alice"), make_user("bob")};
  Rng rng(7);
  size_t refused = 0;
  for (int step = 0; step < 3000; ++step) {
    const std::string name = "b" + std::to_string(rng.below(9));
    const uint64_t owner = owners[rng.below(owners.size())];
    const auto there = r.bucket(name);
    const uint64_t life = there && rng.chance(9, 10) ? there->incarnation : rng.below(50);
    const uint64_t epoch = there ? there->epoch : 1;
    switch (rng.below(8)) {
      case 0:
        if (rng.chance(1, 5)) r.run(CreateOwnedBucket{name, 1, owner});
        break;
      case 1:
      case 2:
        refused += create(name, owner, 3) == Code::kTooLarge ? 1 : 0;
        break;
      case 3:
        r.run(ActivateBucket{name, life});
        break;
      case 4:
        r.run(BeginDelete{name});
        break;
      case 5:
        r.run(DecideDelete{name, life, epoch, rng.chance(3, 4)});
        break;
      case 6:
        r.run(FinishReopen{name, life, epoch});
        break;
      default:
        r.run(FinishRemove{name, life});
    }
    auto expected = records();
    for (const uint64_t each : owners) {
      const auto kept = count(each);
      ASSERT_EQ(kept.value_or(expected[each]), expected[each])
          << "owner " << each << ", step " << step;
    }
  }
  EXPECT_GT(refused, 50u);
  for (const uint64_t each : owners)
    EXPECT_TRUE(count(each));
}

}  // namespace
}  // namespace drumlin::shard::test
