// The handshake: who may talk to whom, and what each side is told when not.
#include "rpc/handshake.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "base/codec.h"
#include "base/digest.h"
#include "rpc/capnp.h"
#include "rpc/frame.h"
#include "rpc/handshake.capnp.h"
#include "tests/rpc/pipes.h"
#include "tests/support/bytes.h"

namespace drumlin::rpc::test {
namespace {

using drumlin::test::each_flip;
using drumlin::test::from_hex;
using drumlin::test::to_hex;

// Knows nodes 1..3, and notes what it is told.
struct Notes final : Membership {
  explicit Notes(NodeId node) : self(node) {}
  Status check_member(NodeId node) const override {
    if (node.value() < 1 || node.value() > 3) {
      return {Code::kRefused, "this cluster has no node " + node.to_string()};
    }
    return {};
  }
  Status admit(const PeerIdentity& peer) override {
    if (!refuse.ok()) return refuse;
    admitted.push_back(peer);
    return {};
  }
  void recorded_by(NodeId peer) override { recorded.push_back(peer); }
  void refused_by(NodeId peer, const Status& why) override { refusals.emplace_back(peer, why); }

  NodeId self;
  Status refuse;
  std::vector<PeerIdentity> admitted;
  std::vector<NodeId> recorded;
  std::vector<std::pair<NodeId, Status>> refusals;
};

Identity identity(uint64_t node, std::string secret = "secret") {
  Identity out;
  out.cluster_id.fill(0xc1);
  out.node = NodeId(node);
  out.incarnation = 0x1000 + node;
  out.boot = 0x10 + node;
  out.secret = std::move(secret);
  return out;
}

struct HandshakeTest : ::testing::Test {
  // Runs both sides; what cannot be answered because the other side is gone ends as kClosed.
  void shake(NodeId wanted = NodeId(2)) {
    world.run([&] {
      Pipes pipes(world);
      WaitGroup both(world.scheduler(), world.clock());
      both.add(2);
      world.spawn("dialer", [&] {
        dialed = dial_handshake(world, *pipes.near, one, first, wanted, 1);
        pipes.near->close();
        both.done();
      });
      world.spawn("acceptor", [&] {
        accepted = accept_handshake(world, *pipes.far, two, second);
        pipes.far->close();
        both.done();
      });
      (void)both.wait();
    });
  }
  void expect_refused(const std::string& message) {
    EXPECT_TRUE(dialed.is(Code::kRefused)) << dialed.status().to_string();
    EXPECT_NE(dialed.status().message().find(message), std::string::npos)
        << dialed.status().message();
    EXPECT_FALSE(accepted.ok());
    EXPECT_TRUE(first.recorded.empty());
    EXPECT_TRUE(second.recorded.empty());
    EXPECT_TRUE(second.admitted.empty());
  }

