// Users as a node knows them: how old a table may be, who reads it, what happens without an answer; and
// buckets that have owners.
#include "router/users.h"

#include <gtest/gtest.h>

#include "router/router.h"
#include "tests/router/cluster.h"

namespace drumlin::router::test {
namespace {

const std::string kSecret = "0123456789abcdef";

struct UsersTest : ::testing::Test {
  void run(const std::function<void()>& body) {
    c.run([&] {
      here = c.router();
      there = c.router();
      body();
      here->stop();
      there->stop();
      // Reads in the background end with it.
      ASSERT_TRUE(c.world.sleep_for(5s).ok());
    });
  }
  Code change(Router& router, auto command) {
    const auto reply = router.users().change(std::move(command), c.in(5s));
    return reply.ok() ? reply->code : reply.code();
  }
  // "none", "active" or "disabled", as this node sees the key now; or the error.
  std::string seen(Router& router, const std::string& key) {
    const auto table = router.users().users(c.in(2s));
    if (!table.ok()) return std::string(code_name(table.code()));
    const auto found = (*table)->key(key);
    if (!found) return "none";
    return found->key->state == shard::UserState::kActive ? "active" : "disabled";
  }
  double reads() {
    return c.world.observer()
        .metrics
        .counter("drumlin_router_user_reads_total", "Reads of the table of users from shard 0")
        .Value();
  }
  void pass(Duration time) { ASSERT_TRUE(c.world.sleep_for(time).ok()); }
  void shard_0(const Status& status) {
    c.refuse_queries.clear();
    if (!status.ok()) c.refuse_queries[0] = status;
  }

