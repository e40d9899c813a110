// The router: objects and listings over many partitions, stale records, all or an error.
#include "router/router.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "shard/placement.h"
#include "tests/router/cluster.h"

namespace drumlin::router::test {
namespace {

Blob blob(std::string text) {
  return Blob(std::move(text));
}
uint32_t shard_of(const std::string& key) {
  return shard::shard_of("b", key, kShards, kShards);
}

struct RouterTest : ::testing::Test {
  // With a router, and bucket "b" made.
  void run(const std::function<void()>& body) {
    c.run([&] {
      router = c.router();
      ASSERT_TRUE(router->create_bucket("b", c.in(5s)).ok());
      body();
      router->stop();
    });
  }
  Result<uint64_t> put(const std::string& key, std::string body = "x") {
    DRUMLIN_ASSIGN(const Written written,
                   router->put_object("b", key, {}, blob(std::move(body)), {}, c.in(5s)));
    return written.version;
  }
  Result<GotObject> get(const std::string& key, std::optional<ByteRange> range = std::nullopt,
                        uint64_t max_body = UINT64_MAX) {
    return router->get_object("b", key, true, range, max_body, c.in(5s));
  }
  // All pages of a listing, joined by bars.
  std::string pages(std::string prefix, std::string delimiter, size_t limit) {
    std::string out;
    ListRequest request{"b", std::move(prefix), std::move(delimiter), "", false, limit};
    for (int page = 0; page < 100; ++page) {
      const auto listing = router->list_objects(request, c.in(5s)).value();
      EXPECT_LE(listing.items.size(), limit);
      for (const auto& item : listing.items)
        out += item.key + (item.common_prefix ? "* " : " ");
      if (!listing.truncated) return out;
      request.after = listing.items.back().key;
      request.after_is_prefix = listing.items.back().common_prefix;
      out += "| ";
    }
    return "endless";
  }

