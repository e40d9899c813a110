// Peer and Server over byte pipes in virtual time: calls and their honest outcomes, lanes,
// reconnects.
#include "rpc/peer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "rpc/server.h"
#include "tests/rpc/pipes.h"

namespace drumlin::rpc::test {
namespace {

constexpr uint8_t kEcho = 1;
constexpr uint8_t kRefuse = 2;
constexpr uint8_t kSlow = 3;  // answers after 3 s
const Endpoint kThere{"10.0.0.2", 9002};

struct EveryoneIsWelcome final : Membership {
  Status check_member(NodeId) const override { return {}; }
  Status admit(const PeerIdentity&) override { return {}; }
  void recorded_by(NodeId) override {}
  void refused_by(NodeId, const Status& why) override { refusals.push_back(why.message()); }
  std::vector<std::string> refusals;
};

struct Echo final : Handler {
  explicit Echo(World& w) : world(w) {}
  void on_message(NodeId from, uint8_t kind, std::string payload) override {
    messages.push_back(from.to_string() + "/" + std::to_string(kind) + "/" + payload);
  }
  Result<std::string> on_request(NodeId from, uint8_t kind, std::string payload) override {
    ++requests;
    if (kind == kRefuse) return Status(Code::kNotLeader, "3");
    if (kind == kSlow) DRUMLIN_TRY(world.sleep_for(3s));
    return from.to_string() + ":" + payload;
  }
  World& world;
  std::vector<std::string> messages;
  size_t requests = 0;
};

Identity identity(uint64_t node, const std::string& secret) {
  Identity out;
  out.node = NodeId(node);
  out.incarnation = node;
  out.secret = secret;
  return out;
}

struct PeerTest : ::testing::Test {
  void serve() {
    server = std::make_unique<Server>(world, world.observer(), two, members, echo,
                                      std::move(*world.listen(kThere)), server_options);
    server->start();
  }
  void dial() {
    peer =
        std::make_unique<Peer>(world, world.observer(), one, members, NodeId(2), kThere, options);
    peer->start();
  }
  // Everything happens inside; afterwards both ends are stopped so that virtual time can end.
  void run(std::function<void()> body) {
    world.run([&] {
      serve();
      dial();
      ASSERT_TRUE(world.sleep_for(10ms).ok());
      body();
      peer->stop();
      server->stop();
    });
  }
  Result<std::string> call(uint8_t kind, std::string payload, Duration patience = 5s) {
    return peer->call(kind, std::move(payload), after(world.clock(), patience));
  }
  bool up() const { return peer->connected(Lane::kControl) && peer->connected(Lane::kBulk); }