  Cluster c;
  std::unique_ptr<Router> here;
  std::unique_ptr<Router> there;
};

TEST_F(UsersTest, AChangeIsKnownHereAtOnceAndThereWithinASecond) {
  run([&] {
    EXPECT_EQ(seen(*there, "K"), "none");
    EXPECT_EQ(change(*here, shard::CreateUser{"alice"}), Code::kOk);
    EXPECT_EQ(change(*here, shard::CreateKey{"alice", "K", kSecret}), Code::kOk);
    EXPECT_EQ(seen(*here, "K"), "active");
    EXPECT_EQ(seen(*there, "K"), "none") << "still good";
    pass(1s);
    EXPECT_EQ(seen(*there, "K"), "active");
    EXPECT_EQ(change(*here, shard::DeleteKey{"K"}), Code::kOk);
    EXPECT_EQ(seen(*here, "K"), "none");
    pass(1s);
    EXPECT_EQ(seen(*there, "K"), "none");
  });
}

TEST_F(UsersTest, NoReadForEachRequestNorForUnknownKeys) {
  run([&] {
    EXPECT_EQ(seen(*here, "K"), "none");
    const double before = reads();
    for (int i = 0; i < 1000; ++i)
      EXPECT_EQ(seen(*here, "unknown" + std::to_string(i)), "none");
    EXPECT_EQ(reads(), before);
    // In use it is read again before it is too old, by nobody who waits.
    for (int i = 0; i < 20; ++i) {
      pass(100ms);
      const Instant began = c.world.clock().now();
      EXPECT_EQ(seen(*here, "K"), "none");
      EXPECT_EQ(c.world.clock().now(), began) << "a request waited";
    }
    EXPECT_GE(reads(), before + 3);
    EXPECT_LE(reads(), before + 5);
    pass(1s);
    const double busy = reads();
    pass(60s);
    EXPECT_EQ(reads(), busy) << "out of use it costs nothing";
  });
}

TEST_F(UsersTest, ManyWhoWaitShareARead) {
  run([&] {
    const double before = reads();
    int served = 0;
    for (int i = 0; i < 50; ++i) {
      c.world.spawn("request", [&] {
        EXPECT_EQ(seen(*here, "K"), "none");
        ++served;
      });
    }
    pass(1s);
    EXPECT_EQ(served, 50);
    EXPECT_EQ(reads(), before + 1);
  });
}

TEST_F(UsersTest, WithoutShard0ATableIsServedUntilItIsTooOldAndThenNone) {
  run([&] {
    change(*here, shard::CreateUser{"alice"});
    change(*here, shard::CreateKey{"alice", "K", kSecret});
    EXPECT_EQ(seen(*here, "K"), "active");
    shard_0(Status(Code::kUnavailable, "the test says so"));
    pass(400ms);
    EXPECT_EQ(seen(*here, "K"), "active");
    pass(600ms);
    EXPECT_EQ(seen(*here, "K"), "unavailable");
    shard_0({});
    EXPECT_EQ(seen(*here, "K"), "active");
  });
}

TEST_F(UsersTest, AskedForAsOfNowItIsAsOfNow) {
  run([&] {
    EXPECT_EQ(seen(*there, "K"), "none");
    change(*here, shard::CreateUser{"alice"});
    const auto table = there->users().users_now(c.in(2s));
    ASSERT_TRUE(table.ok());
    ASSERT_NE((*table)->user("alice"), nullptr);
    EXPECT_EQ((*table)->user("bob"), nullptr);
  });
}

TEST_F(UsersTest, RefusalsComeThrough) {
  run([&] {
    EXPECT_EQ(change(*here, shard::DeleteUser{"alice"}), Code::kNotFound);
    EXPECT_EQ(change(*here, shard::CreateUser{"alice"}), Code::kOk);
    EXPECT_EQ(change(*here, shard::CreateUser{"alice"}), Code::kAlreadyExists);
  });
}

// --- buckets ---

struct OwnersTest : UsersTest {
  void run(const std::function<void()>& body) {
    UsersTest::run([&] {
      change(*here, shard::CreateUser{"alice"});
      change(*here, shard::CreateUser{"bob"});
      alice = user("alice");
      bob = user("bob");
      body();
    });
  }
  uint64_t user(const std::string& name) {
    const auto table = here->users().users_now(c.in(2s)).value();
    return table->user(name)->id;
  }
  uint64_t alice = 0;
  uint64_t bob = 0;
};

template <typename T>
Code code(const Result<T>& result) {
  return result.ok() ? Code::kOk : result.code();
}

TEST_F(OwnersTest, EveryOperationOfAnotherIsDenied) {
  run([&] {
    ASSERT_TRUE(here->create_bucket("b", c.as_user(alice)).ok());
    const Call own = c.as_user(alice);
    const Call other = c.as_user(bob);
    for (Router* router : {here.get(), there.get()}) {
      EXPECT_EQ(router->check_bucket("b", other).code(), Code::kPermissionDenied);
      EXPECT_EQ(router->create_bucket("b", other).code(), Code::kFailedPrecondition);
      EXPECT_EQ(router->delete_bucket("b", other).code(), Code::kPermissionDenied);
      EXPECT_EQ(code(router->get_bucket("b", other)), Code::kPermissionDenied);
      EXPECT_EQ(code(router->put_object("b", "k", {}, Blob(std::string("x")), {}, other)),
                Code::kPermissionDenied);
      EXPECT_EQ(code(router->get_object("b", "k", true, std::nullopt, UINT64_MAX, other)),
                Code::kPermissionDenied);
      EXPECT_EQ(code(router->delete_object("b", "k", {}, other)), Code::kPermissionDenied);
      EXPECT_EQ(code(router->list_objects(whole("b"), other)), Code::kPermissionDenied);
      EXPECT_TRUE(router->list_buckets({}, other)->buckets.empty());

      EXPECT_EQ(router->check_bucket("b", own).code(), Code::kOk);
      EXPECT_EQ(router->create_bucket("b", own).code(), Code::kAlreadyExists);
      EXPECT_EQ(code(router->put_object("b", "k", {}, Blob(std::string("x")), {}, own)), Code::kOk);
      EXPECT_EQ(router->list_objects(whole("b"), own)->owner, alice);
      EXPECT_EQ(router->list_buckets({}, own)->buckets.size(), 1u);
    }
    // Root may use it all, but not make it.
    EXPECT_EQ(code(here->get_bucket("b", c.in(5s))), Code::kOk);
    EXPECT_EQ(here->list_buckets({}, c.in(5s))->buckets.size(), 1u);
    EXPECT_EQ(here->create_bucket("b", c.in(5s)).code(), Code::kFailedPrecondition);
    EXPECT_EQ(here->check_bucket("none", other).code(), Code::kNotFound);
    EXPECT_EQ(here->create_bucket("c", c.as_user(999)).code(), Code::kPermissionDenied);
    EXPECT_EQ(change(*here, shard::DeleteUser{"alice"}), Code::kFailedPrecondition);
  });
}

// A node that remembers the former life of a bucket must neither let its former owner in nor keep the
// present one out.
TEST_F(OwnersTest, ABucketMadeAgainByAnotherIsAnothers) {
  run([&] {
    ASSERT_TRUE(here->create_bucket("b", c.as_user(alice)).ok());
    EXPECT_EQ(code(there->get_object("b", "k", true, std::nullopt, UINT64_MAX, c.as_user(alice))),
              Code::kOk);
    ASSERT_TRUE(here->delete_bucket("b", c.as_user(alice)).ok());
    ASSERT_TRUE(here->create_bucket("b", c.as_user(bob)).ok());
    EXPECT_EQ(there->check_bucket("b", c.as_user(bob)).code(), Code::kOk);
    ASSERT_TRUE(here->delete_bucket("b", c.as_user(bob)).ok());
    ASSERT_TRUE(here->create_bucket("b", c.as_user(alice)).ok());
    // `there` still takes it for bob's.
    EXPECT_EQ(code(there->put_object("b", "k", {}, Blob(std::string("x")), {}, c.as_user(bob))),
              Code::kPermissionDenied);
    EXPECT_EQ(there->delete_bucket("b", c.as_user(bob)).code(), Code::kPermissionDenied);
    EXPECT_EQ(code(there->list_objects(whole("b"), c.as_user(bob))), Code::kPermissionDenied);
    EXPECT_EQ(code(there->get_object("b", "k", true, std::nullopt, UINT64_MAX, c.as_user(alice))),
              Code::kOk);
  });
}

}  // namespace
}  // namespace drumlin::router::test
