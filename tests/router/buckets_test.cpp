// The driver of the bucket protocol: every step may be its last, and whoever comes next goes on.
#include "router/buckets.h"

#include <gtest/gtest.h>

#include "tests/router/cluster.h"

namespace drumlin::router::test {
namespace {

using shard::BucketState;

// A driver on a node of its own.
struct Driver {
  explicit Driver(Cluster& c) : shards(c.client()), buckets(c.world, c.world.observer(), *shards) {}
  std::unique_ptr<ShardClient> shards;
  Buckets buckets;
};

Result<Written> put(Cluster& c, const std::string& key) {
  return c.router()->put_object("b", key, {}, Blob(std::string("x")), {}, c.in(5s));
}

TEST(Buckets, Life) {
  Cluster c;
  c.run([&] {
    Driver d(c);
    EXPECT_TRUE(d.buckets.get("b", c.in(5s)).is(Code::kNotFound));
    EXPECT_TRUE(d.buckets.remove("b", c.in(5s)).is(Code::kNotFound));
    ASSERT_TRUE(d.buckets.create("b", c.in(5s)).ok());
    EXPECT_TRUE(d.buckets.create("b", c.in(5s)).is(Code::kAlreadyExists));
    const auto record = d.buckets.get("b", c.in(5s)).value();
    EXPECT_EQ(record.state, BucketState::kActive);
    EXPECT_EQ(record.partitions, kShards) << "not more than there are shards";
    ASSERT_TRUE(d.buckets.create("aaaa", c.in(5s)).ok());
    const auto listed = d.buckets.list({}, c.in(5s)).value().buckets;
    ASSERT_EQ(listed.size(), 2u);
    EXPECT_EQ(listed[0].name, "aaaa");
    ASSERT_TRUE(put(c, "k").ok());
    EXPECT_TRUE(d.buckets.remove("b", c.in(5s)).is(Code::kFailedPrecondition));
    EXPECT_EQ(c.record("b")->epoch, 2u);
    EXPECT_EQ(c.record("b")->state, BucketState::kActive);
    ASSERT_TRUE(c.router()->delete_object("b", "k", {}, c.in(5s)).ok());
    ASSERT_TRUE(d.buckets.remove("b", c.in(5s)).ok());
    EXPECT_FALSE(c.record("b"));
    ASSERT_TRUE(d.buckets.create("b", c.in(5s)).ok());
    EXPECT_GT(c.record("b")->incarnation, record.incarnation);
  });
}

TEST(Buckets, NoMoreThanAnOwnerMayHave) {
  Cluster c;
  c.run([&] {
    Driver d(c);
    Buckets two(c.world, c.world.observer(), *d.shards, {2, 4096});
    ASSERT_TRUE(two.create("a", c.in(5s)).ok());
    ASSERT_TRUE(two.create("b", c.in(5s)).ok());
    EXPECT_TRUE(two.create("c", c.in(5s)).is(Code::kTooLarge));
    EXPECT_FALSE(c.record("c"));
    EXPECT_TRUE(two.create("a", c.in(5s)).is(Code::kAlreadyExists)) << "it is no other";
    ASSERT_TRUE(two.remove("a", c.in(5s)).ok());
    EXPECT_TRUE(two.create("c", c.in(5s)).ok());
    EXPECT_TRUE(d.buckets.create("d", c.in(5s)).ok()) << "a node that allows more";
  });
}

// Forgetting costs a query and nothing else.
TEST(Buckets, RemembersNoMoreThanItIsAllowed) {
  Cluster c;
  c.run([&] {
    Driver d(c);
    Buckets one(c.world, c.world.observer(), *d.shards, {1000, 1});
    ASSERT_TRUE(one.create("a", c.in(5s)).ok());
    ASSERT_TRUE(one.create("b", c.in(5s)).ok());
    c.refuse_queries[0] = Status(Code::kUnavailable, "no catalogue");
    EXPECT_TRUE(one.lookup("b", false, c.in(200ms)).ok());
    EXPECT_FALSE(one.lookup("a", false, c.in(200ms)).ok());
    c.refuse_queries.clear();
    EXPECT_TRUE(one.lookup("a", false, c.in(5s)).ok());
  });
}

// Runs `change` with a driver that stops after n accepted steps, for every n; then lets `after`
// look at what another driver makes of it. Returns how many steps a whole change takes.
void stop_after_each_step(const std::function<void(Cluster&)>& before,
                          const std::function<Status(Cluster&, Buckets&)>& change,
                          const std::function<void(Cluster&, uint64_t steps)>& after) {
  for (uint64_t steps = 0;; ++steps) {
    Cluster c(steps + 1);
    bool whole = false;
    c.run([&] {
      before(c);
      c.budget = steps;
      Driver first(c);
      change(c, first.buckets).ignore();  // what it was told is another test's
      whole = c.budget > 0;
      first.shards->stop();
      c.budget = Cluster::kEnough;
      after(c, steps);
    });
    if (whole || ::testing::Test::HasFatalFailure()) return;
    ASSERT_LT(steps, 100u);
  }
}

void expect_usable(Cluster& c) {
  for (const char* key : {"1", "2", "3", "4", "5"}) {
    EXPECT_TRUE(put(c, key).ok());
  }
}

// A bucket that was made again shows nothing of its former life.
void expect_new_life(Cluster& c) {
  Driver d(c);
  ASSERT_TRUE(d.buckets.create("b", c.in(5s)).ok());
  EXPECT_TRUE(c.router()->list_objects(whole("b"), c.in(5s))->items.empty());
  expect_usable(c);
}

TEST(BucketsCrash, CreateIsFinishedByASweep) {
  stop_after_each_step([](Cluster&) {},
                       [](Cluster& c, Buckets& b) { return b.create("b", c.in(1s)); },
                       [](Cluster& c, uint64_t steps) {
                         Driver second(c);
                         EXPECT_TRUE(second.buckets.sweep(c.in(5s)).ok());
                         if (steps == 0) {
                           EXPECT_FALSE(c.record("b"));
                           return;
                         }
                         ASSERT_EQ(c.record("b")->state, BucketState::kActive) << steps;
                         expect_usable(c);
                       });
}

TEST(BucketsCrash, CreateIsJoinedByTheNextCreate) {
  stop_after_each_step(
      [](Cluster&) {}, [](Cluster& c, Buckets& b) { return b.create("b", c.in(1s)); },
      [](Cluster& c, uint64_t steps) {
        Driver second(c);
        const Status again = second.buckets.create("b", c.in(5s));
        EXPECT_TRUE(again.ok() || again.is(Code::kAlreadyExists)) << steps << again.to_string();
        ASSERT_EQ(c.record("b")->state, BucketState::kActive);
        expect_usable(c);
      });
}

TEST(BucketsCrash, HalfMadeBucketIsInvisibleAndCanBeDeleted) {
  stop_after_each_step(
      [](Cluster&) {}, [](Cluster& c, Buckets& b) { return b.create("b", c.in(1s)); },
      [](Cluster& c, uint64_t steps) {
        Driver second(c);
        const bool active = c.record("b") && c.record("b")->state == BucketState::kActive;
        EXPECT_EQ(second.buckets.get("b", c.in(5s)).ok(), active);
        EXPECT_EQ(second.buckets.list({}, c.in(5s))->buckets.size(), active ? 1u : 0u);
        const Status removed = second.buckets.remove("b", c.in(5s));
        EXPECT_TRUE(steps == 0 ? removed.is(Code::kNotFound) : removed.ok()) << removed.to_string();
        EXPECT_FALSE(c.record("b"));
        expect_new_life(c);
      });
}

void made(Cluster& c) {
  Driver d(c);
  ASSERT_TRUE(d.buckets.create("b", c.in(5s)).ok());
}
void made_and_filled(Cluster& c) {
  made(c);
  ASSERT_TRUE(put(c, "k").ok());
}

TEST(BucketsCrash, DeleteOfAnEmptyBucketIsFinishedByASweep) {
  stop_after_each_step(
      made, [](Cluster& c, Buckets& b) { return b.remove("b", c.in(1s)); },
      [](Cluster& c, uint64_t steps) {
        Driver second(c);
        EXPECT_TRUE(second.buckets.sweep(c.in(5s)).ok());
        if (steps == 0) {
          EXPECT_EQ(c.record("b")->state, BucketState::kActive);
          return;
        }
        EXPECT_FALSE(c.record("b")) << "after " << steps;
        expect_new_life(c);
      });
}

TEST(BucketsCrash, DeleteOfAnEmptyBucketIsFinishedByTheNextDelete) {
  stop_after_each_step(
      made, [](Cluster& c, Buckets& b) { return b.remove("b", c.in(1s)); },
      [](Cluster& c, uint64_t) {
        Driver second(c);
        const Status removed = second.buckets.remove("b", c.in(5s));
        EXPECT_TRUE(removed.ok() || removed.is(Code::kNotFound)) << removed.to_string();
        EXPECT_FALSE(c.record("b"));
        expect_new_life(c);
      });
}

TEST(BucketsCrash, CreateThatMeetsADeleteHelpsItAlong) {
  stop_after_each_step(
      made, [](Cluster& c, Buckets& b) { return b.remove("b", c.in(1s)); },
      [](Cluster& c, uint64_t) {
        Driver second(c);
        Status created = second.buckets.create("b", c.in(5s));
        if (created.is(Code::kAborted)) created = second.buckets.create("b", c.in(5s));
        EXPECT_TRUE(created.ok() || created.is(Code::kAlreadyExists)) << created.to_string();
        EXPECT_EQ(c.record("b")->state, BucketState::kActive);
        expect_usable(c);
      });
}

TEST(BucketsCrash, DeleteOfAFilledBucketNeverLosesAnObject) {
  stop_after_each_step(
      made_and_filled, [](Cluster& c, Buckets& b) { return b.remove("b", c.in(1s)); },
      [](Cluster& c, uint64_t steps) {
        // Whatever was left half done, the object can be read.
        const auto router = c.router();
        const auto before = router->get_object("b", "k", false, std::nullopt, 0, c.in(5s));
        ASSERT_TRUE(before.ok()) << "after " << steps << ": " << before.status().to_string();
        EXPECT_TRUE(before->found);
        EXPECT_EQ(router->list_objects(whole("b"), c.in(5s))->items.size(), 1u);
        Driver second(c);
        EXPECT_TRUE(second.buckets.sweep(c.in(5s)).ok());
        ASSERT_EQ(c.record("b")->state, BucketState::kActive) << "after " << steps;
        EXPECT_TRUE(c.router()->get_object("b", "k", false, std::nullopt, 0, c.in(5s))->found);
        expect_usable(c);
      });
}

TEST(BucketsCrash, LostRepliesChangeNothing) {
  for (uint64_t lost = 1; lost < 25; ++lost) {
    Cluster c(lost);
    c.run([&] {
      Driver d(c);
      c.lost_replies = lost;
      ASSERT_TRUE(d.buckets.create("b", c.in(20s)).ok());
      c.lost_replies = lost;
      ASSERT_TRUE(d.buckets.remove("b", c.in(20s)).ok());
      c.lost_replies = 0;
      EXPECT_FALSE(c.record("b"));
      expect_new_life(c);
    });
  }
}

// The sweep of another node finishes the delete between any two of its own driver's steps: the
// caller must hear that the bucket is gone, for it is.
TEST(BucketsRace, SweepOvertakesADelete) {
  for (const bool filled : {false, true}) {
    for (uint64_t at_step = 1; at_step < 20; ++at_step) {
      Cluster c(at_step);
      c.run([&] {
        filled ? made_and_filled(c) : made(c);
        Driver first(c);
        const uint64_t first_node = c.last_origin;
        Driver second(c);
        bool swept = false;
        uint64_t steps = 0;
        c.before_apply = [&](uint32_t, const shard::Command& command) {
          if (command.session.node == first_node && ++steps == at_step &&
              !std::exchange(swept, true)) {
            EXPECT_TRUE(second.buckets.sweep(c.in(5s)).ok());
          }
        };
        const Status removed = first.buckets.remove("b", c.in(5s));
        c.before_apply = nullptr;
        const auto record = c.record("b");
        if (filled) {
          EXPECT_TRUE(removed.is(Code::kFailedPrecondition))
              << at_step << " " << removed.to_string();
          ASSERT_TRUE(record);
          EXPECT_EQ(record->state, BucketState::kActive);
        } else {
          EXPECT_TRUE(removed.ok()) << at_step << " " << removed.to_string();
          EXPECT_FALSE(record);
        }
      });
    }
  }
}

TEST(BucketsRace, TwoDeletesAndTwoCreates) {
  Cluster c;
  c.run([&] {
    Driver one(c);
    Driver two(c);
    for (int round = 0; round < 5; ++round) {
      WaitGroup both(c.world.scheduler(), c.world.clock());
      std::vector<Status> created(2), removed(2);
      both.add(2);
      c.world.spawn("one", [&] {
        created[0] = one.buckets.create("b", c.in(5s));
        both.done();
      });
      c.world.spawn("two", [&] {
        created[1] = two.buckets.create("b", c.in(5s));
        both.done();
      });
      (void)both.wait();
      EXPECT_TRUE(created[0].ok() || created[1].ok());
      EXPECT_EQ(c.record("b")->state, BucketState::kActive);
      both.add(2);
      c.world.spawn("one", [&] {
        removed[0] = one.buckets.remove("b", c.in(5s));
        both.done();
      });
      c.world.spawn("two", [&] {
        removed[1] = two.buckets.remove("b", c.in(5s));
        both.done();
      });
      (void)both.wait();
      EXPECT_TRUE(removed[0].ok() || removed[1].ok());
      EXPECT_FALSE(c.record("b"));
    }
  });
}

// After the first step the sweep will go on: a caller must not hear that nothing was done.
TEST(BucketsCrash, AChangeThatStoppedHalfWayIsUnknown) {
  Cluster c;
  c.run([&] {
    c.budget = 0;
    EXPECT_EQ(Driver(c).buckets.create("bbb", c.in(200ms)).code(), Code::kUnavailable);
    c.budget = 1;
    EXPECT_EQ(Driver(c).buckets.create("bbb", c.in(200ms)).code(), Code::kOutcomeUnknown);
    c.budget = Cluster::kEnough;
    ASSERT_TRUE(Driver(c).buckets.create("bbb", c.in(5s)).ok());
    c.budget = 1;
    EXPECT_EQ(Driver(c).buckets.remove("bbb", c.in(200ms)).code(), Code::kOutcomeUnknown);
  });
}

// More than one page: every even one is there, the odd ones are half made.
struct ManyBuckets {
  static constexpr size_t kCount = shard::kMaxListedBuckets + 10;
  static std::string name(size_t i) { return "b" + std::to_string(10'000 + i); }
  static void make(Cluster& c, ShardClient& shards) {
    const auto write = [&](auto payload) {
      shard::Command command;
      command.payload = std::move(payload);
      return shards.write(0, std::move(command), c.in(5s)).value();
    };
    for (size_t i = 0; i < kCount; ++i) {
      const auto made = write(shard::CreateBucket{name(i), 1});
      if (i % 2 == 0) write(shard::ActivateBucket{name(i), made.bucket->incarnation});
    }
  }
};

TEST(BucketsList, GoesOverManyPages) {
  Cluster c;
  c.run([&] {
    Driver d(c);
    ManyBuckets::make(c, *d.shards);
    const auto expect = [&](const ListBucketsRequest& request, size_t first, size_t count,
                            bool truncated) {
      const auto listing = d.buckets.list(request, c.in(5s)).value();
      ASSERT_EQ(listing.buckets.size(), count);
      for (size_t i = 0; i < count; ++i)
        EXPECT_EQ(listing.buckets[i].name, ManyBuckets::name(first + 2 * i));
      EXPECT_EQ(listing.truncated, truncated);
    };
    constexpr size_t kThere = ManyBuckets::kCount / 2;
    expect({"", "", 10'000}, 0, kThere, false);
    expect({"", "", kThere}, 0, kThere, false);
    expect({"", "", kThere - 1}, 0, kThere - 1, true);
    expect({"", ManyBuckets::name(500), 100}, 502, 100, true);
    expect({"b101", "", 10'000}, 100, 50, false);
    expect({"", "", 0}, 0, 0, true);
    expect({"c", "", 10'000}, 0, 0, false);
  });
}

// Among more of others' than a query looks at.
TEST(BucketsList, AnOwnersAreFoundAmongMany) {
  Cluster c;
  c.run([&] {
    Driver d(c);
    ManyBuckets::make(c, *d.shards);
    shard::Command command;
    command.payload = shard::CreateUser{"alice"};
    const uint64_t alice = d.shards->write(0, std::move(command), c.in(5s))->version;
    for (const char* name : {"a-first", "b10500-middle", "z-last"})
      ASSERT_TRUE(d.buckets.create(name, c.as_user(alice)).ok());
    const auto listed = [&](size_t limit, std::string after = "") {
      const auto listing = d.buckets.list({"", std::move(after), limit}, c.as_user(alice)).value();
      std::string out;
      for (const auto& bucket : listing.buckets)
        out += bucket.name + " ";
      return out + (listing.truncated ? "..." : "");
    };
    EXPECT_EQ(listed(10'000), "a-first b10500-middle z-last ");
    EXPECT_EQ(listed(2), "a-first b10500-middle ...");
    EXPECT_EQ(listed(2, "a-first"), "b10500-middle z-last ");
    EXPECT_EQ(listed(1, "b10500-middle"), "z-last ");
    EXPECT_EQ(listed(0), "...");
    EXPECT_EQ(listed(5, "z-last"), "");
  });
}

TEST(BucketsSweep, GoesOverManyPages) {
  Cluster c;
  c.run([&] {
    Driver d(c);
    ManyBuckets::make(c, *d.shards);
    ASSERT_TRUE(d.buckets.sweep(c.in(60s)).ok());
    for (size_t i = 0; i < ManyBuckets::kCount; ++i)
      EXPECT_EQ(c.record(ManyBuckets::name(i))->state, BucketState::kActive) << i;
  });
}

TEST(BucketsSweep, OneThatIsStuckDoesNotHoldUpTheOthers) {
  Cluster c;
  c.run([&] {
    // Both are left half made by their drivers.
    c.budget = 1;
    Driver(c).buckets.create("aaaa", c.in(100ms)).ignore();  // cut off
    c.budget = 1;
    Driver(c).buckets.create("zzzz", c.in(100ms)).ignore();  // cut off
    c.budget = Cluster::kEnough;
    ASSERT_EQ(c.record("aaaa")->state, BucketState::kCreating);
    ASSERT_EQ(c.record("zzzz")->state, BucketState::kCreating);
    c.stuck_bucket = "aaaa";
    Driver third(c);
    EXPECT_FALSE(third.buckets.sweep(c.in(5s)).ok());
    EXPECT_EQ(c.record("zzzz")->state, BucketState::kActive);
    c.stuck_bucket.clear();
    EXPECT_TRUE(third.buckets.sweep(c.in(5s)).ok());
    EXPECT_EQ(c.record("aaaa")->state, BucketState::kActive);
  });
}

}  // namespace
}  // namespace drumlin::router::test