  World world;
  Identity one = identity(1);
  Identity two = identity(2);
  Notes first{NodeId(1)};
  Notes second{NodeId(2)};
  Result<Session> dialed = Status(Code::kCancelled);
  Result<Session> accepted = Status(Code::kCancelled);
};

TEST_F(HandshakeTest, BothSidesKnowEachOtherAndShareKeys) {
  shake();
  ASSERT_TRUE(dialed.ok()) << dialed.status().to_string();
  ASSERT_TRUE(accepted.ok()) << accepted.status().to_string();
  EXPECT_EQ(dialed->peer.node, NodeId(2));
  EXPECT_EQ(dialed->peer.incarnation, two.incarnation);
  EXPECT_EQ(dialed->peer.boot, two.boot);
  EXPECT_EQ(accepted->peer.node, NodeId(1));
  EXPECT_EQ(accepted->peer.incarnation, one.incarnation);
  EXPECT_EQ(accepted->peer.boot, one.boot);
  EXPECT_EQ(accepted->lane, 1);
  EXPECT_EQ(dialed->version, kProtocolMax);
  EXPECT_EQ(accepted->version, kProtocolMax);
  EXPECT_EQ(dialed->send_key.size(), 32u);
  EXPECT_EQ(dialed->send_key, accepted->receive_key);
  EXPECT_EQ(dialed->receive_key, accepted->send_key);
  EXPECT_NE(dialed->send_key, dialed->receive_key);
  EXPECT_EQ(first.admitted.size(), 1u);
  EXPECT_EQ(second.admitted.size(), 1u);
  EXPECT_EQ(first.recorded, std::vector<NodeId>{NodeId(2)});
  EXPECT_EQ(second.recorded, std::vector<NodeId>{NodeId(1)});
}

TEST_F(HandshakeTest, WithoutASecretThereAreNoKeys) {
  one.secret = two.secret = "";
  shake();
  ASSERT_TRUE(dialed.ok() && accepted.ok());
  EXPECT_TRUE(dialed->send_key.empty());
  EXPECT_TRUE(accepted->receive_key.empty());
}

TEST_F(HandshakeTest, WrongSecretIsFoundByTheDialer) {
  two.secret = "another";
  shake();
  expect_refused("cluster.secret differs");
  EXPECT_TRUE(first.refusals.empty()) << "nobody refused us: we did";
  EXPECT_TRUE(first.admitted.empty()) << "nothing is recorded of who has proven nothing";
}

TEST_F(HandshakeTest, AnotherClusterIsRefused) {
  two.cluster_id[0] = 1;
  shake();
  expect_refused("another cluster (secret, node ids, shards or name differ)");
  ASSERT_EQ(first.refusals.size(), 1u);
  EXPECT_EQ(first.refusals[0].first, NodeId(2));
}

TEST_F(HandshakeTest, WrongNumberIsRefused) {
  shake(NodeId(3));
  expect_refused("this is node 2, not node 3");
}

TEST_F(HandshakeTest, TwoNodesWithOneIdAndTalkToOneselfAreRefused) {
  one.node = NodeId(2);
  shake();
  expect_refused("two nodes are configured with id 2");
}

TEST_F(HandshakeTest, StrangersAreRefused) {
  one.node = NodeId(9);
  shake();
  expect_refused("this cluster has no node 9");
}

TEST_F(HandshakeTest, AcceptorThatKnowsAnotherDiskRefusesAtTheEnd) {
  second.refuse = {Code::kRefused, "node 2 knows node 1 by another disk"};
  shake();
  EXPECT_TRUE(dialed.is(Code::kRefused));
  ASSERT_EQ(first.refusals.size(), 1u);
  EXPECT_NE(first.refusals[0].second.message().find("by another disk"), std::string::npos);
  EXPECT_TRUE(first.recorded.empty());
  EXPECT_TRUE(second.recorded.empty()) << "it has refused, so it takes no promise";
}

TEST_F(HandshakeTest, AcceptorsPassingTroubleIsNoRefusal) {
  second.refuse = {Code::kIo, "the disk is in trouble"};
  shake();
  EXPECT_TRUE(dialed.is(Code::kUnavailable)) << dialed.status().to_string();
  EXPECT_TRUE(first.refusals.empty());
  EXPECT_TRUE(first.recorded.empty());
}

TEST_F(HandshakeTest, DialerThatKnowsAnotherDiskRefuses) {
  first.refuse = {Code::kRefused, "node 1 knows node 2 by another disk"};
  shake();
  EXPECT_TRUE(dialed.is(Code::kRefused));
  EXPECT_TRUE(accepted.is(Code::kRefused)) << accepted.status().to_string();
  EXPECT_NE(accepted.status().message().find("by another disk"), std::string::npos);
  EXPECT_TRUE(second.refusals.empty()) << "not proven: only noted";
  EXPECT_TRUE(second.admitted.empty());
  EXPECT_TRUE(second.recorded.empty());
}

// --- one side played by the test ---

void send(Stream& stream, capnp::MessageBuilder& message) {
  const std::string payload = flatten(message);
  char head[8];
  store_le(head, static_cast<uint32_t>(payload.size()));
  store_le(head + 4, crc32c(payload, crc32c({head, 4})));
  ASSERT_TRUE(stream.write_all(std::string(head, 8) + payload).ok());
}
std::string receive(Stream& stream) {
  char head[8];
  if (!stream.read_exact(head).ok()) return {};
  std::string payload(load_le<uint32_t>(head), '\0');
  return stream.read_exact(payload).ok() ? payload : std::string();
}

struct HelloOptions {
  uint16_t min = kProtocolMin;
  uint16_t max = kProtocolMax;
  std::string nonce = std::string(16, 'n');
  uint8_t lane = 0;
};
void send_hello(Stream& stream, const Identity& self, const HelloOptions& options) {
  capnp::MallocMessageBuilder message;
  auto hello = message.initRoot<wire::Hello>();
  hello.setVersionMin(options.min);
  hello.setVersionMax(options.max);
  hello.setClusterId(as_data(as_view(self.cluster_id)));
  hello.setFrom(self.node.value());
  hello.setTo(2);
  hello.setLane(options.lane);
  hello.setNonce(as_data(options.nonce));
  send(stream, message);
}

// What an acceptor says to a hello, or "welcome".
std::string answer_to(World& world, const HelloOptions& options) {
  std::string said;
  world.run([&] {
    Pipes pipes(world);
    const Identity two = identity(2);
    Notes second(NodeId(2));
    send_hello(*pipes.near, identity(1), options);
    world.spawn("acceptor", [&] {
      (void)accept_handshake(world, *pipes.far, two, second).ok();
      pipes.far->close();
    });
    const std::string bytes = receive(*pipes.near);
    DRUMLIN_CHECK_OK(parse<wire::Welcome>(bytes, [&](wire::Welcome::Reader welcome) {
      said = welcome.isRefused() ? welcome.getRefused().getMessage().cStr() : "welcome";
      return Status();
    }));
    pipes.near->close();
    world.scheduler().yield();
  });
  return said;
}

TEST(HandshakeVersions, AreNegotiated) {
  World world;
  EXPECT_EQ(answer_to(world, {}), "welcome");
  EXPECT_EQ(answer_to(world, {1, 7}), "welcome") << "a later node that still speaks ours";
  EXPECT_EQ(answer_to(world, {2, 7}), "no common protocol version");
  EXPECT_EQ(answer_to(world, {0, 0}), "no common protocol version");
  EXPECT_EQ(answer_to(world, {1, 1, "short"}), "bad nonce");
}

TEST(HandshakeLanes, AreThoseThatThereAre) {
  World world;
  HelloOptions options;
  for (const auto& [lane, said] :
       {std::pair{0, "welcome"}, {1, "welcome"}, {2, "bad lane"}, {255, "bad lane"}}) {
    options.lane = static_cast<uint8_t>(lane);
    EXPECT_EQ(answer_to(world, options), said) << lane;
  }
}

TEST(HandshakeVersions, AnAcceptorCannotChooseWhatWasNotOffered) {
  World world;
  Result<Session> dialed = Status(Code::kCancelled);
  world.run([&] {
    Pipes pipes(world);
    const Identity one = identity(1, "");
    Notes first(NodeId(1));
    world.spawn("acceptor", [&] {
      (void)receive(*pipes.far);
      capnp::MallocMessageBuilder message;
      auto ok = message.initRoot<wire::Welcome>().initOk();
      ok.setVersion(kProtocolMax + 1);
      send(*pipes.far, message);
      pipes.far->shutdown_write();
    });
    dialed = dial_handshake(world, *pipes.near, one, first, NodeId(2), 0);
  });
  EXPECT_TRUE(dialed.is(Code::kRefused));
  EXPECT_NE(dialed.status().message().find("protocol version 2"), std::string::npos)
      << dialed.status().message();
}

TEST(HandshakeBytes, ForeignersAreTurnedAway) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(4, '\0'), std::string(64, '\xff'),
        from_hex("08000000 ffffffffffffffff"), from_hex("05000000 00000000 0102030405")}) {
    World world;
    Result<Session> accepted = Status(Code::kCancelled);
    world.run([&] {
      Pipes pipes(world);
      const Identity two = identity(2);
      Notes second(NodeId(2));
      Pipes::feed(*pipes.there, bytes);
      pipes.near->shutdown_write();
      accepted = accept_handshake(world, *pipes.far, two, second);
      EXPECT_TRUE(second.admitted.empty());
    });
    EXPECT_FALSE(accepted.ok());
  }
}

