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
constexpr uint8_t kHuge = 4;  // answers with more than a frame carries
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
    if (kind == kHuge) return std::string(kMaxFramePayloadBytes + 1, 'h');
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
                                      *world.listen(kThere), server_options);
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

// --- how many calls at once ---

struct CallsTest : PeerTest {
  // Slow calls, all at once; what each came to, and when, in the order of the calls.
  struct Outcome {
    Status status;
    Duration took;
  };
  std::vector<Outcome> slow_calls(size_t n, size_t bytes = 1, Duration patience = 60s) {
    std::vector<Outcome> out(n);
    WaitGroup all(world.scheduler(), world.clock());
    all.add(n);
    const Instant began = world.clock().now();
    for (size_t i = 0; i < n; ++i) {
      world.spawn("caller", [&, i] {
        out[i].status = call(kSlow, std::string(bytes, 's'), patience).status();
        out[i].took = world.clock().now() - began;
        all.done();
      });
    }
    (void)all.wait();
    return out;
  }
};

TEST_F(CallsTest, BeyondTheLimitWaitForTheirTurn) {
  options.requests = 2;
  server_options.peer_requests = 2;
  run([&] {
    const auto calls = slow_calls(5);
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_TRUE(calls[i].status.ok()) << calls[i].status.to_string();
      EXPECT_EQ(calls[i].took, i < 2 ? 3s : i < 4 ? 6s : 9s) << "first come, first served";
    }
  });
}

TEST_F(CallsTest, BeyondTheLimitOfBytesWaitForTheirTurn) {
  options.request_bytes = 2500;
  run([&] {
    const auto calls = slow_calls(3, 1000);
    EXPECT_EQ(calls[1].took, 3s);
    EXPECT_EQ(calls[2].took, 6s);
    EXPECT_TRUE(call(kEcho, std::string(3000, 'x')).ok()) << "one is always let through";
  });
}

TEST_F(CallsTest, WithoutATurnInTimeAreKnownNotDone) {
  options.requests = 1;
  run([&] {
    WaitGroup done(world.scheduler(), world.clock());
    done.add(1);
    world.spawn("slow", [&] {
      EXPECT_TRUE(call(kSlow, "s").ok());
      done.done();
    });
    world.scheduler().yield();
    EXPECT_TRUE(call(kEcho, "x", 1s).is(Code::kUnavailable));
    EXPECT_EQ(echo.requests, 1u);
    (void)done.wait();
    EXPECT_TRUE(call(kEcho, "x", 1s).ok());
  });
}

TEST_F(CallsTest, ThatWaitForATurnEndWithTheConnection) {
  options.requests = 1;
  run([&] {
    world.spawn("the end", [&] {
      (void)world.sleep_for(1s);
      server->stop();
    });
    const auto calls = slow_calls(3);
    EXPECT_TRUE(calls[0].status.is(Code::kOutcomeUnknown));
    for (const size_t i : {1u, 2u}) {
      EXPECT_TRUE(calls[i].status.is(Code::kUnavailable)) << "known not done";
      EXPECT_LT(calls[i].took, 2s);
    }
  });
}

TEST_F(CallsTest, ThatFailAtTheirTurnPassItOn) {
  options.requests = 1;
  options.queue_bytes = 1000;
  run([&] {
    world.spawn("first", [&] {
      EXPECT_TRUE(call(kSlow, "s").ok());
      // The turn is the next one's, who has not run yet.
      EXPECT_TRUE(peer->send(Lane::kBulk, 7, std::string(2000, 'b')));
    });
    world.scheduler().yield();
    const auto calls = slow_calls(2);
    EXPECT_TRUE(calls[0].status.is(Code::kUnavailable)) << "its turn, but a full queue";
    EXPECT_EQ(calls[0].took, 3s);
    EXPECT_TRUE(calls[1].status.ok()) << "the queue is empty again";
    EXPECT_EQ(calls[1].took, 6s);
  });
}