  Cluster c;
  std::unique_ptr<Router> router;
};

TEST_F(RouterTest, ObjectsGoWhereTheirKeyBelongs) {
  run([&] {
    for (int i = 0; i < 20; ++i) {
      const std::string key = "key" + std::to_string(i);
      const LogIndex before = c.applied(shard_of(key));
      const auto version = put(key, "body of " + key);
      EXPECT_EQ(version.value(), before.value() + 1);
      const auto got = get(key).value();
      EXPECT_TRUE(got.found);
      EXPECT_EQ(got.version, *version);
      EXPECT_EQ(got.body.view(), "body of " + key);
    }
    EXPECT_FALSE(get("missing")->found);
    const uint64_t deleted = router->delete_object("b", "key3", {}, c.in(5s)).value().version;
    EXPECT_FALSE(get("key3")->found);
    EXPECT_EQ(get("key3")->version, deleted);
  });
}

// So long that a shard must cut its answer, with a delimiter or without.
TEST_F(RouterTest, APageOfLongNamesIsWhole) {
  run([&] {
    std::string all;
    std::string groups;
    for (int i = 0; i < 1000; ++i) {
      // Under its own delimiter each is a group, and all are in one shard.
      std::string key = std::to_string(10'000 + i) + std::string(1000, 'x') + "/";
      for (int n = 0; shard_of(key) != 3; ++n)
        key = std::to_string(10'000 + i) + std::string(1000, 'x') + std::to_string(n) + "/";
      ASSERT_TRUE(put(key).ok());
      all += key + " ";
      groups += key + "* ";
    }
    EXPECT_TRUE(pages("", "", 1000) == all);
    EXPECT_TRUE(pages("", "/", 1000) == groups);
  });
}

TEST_F(RouterTest, RangesAreTheShards) {
  run([&] {
    ASSERT_TRUE(put("k", "0123456789").ok());
    EXPECT_EQ(get("k", ByteRange{2, 4})->body.view(), "234");
    EXPECT_EQ(get("k", ByteRange{2, 4})->first, 2u);
    EXPECT_EQ(get("k", ByteRange{std::nullopt, 3})->body.view(), "789");
    EXPECT_TRUE(get("k", ByteRange{10, std::nullopt})->unsatisfiable);
  });
}

TEST_F(RouterTest, BodyBeyondTheLimitIsLeftOut) {
  run([&] {
    ASSERT_TRUE(put("k", "0123456789").ok());
    const GotObject none = get("k", std::nullopt, 9).value();
    EXPECT_TRUE(none.found && none.body_left_out && none.body.empty());
    EXPECT_EQ(none.object.size, 10u);
    EXPECT_EQ(get("k", std::nullopt, 10)->body.size(), 10u);
    EXPECT_FALSE(get("k", std::nullopt, 10)->body_left_out);
  });
}

TEST_F(RouterTest, WithoutTheBucketNothingIsDone) {
  run([&] {
    EXPECT_TRUE(router->put_object("none", "k", {}, blob("x"), {}, c.in(5s)).is(Code::kNotFound));
    EXPECT_TRUE(
        router->get_object("none", "k", true, {}, UINT64_MAX, c.in(5s)).is(Code::kNotFound));
    EXPECT_TRUE(router->delete_object("none", "k", {}, c.in(5s)).is(Code::kNotFound));
    EXPECT_TRUE(router->list_objects(whole("none"), c.in(5s)).is(Code::kNotFound));
  });
}

TEST_F(RouterTest, StaleRecordIsFetchedAgain) {
  run([&] {
    ASSERT_TRUE(put("k").ok());
    const auto other = c.router();
    EXPECT_TRUE(other->delete_bucket("b", c.in(5s)).is(Code::kFailedPrecondition));  // epoch 2
    EXPECT_TRUE(put("k2").ok());
    EXPECT_TRUE(get("k")->found);
    ASSERT_TRUE(other->delete_object("b", "k", {}, c.in(5s)).ok());
    ASSERT_TRUE(other->delete_object("b", "k2", {}, c.in(5s)).ok());
    ASSERT_TRUE(other->delete_bucket("b", c.in(5s)).ok());
    EXPECT_TRUE(put("k").is(Code::kNotFound));
    EXPECT_TRUE(get("k").is(Code::kNotFound));
    ASSERT_TRUE(other->create_bucket("b", c.in(5s)).ok());
    EXPECT_FALSE(get("k")->found);
    EXPECT_TRUE(put("k").ok());
  });
}

TEST_F(RouterTest, PutOnAClosedRowHearsOfTheDelete) {
  run([&] {
    ASSERT_TRUE(put("other").ok());
    const auto other = c.router();
    const uint32_t shard = shard_of("k");
    ASSERT_NE(shard, shard_of("other"));
    bool tried = false;
    c.before_apply = [&](uint32_t, const shard::Command& command) {
      // Just before the decision, when every empty row is closed.
      if (!std::holds_alternative<shard::DecideDelete>(command.payload) ||
          std::exchange(tried, true))
        return;
      const auto refused = put("k");
      EXPECT_TRUE(refused.is(Code::kAborted));
      EXPECT_NE(refused.status().message().find("being deleted"), std::string::npos);
      EXPECT_TRUE(get("other")->found) << "reads go on";
      EXPECT_EQ(router->list_objects(whole("b"), c.in(5s))->items.size(), 1u);
    };
    EXPECT_TRUE(other->delete_bucket("b", c.in(5s)).is(Code::kFailedPrecondition));
    EXPECT_TRUE(tried);
    EXPECT_TRUE(put("k").ok());
  });
}

TEST_F(RouterTest, ReadsGoOnWhileAFailedDeleteReopensTheRows) {
  run([&] {
    for (const char* key : {"1", "2", "3", "4", "5", "6"})
      ASSERT_TRUE(put(key).ok());
    const auto other = c.router();
    int looked = 0;
    bool inside = false;
    c.before_apply = [&](uint32_t, const shard::Command& command) {
      if (inside || !std::holds_alternative<shard::ReopenRow>(command.payload)) return;
      inside = true;
      ++looked;
      for (const char* key : {"1", "2", "3", "4", "5", "6"}) {
        const auto got = get(key);
        EXPECT_TRUE(got.ok() && got->found) << got.status().to_string();
      }
      EXPECT_TRUE(router->list_objects(whole("b"), c.in(5s)).ok());
      inside = false;
    };
    EXPECT_TRUE(other->delete_bucket("b", c.in(5s)).is(Code::kFailedPrecondition));
    EXPECT_GT(looked, 0);
  });
}

// Once a delete is decided the bucket is gone for everybody: what this router remembers of it, and the
// closed rows that would answer "empty", must not keep it alive here.
TEST_F(RouterTest, ADecidedDeleteIsNotReadPast) {
  run([&] {
    const auto other = c.router();
    const auto state = [&] {
      const auto record = c.record("b");
      return record ? record->state : shard::BucketState::kCreating;
    };
    for (uint64_t steps = 1;
         state() == shard::BucketState::kActive || state() == shard::BucketState::kDeleting;
         ++steps) {
      c.budget = steps;
      other->delete_bucket("b", c.in(200ms)).ignore();
    }
    c.budget = Cluster::kEnough;
    ASSERT_EQ(state(), shard::BucketState::kRemoving);
    EXPECT_EQ(get("k").code(), Code::kNotFound);
    EXPECT_EQ(router->list_objects({"b", "", "", "", false, 10}, c.in(5s)).code(), Code::kNotFound);
    other->stop();
  });
}

TEST_F(RouterTest, ListingIsOneOrderedWhole) {
  run([&] {
    std::vector<std::string> keys;
    for (int i = 0; i < 40; ++i)
      keys.push_back("k" + std::to_string(i));
    for (const char* key : {"\x80", "\xff", "\x7f", "\xc3\xa9", "Z"})
      keys.push_back(key);
    for (const std::string& key : keys)
      ASSERT_TRUE(put(key).ok());
    std::sort(keys.begin(), keys.end());
    std::string expected;
    for (const std::string& key : keys)
      expected += key + " ";
    EXPECT_EQ(pages("", "", 1000), expected);
    for (const size_t limit : {1u, 2u, 7u, 44u, 45u}) {
      std::string joined = pages("", "", limit);
      for (size_t at; (at = joined.find("| ")) != std::string::npos;)
        joined.erase(at, 2);
      EXPECT_EQ(joined, expected) << limit;
    }
  });
}

TEST_F(RouterTest, CommonPrefixesAreCountedOnceAcrossPartitionsAndPages) {
  run([&] {
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(put("a/" + std::to_string(i)).ok());
      ASSERT_TRUE(put("b/" + std::to_string(i)).ok());
    }
    for (const char* key : {"a", "a0", "c", "b/x/y"})
      ASSERT_TRUE(put(key).ok());
    EXPECT_EQ(pages("", "/", 1000), "a a/* a0 b/* c ");
    EXPECT_EQ(pages("", "/", 2), "a a/* | a0 b/* | c ");
    EXPECT_EQ(pages("", "/", 1), "a | a/* | a0 | b/* | c ");
    EXPECT_EQ(pages("", "/", 5), "a a/* a0 b/* c ");
    EXPECT_EQ(pages("b/", "/", 6), "b/0 b/1 b/10 b/11 b/2 b/3 | b/4 b/5 b/6 b/7 b/8 b/9 | b/x/* ");
  });
}

TEST_F(RouterTest, ListingIsAllOrAnError) {
  run([&] {
    for (int i = 0; i < 20; ++i)
      ASSERT_TRUE(put("k" + std::to_string(i)).ok());
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      c.refuse_queries[shard] = Status(Code::kTimeout, "no quorum");
      const auto listing = router->list_objects(whole("b"), c.in(1s));
      EXPECT_TRUE(listing.is(Code::kUnavailable)) << shard;
      c.refuse_queries.clear();
      EXPECT_EQ(router->list_objects(whole("b"), c.in(1s))->items.size(), 20u);
    }
  });
}

TEST_F(RouterTest, ListingSeesWhatWasAnsweredBefore) {
  run([&] {
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(put("k" + std::to_string(i)).ok());
      ASSERT_EQ(router->list_objects(whole("b"), c.in(5s))->items.size(),
                static_cast<size_t>(i) + 1);
    }
    ASSERT_TRUE(router->delete_object("b", "k3", {}, c.in(5s)).ok());
    EXPECT_EQ(router->list_objects(whole("b"), c.in(5s))->items.size(), 9u);
  });
}

TEST_F(RouterTest, ConditionsAreJudgedByTheShard) {
  run([&] {
    WriteTerms absent;
    absent.when.absent = true;
    const auto create = [&](std::string body) {
      return router->put_object("b", "k", {"tag-" + body, {}, {}, {}}, blob(body), absent, c.in(5s))
          .value();
    };
    const Written first = create("one");
    EXPECT_EQ(first.outcome, Written::Outcome::kDone);
    const Written second = create("two");
    EXPECT_EQ(second.outcome, Written::Outcome::kConditionFailed);
    EXPECT_EQ(second.version, first.version) << "of what is there";
    EXPECT_EQ(get("k")->body.view(), "one");

    WriteTerms match;
    match.when.etags = {"tag-one"};
    const auto elsewhere = router->put_object("b", "none", {}, blob("x"), match, c.in(5s)).value();
    EXPECT_EQ(elsewhere.outcome, Written::Outcome::kNothingToMatch);
    const auto gone = router->delete_object("b", "k", match, c.in(5s)).value();
    EXPECT_EQ(gone.outcome, Written::Outcome::kDone);
    EXPECT_FALSE(get("k")->found);
  });
}

// The node's session ends with its life; the client's own id does not.
TEST_F(RouterTest, ARetryOverAnotherNodeGetsTheFirstAnswer) {
  run([&] {
    WriteTerms terms;
    terms.when.absent = true;
    terms.request = {1, 2};
    c.lost_replies = 1;
    c.budget = 1;
    const auto unknown = router->put_object("b", "k", {}, blob("y"), terms, c.in(1s));
    EXPECT_TRUE(unknown.is(Code::kOutcomeUnknown)) << unknown.status().to_string();
    c.budget = Cluster::kEnough;
    const auto other = c.router();
    const auto retry = other->put_object("b", "k", {}, blob("y"), terms, c.in(5s)).value();
    EXPECT_EQ(retry.outcome, Written::Outcome::kDone);
    EXPECT_EQ(retry.version, get("k")->version);
  });
}

TEST_F(RouterTest, UnknownOutcomesAreCalledSo) {
  run([&] {
    ASSERT_TRUE(put("k").ok());
    c.lost_replies = 1;
    c.budget = 1;
    const auto unknown = router->put_object("b", "k", {}, blob("y"), {}, c.in(1s));
    EXPECT_TRUE(unknown.is(Code::kOutcomeUnknown)) << unknown.status().to_string();
    c.budget = 0;
    EXPECT_TRUE(router->put_object("b", "k", {}, blob("z"), {}, c.in(1s)).is(Code::kUnavailable));
    c.budget = Cluster::kEnough;
    EXPECT_EQ(get("k")->body.view(), "y");
  });
}

}  // namespace
}  // namespace drumlin::router::test