// A stranger's word on how much will come costs no memory, on either side.
TEST(HandshakeBytes, LengthIsBounded) {
  for (const uint32_t length : {uint32_t{4097}, kMaxFramePayloadBytes, UINT32_MAX}) {
    World world;
    std::string head(8, '\0');
    store_le(head.data(), length);
    const auto expect_refusal = [&](const Status& status) {
      EXPECT_TRUE(status.is(Code::kCorrupt));
      EXPECT_EQ(status.message(),
                "not a drumlin peer: handshake of " + std::to_string(length) + " bytes");
    };
    world.run([&] {
      Pipes pipes(world);
      Notes notes(NodeId(2));
      Pipes::feed(*pipes.there, head);
      expect_refusal(accept_handshake(world, *pipes.far, identity(2), notes).status());
      Pipes::feed(*pipes.back, head);
      expect_refusal(dial_handshake(world, *pipes.near, identity(1), notes, NodeId(2), 0).status());
    });
  }
}

// The bytes of a whole handshake, either direction; secure_random gives 'x' in this world.
struct Recorded {
  std::string dialer;
  std::string acceptor;
};
Recorded record() {
  World world;
  Recorded out;
  world.run([&] {
    // Two connections with the test in between as a relay.
    Pipes left(world);
    Pipes right(world);
    const Identity one = identity(1);
    const Identity two = identity(2);
    Notes first(NodeId(1));
    Notes second(NodeId(2));
    WaitGroup ends(world.scheduler(), world.clock());
    ends.add(4);
    const auto relay = [&](Stream& from, Stream& to, std::string& note) {
      char block[512];
      for (;;) {
        const auto n = from.read_some(block);
        if (!n.ok() || *n == 0) break;
        note.append(block, *n);
        if (!to.write_all(std::string_view(block, *n)).ok()) break;
      }
      to.shutdown_write();
      ends.done();
    };
    world.spawn("there", [&] { relay(*left.far, *right.near, out.dialer); });
    world.spawn("back", [&] { relay(*right.near, *left.far, out.acceptor); });
    world.spawn("dialer", [&] {
      EXPECT_TRUE(dial_handshake(world, *left.near, one, first, NodeId(2), 1).ok());
      left.near->shutdown_write();
      ends.done();
    });
    world.spawn("acceptor", [&] {
      EXPECT_TRUE(accept_handshake(world, *right.far, two, second).ok());
      right.far->shutdown_write();
      ends.done();
    });
    (void)ends.wait();
  });
  return out;
}