  World world;
  Identity one = identity(1, "secret");
  Identity two = identity(2, "secret");
  EveryoneIsWelcome members;
  Echo echo{world};
  PeerOptions options;
  ServerOptions server_options;
  std::unique_ptr<Server> server;
  std::unique_ptr<Peer> peer;
};

TEST_F(PeerTest, CallsAreAnswered) {
  run([&] {
    ASSERT_TRUE(up());
    EXPECT_EQ(call(kEcho, "hi").value(), "1:hi");
    EXPECT_EQ(call(kEcho, "").value(), "1:");
    const std::string large(1 << 20, 'x');
    EXPECT_EQ(call(kEcho, large).value(), "1:" + large);
  });
}

TEST_F(PeerTest, RepliesStatusComesBackWithItsMessage) {
  run([&] {
    const auto reply = call(kRefuse, "");
    EXPECT_TRUE(reply.is(Code::kNotLeader));
    EXPECT_EQ(reply.status().message(), "3");
  });
}

TEST_F(PeerTest, CallsOvertakeASlowOne) {
  run([&] {
    WaitGroup both(world.scheduler(), world.clock());
    both.add(1);
    Instant slow_at{};
    world.spawn("slow", [&] {
      EXPECT_EQ(call(kSlow, "s").value(), "1:s");
      slow_at = world.clock().now();
      both.done();
    });
    world.scheduler().yield();
    EXPECT_EQ(call(kEcho, "quick").value(), "1:quick");
    const Instant quick_at = world.clock().now();
    (void)both.wait();
    EXPECT_GE(slow_at - quick_at, 2s);
  });
}

TEST_F(PeerTest, DeadlineEndsACallWithAnUnknownOutcome) {
  run([&] {
    const Instant began = world.clock().now();
    EXPECT_TRUE(call(kSlow, "s", 1s).is(Code::kOutcomeUnknown));
    EXPECT_EQ(world.clock().now() - began, 1s);
    ASSERT_TRUE(world.sleep_for(5s).ok());  // the late reply finds nobody
    EXPECT_EQ(call(kEcho, "still").value(), "1:still");
  });
}

TEST_F(PeerTest, CallThatIsGivenUpBeforeItLeftIsNotSent) {
  run([&] {
    EXPECT_TRUE(call(kEcho, "late", -1s).is(Code::kUnavailable)) << "known not done";
    EXPECT_EQ(call(kEcho, "next").value(), "1:next") << "the connection lives";
    EXPECT_EQ(echo.requests, 1u);
  });
}

TEST_F(PeerTest, MessagesComeInOrderOnEachLane) {
  run([&] {
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(peer->send(Lane::kBulk, 7, std::to_string(i)));
    ASSERT_TRUE(world.sleep_for(10ms).ok());
    EXPECT_EQ(echo.messages,
              (std::vector<std::string>{"1/7/0", "1/7/1", "1/7/2", "1/7/3", "1/7/4"}));
  });
}

TEST_F(PeerTest, ControlDoesNotWaitBehindBulk) {
  world.capacity = 1024;
  run([&] {
    // More than the pipe takes at once: the bulk lane is under way for as long as it is read.
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(peer->send(Lane::kBulk, 7, std::string(100'000, 'b')));
    ASSERT_TRUE(peer->send(Lane::kControl, 8, "beat"));
    ASSERT_TRUE(world.sleep_for(1s).ok());
    ASSERT_EQ(echo.messages.size(), 51u);
    EXPECT_EQ(echo.messages.front(), "1/8/beat");
  });
}

TEST_F(PeerTest, FullQueueDropsMessagesAndRefusesCalls) {
  options.queue_bytes = 1000;
  run([&] {
    EXPECT_TRUE(peer->send(Lane::kBulk, 7, std::string(2000, 'b')));
    EXPECT_FALSE(peer->send(Lane::kBulk, 7, "more"));
    EXPECT_TRUE(call(kEcho, "x").is(Code::kUnavailable));
    EXPECT_TRUE(peer->send(Lane::kControl, 7, "other lane"));
    ASSERT_TRUE(world.sleep_for(1s).ok());
    EXPECT_TRUE(peer->send(Lane::kBulk, 7, "room again"));
  });
}

TEST_F(PeerTest, WithoutAConnectionNothingLeaves) {
  world.run([&] {
    dial();
    ASSERT_TRUE(world.sleep_for(1s).ok());
    EXPECT_FALSE(up());
    EXPECT_TRUE(call(kEcho, "x").is(Code::kUnavailable));
    EXPECT_FALSE(peer->send(Lane::kControl, 7, "x"));
    serve();
    ASSERT_TRUE(world.sleep_for(3s).ok());
    EXPECT_TRUE(up()) << "it keeps trying";
    EXPECT_EQ(call(kEcho, "x").value(), "1:x");
    peer->stop();
    server->stop();
  });
}

TEST_F(PeerTest, BrokenConnectionFailsWhatWasSentAndIsMadeAgain) {
  run([&] {
    WaitGroup asked(world.scheduler(), world.clock());
    asked.add(1);
    world.spawn("caller", [&] {
      EXPECT_TRUE(call(kSlow, "s", 60s).is(Code::kOutcomeUnknown));
      EXPECT_LT(world.clock().now().time_since_epoch(), 10s) << "at once, not at its deadline";
      asked.done();
    });
    ASSERT_TRUE(world.sleep_for(100ms).ok());
    server->stop();
    (void)asked.wait();
    EXPECT_FALSE(peer->connected(Lane::kBulk));
    auto old = std::move(server);
    serve();
    ASSERT_TRUE(world.sleep_for(4s).ok());
    EXPECT_TRUE(up());
    EXPECT_EQ(call(kEcho, "again").value(), "1:again");
    server->stop();
    ASSERT_TRUE(world.sleep_for(1s).ok());
  });
}

TEST_F(PeerTest, RetriesBackOffAndNeverStop) {
  world.run([&] {
    dial();
    ASSERT_TRUE(world.sleep_for(60s).ok());
    // Two lanes; at first every 50 ms, then every half to one second.
    EXPECT_GT(world.connects, 120u);
    EXPECT_LT(world.connects, 300u);
    peer->stop();
  });
}

TEST_F(PeerTest, StopEndsWaitingCalls) {
  run([&] {
    WaitGroup asked(world.scheduler(), world.clock());
    asked.add(1);
    world.spawn("caller", [&] {
      EXPECT_TRUE(call(kSlow, "s", 60s).is(Code::kOutcomeUnknown));
      asked.done();
    });
    ASSERT_TRUE(world.sleep_for(100ms).ok());
    peer->stop();
    (void)asked.wait();
    EXPECT_LT(world.clock().now().time_since_epoch(), 1s);
  });
}

TEST_F(PeerTest, WrongSecretNeverConnects) {
  two.secret = "another";
  run([&] {
    ASSERT_TRUE(world.sleep_for(5s).ok());
    EXPECT_FALSE(up());
    EXPECT_TRUE(echo.messages.empty());
  });
}

TEST_F(PeerTest, RefusalIsReportedToTheMembership) {
  two.node = NodeId(5);
  run([&] {
    EXPECT_FALSE(up());
    ASSERT_FALSE(members.refusals.empty());
    EXPECT_NE(members.refusals[0].find("this is node 5, not node 2"), std::string::npos);
  });
}

TEST_F(PeerTest, OneConnectionServesManyRequestsAtOnceUpToItsLimit) {
  server_options.max_requests_per_connection = 2;
  run([&] {
    WaitGroup all(world.scheduler(), world.clock());
    all.add(4);
    const Instant began = world.clock().now();
    for (int i = 0; i < 4; ++i) {
      world.spawn("caller", [&] {
        EXPECT_TRUE(call(kSlow, "s", 60s).ok());
        all.done();
      });
    }
    (void)all.wait();
    EXPECT_EQ(world.clock().now() - began, 6s) << "two and two";
  });
}

// Half open: the other side, or something in between, has forgotten the connection and says nothing.
TEST_F(PeerTest, SilentConnectionIsGivenUpAndMadeAgain) {
  world.run([&] {
    auto listener = std::move(*world.listen(kThere));
    size_t accepted = 0;
    std::vector<std::unique_ptr<Stream>> silent;
    world.spawn("forgetful", [&] {
      for (;;) {
        auto stream = listener->accept();
        if (!stream.ok()) return;
        ++accepted;
        EXPECT_TRUE(accept_handshake(world, **stream, two, members).ok());
        silent.push_back(std::move(*stream));
      }
    });
    dial();
    ASSERT_TRUE(world.sleep_for(3s).ok());
    EXPECT_EQ(accepted, 2u);  // both lanes
    EXPECT_TRUE(up());
    ASSERT_TRUE(world.sleep_for(3s).ok());
    EXPECT_EQ(accepted, 3u);  // control again
    ASSERT_TRUE(world.sleep_for(16s).ok());
    EXPECT_GE(accepted, 5u);  // bulk, too
    peer->stop();
    listener->close();
    for (auto& stream : silent)
      stream->close();
    ASSERT_TRUE(world.sleep_for(2s).ok());
  });
}

TEST_F(PeerTest, IdleConnectionsStay) {
  run([&] {
    ASSERT_TRUE(world.sleep_for(60s).ok());
    EXPECT_TRUE(up());
    EXPECT_EQ(echo.requests, 0u);  // pings are not the handler's
    EXPECT_TRUE(call(kEcho, "x").ok());
  });
}

TEST_F(PeerTest, ForeignBytesEndTheConnectionOnly) {
  run([&] {
    auto stream = world.connect(kThere, kNever).value();
    ASSERT_TRUE(stream->write_all("GET / HTTP/1.1\r\n\r\n").ok());
    char byte[1];
    EXPECT_EQ(stream->read_some(byte).ok() && false, false);
    stream->close();
    EXPECT_EQ(call(kEcho, "fine").value(), "1:fine");
  });
}

TEST_F(PeerTest, SilentConnectionsAreClosedAfterTheHandshakeTimeout) {
  run([&] {
    auto stream = world.connect(kThere, kNever).value();
    const Instant began = world.clock().now();
    char byte[64];
    for (;;) {
      const auto n = stream->read_some(byte);
      if (!n.ok() || *n == 0) break;
    }
    EXPECT_EQ(world.clock().now() - began, server_options.hello_timeout);
  });
}

TEST_F(PeerTest, StrangersDoNotKeepPeersOut) {
  server_options.max_handshakes = 4;
  world.run([&] {
    serve();
    std::vector<std::unique_ptr<Stream>> strangers;
    for (int i = 0; i < 20; ++i)
      strangers.push_back(world.connect(kThere, kNever).value());
    dial();
    ASSERT_TRUE(world.sleep_for(10ms).ok());
    EXPECT_TRUE(up());
    char byte[1];
    (void)strangers.front()->read_some(byte).ok();
    EXPECT_LT(world.clock().now().time_since_epoch(), 1s) << "the oldest was closed at once";
    // The proven ones are no strangers any more.
    for (int i = 0; i < 20; ++i)
      strangers.push_back(world.connect(kThere, kNever).value());
    ASSERT_TRUE(world.sleep_for(10ms).ok());
    EXPECT_EQ(call(kEcho, "still").value(), "1:still");
    peer->stop();
    server->stop();
  });
}

// As after a partition: the server still holds what the dialer has given up.
TEST_F(PeerTest, NewConnectionOfAPeerEndsTheOneBefore) {
  run([&] {
    auto stream = world.connect(kThere, kNever).value();
    const auto session = dial_handshake(world, *stream, one, members, NodeId(2), 7);
    ASSERT_TRUE(session.ok()) << session.status().to_string();
    auto next = world.connect(kThere, kNever).value();
    ASSERT_TRUE(dial_handshake(world, *next, one, members, NodeId(2), 7).ok());
    const Instant began = world.clock().now();
    char byte[1];
    (void)stream->read_some(byte).ok();
    EXPECT_EQ(world.clock().now(), began) << "ended at once";
    EXPECT_EQ(call(kEcho, "other lane").value(), "1:other lane");
  });
}

// A dialer that reads no replies: requests whose replies cannot be written count still.
struct DeafTest : PeerTest {
  void ask_without_reading(size_t requests, size_t reply_bytes) {
    world.capacity = 1u << 20;
    world.run([&] {
      serve();
      auto stream = world.connect(kThere, kNever).value();
      auto session = dial_handshake(world, *stream, one, members, NodeId(2), 1);
      ASSERT_TRUE(session.ok()) << session.status().to_string();
      static_cast<PipeStream&>(*stream).in().capacity = 1;
      FrameStream frames(std::move(stream), session->send_key, session->receive_key);
      std::vector<Frame> asked;
      for (size_t i = 0; i < requests; ++i)
        asked.push_back({FrameType::kRequest, kEcho, Code::kOk, i, std::string(reply_bytes, 'x')});
      ASSERT_TRUE(frames.write(asked).ok());
      ASSERT_TRUE(world.sleep_for(5s).ok());
      taken_while_deaf = echo.requests;
      static_cast<PipeStream&>(frames.stream()).in().capacity = 1u << 20;
      static_cast<PipeStream&>(frames.stream()).in().writers.notify_all();
      for (size_t i = 0; i < requests; ++i)
        ASSERT_TRUE(frames.read().ok()) << i;
      frames.stream().close();
      server->stop();
    });
    EXPECT_EQ(echo.requests, requests) << "none was lost";
  }
  size_t taken_while_deaf = 0;
};

TEST_F(DeafTest, RequestCountsUntilItsReplyIsWritten) {
  server_options.max_requests_per_connection = 3;
  ask_without_reading(10, 10);
  EXPECT_EQ(taken_while_deaf, 3u);
}

TEST_F(DeafTest, ConnectionIsNotReadWhileTooManyReplyBytesWait) {
  server_options.max_reply_bytes_per_connection = 3000;
  ask_without_reading(10, 1000);
  EXPECT_EQ(taken_while_deaf, 3u);
}

TEST_F(PeerTest, ManyFramesAtOnceLetOthersRun) {
  run([&] {
    for (int i = 0; i < 60; ++i)
      ASSERT_TRUE(peer->send(Lane::kBulk, 7, "m"));
    size_t turns = 0;
    world.spawn("other", [&] {
      while (echo.messages.size() < 60) {
        if (!echo.messages.empty()) ++turns;
        world.scheduler().yield();
      }
    });
    ASSERT_TRUE(world.sleep_for(1s).ok());
    EXPECT_GE(turns, 50u);
  });
}

TEST_F(PeerTest, StopEndsAHandshakeAtOnce) {
  world.run([&] {
    auto silent = world.listen(kThere).value();
    dial();
    ASSERT_TRUE(world.sleep_for(10ms).ok());
    ASSERT_EQ(world.connects, 2u);
    const size_t fibers = world.domain().fibers();
    peer->stop();
    ASSERT_TRUE(world.sleep_for(1ms).ok());
    EXPECT_EQ(world.domain().fibers(), fibers - 2) << "both lanes have ended";
  });
}

}  // namespace
}  // namespace drumlin::rpc::test