// A peer that sends more than we take: one of another mind about the limit, or one that has given up
// calls on which we still work.
TEST_F(CallsTest, BeyondWhatTheOtherSideTakesAreRefusedAndTheConnectionIsRead) {
  server_options.peer_requests = 2;
  run([&] {
    const auto calls = slow_calls(4);
    for (const size_t i : {0u, 1u})
      EXPECT_TRUE(calls[i].status.ok());
    for (const size_t i : {2u, 3u}) {
      EXPECT_TRUE(calls[i].status.is(Code::kUnavailable)) << calls[i].status.to_string();
      EXPECT_LT(calls[i].took, 1s);
    }
    EXPECT_EQ(echo.requests, 2u) << "known not done";

    world.spawn("more", [&] { (void)slow_calls(2); });
    ASSERT_TRUE(world.sleep_for(10ms).ok());
    EXPECT_TRUE(call(kEcho, "x").is(Code::kUnavailable));
    EXPECT_TRUE(peer->send(Lane::kBulk, 7, "entries"));
    ASSERT_TRUE(world.sleep_for(10ms).ok());
    EXPECT_EQ(echo.messages, (std::vector<std::string>{"1/7/entries"})) << "not behind requests";
    ASSERT_TRUE(world.sleep_for(5s).ok());
    EXPECT_TRUE(call(kEcho, "x").ok()) << "there is room again";
  });
}

TEST_F(CallsTest, BeyondTheBytesThatTheOtherSideTakesAreRefused) {
  server_options.peer_request_bytes = 2500;
  run([&] {
    const auto calls = slow_calls(3, 1000);
    EXPECT_TRUE(calls[0].status.ok() && calls[1].status.ok());
    EXPECT_TRUE(calls[2].status.is(Code::kUnavailable));
    EXPECT_TRUE(call(kEcho, std::string(3000, 'x')).ok()) << "one is always taken";
  });
}

TEST_F(CallsTest, CountForThePeerWhateverTheirConnection) {
  server_options.peer_requests = 2;
  world.run([&] {
    serve();
    const auto dial_as = [&](const Identity& who) {
      auto stream = world.connect(kThere, kNever).value();
      auto session = dial_handshake(world, *stream, who, members, NodeId(2), 1);
      DRUMLIN_CHECK_OK(session.status());
      return std::make_unique<FrameStream>(std::move(stream), session->send_key,
                                           session->receive_key);
    };
    const auto ask = [&](FrameStream& frames) {
      const Frame asked{FrameType::kRequest, kEcho, Code::kOk, 1, "x"};
      DRUMLIN_CHECK_OK(frames.write({&asked, 1}));
      return frames.read().value().code;
    };
    const auto first = dial_as(one);
    const std::vector<Frame> slow(2, Frame{FrameType::kRequest, kSlow, Code::kOk, 1, "s"});
    ASSERT_TRUE(first->write(slow).ok());
    ASSERT_TRUE(world.sleep_for(1s).ok());
    const auto second = dial_as(one);  // and ends the first
    EXPECT_EQ(ask(*second), Code::kUnavailable) << "its former requests still run";
    EXPECT_EQ(ask(*dial_as(identity(3, "secret"))), Code::kOk) << "another's do not count";
    ASSERT_TRUE(world.sleep_for(2s).ok());
    EXPECT_EQ(ask(*second), Code::kOk);
    server->stop();
  });
}

TEST_F(PeerTest, AnswerThatDoesNotFitAFrameIsAnError) {
  run([&] {
    const auto huge = call(kHuge, "");
    EXPECT_TRUE(huge.is(Code::kTooLarge)) << huge.status().to_string();
    EXPECT_EQ(call(kEcho, "still").value(), "1:still");
  });
}

TEST_F(PeerTest, RequestThatDoesNotFitAFrameIsNotSent) {
  run([&] {
    EXPECT_TRUE(
        call(kEcho, std::string(kMaxFramePayloadBytes + 1, 'x')).is(Code::kInvalidArgument));
    EXPECT_EQ(echo.requests, 0u);
    EXPECT_EQ(call(kEcho, "still").value(), "1:still");
  });
}