TEST(HandshakeBytes, Golden) {
  const Recorded recorded = record();
  EXPECT_EQ(to_hex(recorded.dialer),
            "680000002cfe5504000000000c000000000000000500020001000100010000000100000000000000"
            "02000000000000000110000000000000110000000000000005000000820000000900000082000000"
            "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c17878787878787878787878787878787840000000465d4c10"
            "00000000070000000000000001000100010000000000000001000000020100001dd9ec412a7e97ef"
            "91dea347a294f2902849b61b21161ae2e2dbf5efd3236c95");
  EXPECT_EQ(to_hex(recorded.acceptor),
            "6800000063f7590d000000000c000000000000000300020001000100000000000210000000000000"
            "12000000000000000500000082000000090000000201000078787878787878787878787878787878"
            "2cd9de4b3942bef1d5628ef2c71a6b1327145af63af42940e2ff5afb9fdf10dd20000000b1742cb6"
            "0000000003000000000000000100010001000000000000000000000000000000");
}

// Damage is no refusal either: a node takes that for final.
TEST(HandshakeBytes, ChangedBytesMakeNoSession) {
  const std::string good = record().dialer;
  const auto accept = [](const std::string& bytes) {
    World world;
    Result<Session> accepted = Status(Code::kCancelled);
    world.run([&] {
      Pipes pipes(world);
      const Identity two = identity(2);
      Notes second(NodeId(2));
      Pipes::feed(*pipes.there, bytes);
      pipes.near->shutdown_write();
      accepted = accept_handshake(world, *pipes.far, two, second);
    });
    return accepted;
  };
  ASSERT_TRUE(accept(good).ok());
  each_flip(good, [&](const std::string& bytes) {
    const auto accepted = accept(bytes);
    EXPECT_FALSE(accepted.ok());
    EXPECT_FALSE(accepted.is(Code::kRefused)) << accepted.status().to_string();
  });
}

}  // namespace
}  // namespace drumlin::rpc::test
