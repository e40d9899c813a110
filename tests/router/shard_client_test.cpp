// ShardClient: finds the leader, retries under one number, and never calls an outcome by a wrong
// name.
#include "router/shard_client.h"

#include <gtest/gtest.h>

#include "tests/router/cluster.h"

namespace drumlin::router::test {
namespace {

constexpr uint32_t kShard = 4;  // led by node 2

template <typename T>
shard::Command command_of(T payload) {
  shard::Command out;
  out.payload = std::move(payload);
  return out;
}
shard::Command install() {
  return command_of(shard::InstallRow{"b", 1, 1});
}
shard::Command del() {
  return command_of(shard::Delete{"b", 1, 1, "k"});
}

TEST(ShardClientWrite, IsAnsweredByTheShard) {
  Cluster c;
  c.run([&] {
    const auto client = c.client();
    EXPECT_EQ(client->write(kShard, install(), c.in(5s))->code, Code::kOk);
    EXPECT_EQ(client->write(kShard, del(), c.in(5s))->version, 2u);
    // A refusal is an answer too.
    EXPECT_EQ(client->write(kShard, command_of(shard::Delete{"x", 1, 1, "k"}), c.in(5s))->detail,
              shard::Detail::kStaleBucket);
  });
}

TEST(ShardClientWrite, IsAppliedOnceHoweverManyAttempts) {
  Cluster c;
  c.run([&] {
    const auto client = c.client();
    ASSERT_TRUE(client->write(kShard, install(), c.in(5s)).ok());
    c.lost_replies = 3;
    EXPECT_EQ(client->write(kShard, del(), c.in(5s))->version, 2u) << "the first attempt's";
    EXPECT_EQ(c.applied(kShard), LogIndex(5)) << "four entries, one effect";
    EXPECT_EQ(client->write(kShard, del(), c.in(5s))->version, 6u);
  });
}

TEST(ShardClientWrite, FollowsTheLeader) {
  for (const bool hints : {true, false}) {
    Cluster c;
    c.hints = hints;
    c.run([&] {
      const auto client = c.client();
      ASSERT_TRUE(client->write(kShard, install(), c.in(5s)).ok());
      c.leaders[kShard] = NodeId(3);
      ASSERT_TRUE(client->write(kShard, del(), c.in(5s)).ok());
      const uint64_t before = c.attempts;
      ASSERT_TRUE(client->write(kShard, del(), c.in(5s)).ok());
      EXPECT_EQ(c.attempts, before + 1) << "it remembers who answered";
    });
  }
}

TEST(ShardClientWrite, FalseHintsDoNotLeadAstray) {
  for (const uint64_t hint : {99u, 1u, 2u}) {
    Cluster c;
    c.leaders[kShard] = NodeId(3);
    c.false_hint = NodeId(hint);
    c.run([&] {
      const auto client = c.client();
      EXPECT_TRUE(client->write(kShard, install(), c.in(5s)).ok()) << hint;
    });
  }
}

// A leader that is busy is not made busier by everything coming twice.
TEST(ShardClientWrite, ASlowLeaderIsAskedOnce) {
  Cluster c;
  c.before_apply = [&](uint32_t, const shard::Command&) { (void)c.world.sleep_for(900ms); };
  c.run([&] {
    const auto client = c.client();
    ASSERT_TRUE(client->write(kShard, install(), c.in(10s)).ok());
    EXPECT_GT(c.attempts, 1u) << "nobody knew";
    for (int i = 0; i < 5; ++i) {
      const uint64_t before = c.attempts;
      ASSERT_TRUE(client->write(kShard, del(), c.in(10s)).ok());
      EXPECT_EQ(c.attempts, before + 1) << i;
    }
  });
}

TEST(ShardClientWrite, WithoutALeaderItIsUnavailableAtTheDeadline) {
  Cluster c;
  c.leaders[kShard] = NodeId();
  c.run([&] {
    const auto client = c.client();
    const Instant began = c.world.clock().now();
    const auto reply = client->write(kShard, install(), c.in(2s));
    EXPECT_TRUE(reply.is(Code::kUnavailable)) << reply.status().to_string();
    EXPECT_NE(reply.status().message().find("it has no leader"), std::string::npos);
    EXPECT_GE(c.world.clock().now() - began, 1900ms);
    EXPECT_LE(c.world.clock().now() - began, 2s);
    EXPECT_LT(c.attempts, 60u) << "it backs off";
  });
}

TEST(ShardClientWrite, OnceUncertainItStaysSoUntilAnAnswer) {
  Cluster c;
  c.run([&] {
    const auto client = c.client();
    ASSERT_TRUE(client->write(kShard, install(), c.in(5s)).ok());
    c.lost_replies = 1;
    c.budget = 1;  // then nothing gets through
    EXPECT_TRUE(client->write(kShard, del(), c.in(1s)).is(Code::kOutcomeUnknown));
    c.budget = 0;
    EXPECT_TRUE(client->write(kShard, del(), c.in(1s)).is(Code::kUnavailable)) << "was never taken";
  });
}

TEST(ShardClientWrite, ExhaustedIsKnownOnlyIfNothingWasUncertain) {
  Cluster c;
  c.refuse_proposals = Status(Code::kExhausted, "full");
  c.run([&] {
    const auto client = c.client();
    const Instant began = c.world.clock().now();
    EXPECT_TRUE(client->write(kShard, install(), c.in(5s)).is(Code::kExhausted));
    EXPECT_LT(c.world.clock().now() - began, 1s) << "slow down means now";
    c.refuse_proposals = {};
    c.lost_replies = 1;
    c.before_apply = [&](uint32_t, const shard::Command&) {
      c.refuse_proposals = Status(Code::kExhausted, "full");
    };
    EXPECT_TRUE(client->write(kShard, install(), c.in(1s)).is(Code::kOutcomeUnknown));
  });
}

TEST(ShardClientWrite, FullSessionIsExhaustion) {
  Cluster c;
  c.run([&] {
    const auto client = c.client();
    shard::Reply full;
    full.code = Code::kExhausted;
    full.detail = shard::Detail::kSession;
    c.replace_reply = shard::encode(full);
    EXPECT_TRUE(client->write(kShard, install(), c.in(1s)).is(Code::kExhausted));
    c.lost_replies = 1;
    EXPECT_TRUE(client->write(kShard, install(), c.in(1s)).is(Code::kOutcomeUnknown));
    c.replace_reply = "no reply at all";
    EXPECT_TRUE(client->write(kShard, install(), c.in(1s)).is(Code::kOutcomeUnknown));
  });
}

TEST(ShardClientWrite, ErrorsThatNoRetryMendsEndAtOnce) {
  Cluster c;
  c.refuse_proposals = Status(Code::kUnsupported, "what is that");
  c.run([&] {
    const auto client = c.client();
    EXPECT_TRUE(client->write(kShard, install(), c.in(5s)).is(Code::kUnsupported));
    EXPECT_EQ(c.attempts, 1u);
  });
}

TEST(ShardClientWrite, LowWaterFollowsWhatIsAnswered) {
  Cluster c;
  std::vector<shard::Session> seen;
  c.before_apply = [&](uint32_t, const shard::Command& command) {
    seen.push_back(command.session);
  };
  c.run([&] {
    const auto client = c.client();
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(client->write(kShard, install(), c.in(5s)).ok());
    ASSERT_EQ(seen.size(), 3u);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(seen[i].node, c.last_origin);
      EXPECT_EQ(seen[i].boot, 1u);
      EXPECT_EQ(seen[i].number, i + 1);
      EXPECT_EQ(seen[i].low_water, i) << "all before it are answered";
    }
    ASSERT_TRUE(client->write(kShard + 1, install(), c.in(5s)).ok());
    EXPECT_EQ(seen.back().number, 1u) << "numbers are a shard's own";
  });
}

TEST(ShardClientWrite, LowWaterWaitsForTheOldestUnderWay) {
  Cluster c;
  std::vector<shard::Session> seen;
  c.run([&] {
    const auto client = c.client();
    WaitGroup all(c.world.scheduler(), c.world.clock());
    c.before_apply = [&](uint32_t, const shard::Command& command) {
      seen.push_back(command.session);
    };
    all.add(3);
    for (int i = 0; i < 3; ++i) {
      c.world.spawn("writer", [&] {
        EXPECT_TRUE(client->write(kShard, install(), c.in(5s)).ok());
        all.done();
      });
    }
    (void)all.wait();
    for (const shard::Session& session : seen)
      EXPECT_EQ(session.low_water, 0u);
  });
}

TEST(ShardClientWrite, StopEndsTheRetries) {
  Cluster c;
  c.leaders[kShard] = NodeId();
  c.run([&] {
    const auto client = c.client();
    WaitGroup done(c.world.scheduler(), c.world.clock());
    done.add(1);
    c.world.spawn("writer", [&] {
      EXPECT_TRUE(client->write(kShard, install(), c.in(60s)).is(Code::kUnavailable));
      done.done();
    });
    ASSERT_TRUE(c.world.sleep_for(1s).ok());
    const Instant stopped = c.world.clock().now();
    client->stop();
    (void)done.wait();
    EXPECT_LT(c.world.clock().now() - stopped, 100ms);
  });
}

// Ten writers, and nodes that take few requests of one peer at once, whether or not that peer knows.
TEST(ShardClientBusy, WritesThatANodeDoesNotTakeAreTriedAgain) {
  for (const size_t sent_at_once : {size_t{1}, size_t{3}, size_t{512}}) {
    Cluster c;
    c.peer_options.requests = sent_at_once;
    c.server_options.peer_requests = 2;
    c.before_apply = [&](uint32_t, const shard::Command&) { (void)c.world.sleep_for(20ms); };
    c.run([&] {
      const auto client = c.client();
      WaitGroup all(c.world.scheduler(), c.world.clock());
      all.add(10);
      for (int i = 0; i < 10; ++i) {
        c.world.spawn("writer", [&] {
          EXPECT_EQ(client->write(kShard, install(), c.in(10s))->code, Code::kOk);
          all.done();
        });
      }
      (void)all.wait();
      EXPECT_EQ(c.applied(kShard), LogIndex(10)) << "each once, and none of the refused";
    });
  }
}

TEST(ShardClientBusy, AWriteThatIsNeverTakenIsKnownNotDone) {
  Cluster c;
  c.server_options.peer_requests = 1;
  c.run([&] {
    const auto client = c.client();
    bool slow = true;
    c.before_apply = [&](uint32_t, const shard::Command&) {
      while (slow)
        (void)c.world.sleep_for(100ms);
    };
    for (const uint32_t shard : {0u, 1u}) {  // led by node 2, and by node 3
      c.world.spawn("slow", [&, shard] { (void)client->write(shard, install(), c.in(60s)).ok(); });
    }
    c.world.scheduler().yield();
    const auto busy = client->write(kShard, install(), c.in(500ms));
    EXPECT_TRUE(busy.is(Code::kUnavailable)) << busy.status().to_string();
    EXPECT_NE(busy.status().message().find("as many requests of node 1 as it takes"),
              std::string::npos)
        << busy.status().message();
    slow = false;
    ASSERT_TRUE(c.world.sleep_for(5s).ok());
    EXPECT_EQ(c.applied(kShard), LogIndex()) << "and it never will be";
    EXPECT_TRUE(client->write(kShard, install(), c.in(5s)).ok());
  });
}

// The reply to a write is small; were it not, the write would have been done all the same.
TEST(ShardClientWrite, AnAnswerThatDoesNotFitIsNoRefusal) {
  Cluster c;
  c.run([&] {
    c.refuse_proposals = Status(Code::kTooLarge, "does not fit a frame");
    EXPECT_TRUE(c.client()->write(kShard, install(), c.in(1s)).is(Code::kOutcomeUnknown));
    replica::QueryRequest request;
    request.query = shard::encode_query(shard::ListBuckets{});
    c.refuse_queries[0] = c.refuse_proposals;
    EXPECT_TRUE(c.client()->read(request, c.in(1s)).is(Code::kTooLarge));
  });
}

TEST(ShardClientRead, FollowsTheLeaderAndRetriesTimeouts) {
  Cluster c;
  c.leaders[0] = NodeId(3);
  c.run([&] {
    const auto client = c.client();
    replica::QueryRequest request;
    request.shard = 0;
    request.query = shard::encode_query(shard::ListBuckets{});
    EXPECT_TRUE(client->read(request, c.in(5s)).ok());
    c.refuse_queries[0] = Status(Code::kTimeout, "no quorum");
    const auto failed = client->read(request, c.in(1s));
    EXPECT_TRUE(failed.is(Code::kUnavailable)) << "a read has no outcome to be unsure of";
    c.refuse_queries[0] = Status(Code::kCorrupt, "a body is damaged");
    EXPECT_TRUE(client->read(request, c.in(1s)).is(Code::kCorrupt));
  });
}

}  // namespace
}  // namespace drumlin::router::test