// Half open: the other side, or something in between, has forgotten the connection and says nothing.
TEST_F(PeerTest, SilentConnectionIsGivenUpAndMadeAgain) {
  world.run([&] {
    auto listener = *world.listen(kThere);
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
  world.run([&] {
    serve();
    const auto dial_lane = [&](Lane lane) {
      auto stream = world.connect(kThere, kNever).value();
      const auto lane_byte = static_cast<uint8_t>(lane);
      DRUMLIN_CHECK_OK(dial_handshake(world, *stream, one, members, NodeId(2), lane_byte).status());
      return stream;
    };
    const auto stream = dial_lane(Lane::kControl);
    const auto other = dial_lane(Lane::kBulk);
    const auto next = dial_lane(Lane::kControl);
    const Instant began = world.clock().now();
    char byte[1];
    EXPECT_EQ(stream->read_some(byte).value(), 0u);
    EXPECT_EQ(world.clock().now(), began) << "ended at once";
    other->set_read_deadline(began + 1s);
    EXPECT_TRUE(other->read_some(byte).is(Code::kTimeout)) << "the other lane stays";
    server->stop();
  });
}

// A dialer that reads no replies: requests whose replies cannot be written count still.
struct DeafTest : PeerTest {
  void ask_without_reading(size_t requests, size_t reply_bytes) {
    world.capacity = 4u << 20;
    world.run([&] {
      serve();
      auto stream = world.connect(kThere, kNever).value();
      auto session = dial_handshake(world, *stream, one, members, NodeId(2), 1);
      ASSERT_TRUE(session.ok()) << session.status().to_string();
      auto& pipes = static_cast<PipeStream&>(*stream);
      pipes.in().capacity = 1;
      FrameStream frames(std::move(stream), session->send_key, session->receive_key);
      std::vector<Frame> asked;
      for (size_t i = 0; i < requests; ++i)
        asked.push_back({FrameType::kRequest, kEcho, Code::kOk, i, std::string(reply_bytes, 'x')});
      ASSERT_TRUE(frames.write(asked).ok());
      ASSERT_TRUE(world.sleep_for(5s).ok());
      taken_while_deaf = echo.requests;
      unread_while_deaf = pipes.out().bytes;
      pipes.in().capacity = 4u << 20;
      pipes.in().writers.notify_all();
      for (size_t i = 0; i < requests; ++i) {
        const auto answer = frames.read();
        ASSERT_TRUE(answer.ok()) << i;
        if (answer->code == Code::kUnavailable) ++refused;
      }
      frames.stream().close();
      server->stop();
    });
    EXPECT_EQ(echo.requests + refused, requests) << "none was lost";
  }
  size_t taken_while_deaf = 0;
  size_t unread_while_deaf = 0;  // bytes
  size_t refused = 0;
};

TEST_F(DeafTest, RequestCountsUntilItsReplyIsWritten) {
  server_options.peer_requests = 3;
  ask_without_reading(10, 10);
  EXPECT_EQ(taken_while_deaf, 3u);
  EXPECT_EQ(refused, 7u);
  EXPECT_EQ(unread_while_deaf, 0u);
}

TEST_F(DeafTest, RequestsWaitWhileTooManyReplyBytesDo) {
  server_options.max_reply_bytes_per_connection = 3000;
  ask_without_reading(10, 1000);
  EXPECT_EQ(taken_while_deaf, 3u);
  EXPECT_EQ(refused, 0u);
  EXPECT_EQ(unread_while_deaf, 0u);
}

TEST_F(DeafTest, IsNotReadWhenTooManyRefusalsWait) {
  server_options.peer_requests = 1;
  ask_without_reading(10'000, 10);
  EXPECT_EQ(taken_while_deaf, 1u);
  EXPECT_GT(unread_while_deaf, 5000u * 50) << "some 4096 are refused";
  EXPECT_LT(unread_while_deaf, 6000u * 50);
}

TEST_F(DeafTest, IsNotReadSoonerWhenFewerMayWait) {
  server_options.peer_requests = 1;
  server_options.max_small_replies_per_connection = 100;
  ask_without_reading(10'000, 10);
  EXPECT_GT(unread_while_deaf, 9000u * 50) << "but for what was read ahead";
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
