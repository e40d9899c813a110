// Connections between machines: what TCP promises, and what goes wrong.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

const Endpoint kServer{"10.0.0.1", 80};

std::string read_all(Stream& stream, Code* end = nullptr) {
  std::string out;
  char block[3000];
  for (;;) {
    const auto n = stream.read_some(block);
    if (end != nullptr) *end = n.ok() ? Code::kOk : n.code();
    if (!n.ok() || *n == 0) return out;
    out.append(block, *n);
  }
}

// Node 1 listens and runs `serve` for each connection; node 2 runs `use` with one.
class Pair {
 public:
  using Body = std::function<void(Runtime&, Stream&)>;
  explicit Pair(uint64_t seed, const World::Options& options = plain())
      : world(seed, options),
        one(world.add_machine(NodeId(1))),
        two(world.add_machine(NodeId(2))) {}

  void boot_server(Body serve) {
    one.boot([serve = std::move(serve)](Runtime& runtime) {
      auto listener = runtime.network().listen(kServer).value();
      for (;;) {
        auto accepted = listener->accept();
        if (!accepted.ok()) return;
        std::shared_ptr<Stream> stream = std::move(*accepted);
        runtime.spawn("serve", [&runtime, stream, serve] { serve(runtime, *stream); });
      }
    });
    world.run_for(1ms);
  }
  // Runs to the end of `use`.
  void use(Body body) {
    run_on(world, two, [&](Runtime& runtime) {
      auto stream = runtime.network().connect(kServer, kNever);
      ASSERT_TRUE(stream.ok()) << stream.status().to_string();
      body(runtime, *stream.value());
    });
  }

  World world;
  Machine& one;
  Machine& two;
};

const Pair::Body kEcho = [](Runtime&, Stream& stream) {
  char block[4096];
  for (;;) {
    const auto n = stream.read_some(block);
    if (!n.ok() || *n == 0 || !stream.write_all({block, *n}).ok()) return;
  }
};
const Pair::Body kIgnore = [](Runtime& runtime, Stream&) { (void)runtime.sleep_for(1h); };

TEST(SimNetwork, BytesKeepTheirOrderInPiecesOfAnySize) {
  World::Options options;
  options.network.link.partial_per_1024 = 700;
  options.network.link.spike_per_million = 20'000;
  Pair pair(1, options);
  size_t reads = 0;
  size_t writes = 0;
  const std::string sent = pattern(1'000'000);
  std::string got;
  pair.boot_server([&](Runtime&, Stream& stream) {
    char block[10'000];
    for (;;) {
      const auto n = stream.read_some(block);
      if (!n.ok() || *n == 0) break;
      got.append(block, *n);
      ++reads;
    }
    EXPECT_TRUE(stream.write_all("done").ok());
  });
  pair.use([&](Runtime&, Stream& stream) {
    std::string_view left = sent;
    while (!left.empty()) {
      const std::string_view pieces[2] = {left.substr(0, 5000), left.substr(0, 0)};
      const auto n = stream.write_some(std::span(pieces, 1));
      ASSERT_TRUE(n.ok());
      left.remove_prefix(*n);
      ++writes;
    }
    stream.shutdown_write();
    EXPECT_EQ(read_all(stream), "done") << "half closed: the other direction goes on";
  });
  EXPECT_TRUE(got == sent);
  EXPECT_GT(writes, 300u) << "split";
  EXPECT_GT(reads, 150u);
  EXPECT_GT(pair.world.counters().get("latency_spike").effective, 0u);
}

TEST(SimNetwork, WritesMergeForASlowReader) {
  Pair pair(1);
  size_t first_read = 0;
  pair.boot_server([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
    char block[100];
    first_read = stream.read_some(block).value();
  });
  pair.use([](Runtime& runtime, Stream& stream) {
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(stream.write_all("0123456789").ok());
    EXPECT_TRUE(runtime.sleep_for(2s).ok());
  });
  EXPECT_EQ(first_read, 50u);
}

TEST(SimNetwork, LatencyAndBandwidth) {
  World::Options options = plain();
  options.network.link.latency_min = options.network.link.latency_max = 10ms;
  options.network.link.jitter = Duration(0);
  options.network.link.bytes_per_second = 1'000'000;
  Pair pair(1, options);
  pair.boot_server(kEcho);
  run_on(pair.world, pair.two, [](Runtime& runtime) {
    const Instant start = runtime.clock().now();
    auto stream = runtime.network().connect(kServer, kNever).value();
    EXPECT_EQ(runtime.clock().now() - start, 20ms) << "a round trip";
    const Instant connected = runtime.clock().now();
    EXPECT_TRUE(stream->write_all("x").ok());
    char c = 0;
    EXPECT_TRUE(stream->read_exact({&c, 1}).ok());
    EXPECT_EQ(runtime.clock().now() - connected, 20ms + 2us);
    const Instant echoed = runtime.clock().now();
    EXPECT_TRUE(stream->write_all(std::string(100'000, 'x')).ok());
    std::string back(100'000, '\0');
    EXPECT_TRUE(stream->read_exact(back).ok());
    EXPECT_GE(runtime.clock().now() - echoed, 120ms) << "100 KB at 1 MB/s";
    EXPECT_LE(runtime.clock().now() - echoed, 230ms);
  });
}

TEST(SimNetwork, BuffersAreFinite) {
  World::Options options = plain();
  options.network.send_buffer = 1000;
  options.network.receive_buffer = 500;
  Pair pair(1, options);
  std::string got;
  pair.boot_server([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(runtime.sleep_for(5s).ok());
    got = read_all(stream);
  });
  const std::string sent = pattern(20'000);
  pair.use([&](Runtime& runtime, Stream& stream) {
    size_t written = 0;
    stream.set_write_deadline(runtime.clock().now() + 1s);
    for (;;) {
      const std::string_view left = std::string_view(sent).substr(written);
      const auto n = stream.write_some(std::span(&left, 1));
      if (!n.ok()) {
        EXPECT_TRUE(n.is(Code::kTimeout));
        break;
      }
      written += *n;
    }
    EXPECT_EQ(written, 1500u);
    stream.set_write_deadline(kNever);
    EXPECT_TRUE(stream.write_all(std::string_view(sent).substr(written)).ok());
    stream.shutdown_write();
    EXPECT_EQ(read_all(stream), "");
  });
  EXPECT_TRUE(got == sent);
}

TEST(SimNetwork, ConnectRefusedTimeoutAndNoRoute) {
  World world(1, plain());
  Machine& one = world.add_machine(NodeId(1));
  Machine& two = world.add_machine(NodeId(2));
  run_on(world, two, [&](Runtime& runtime) {
    Network& network = runtime.network();
    const Instant start = runtime.clock().now();
    EXPECT_TRUE(network.connect(kServer, start + 100ms).is(Code::kTimeout)) << "no power";
    EXPECT_EQ(runtime.clock().now() - start, 100ms);
    EXPECT_TRUE(network.connect(kServer, start).is(Code::kTimeout)) << "a deadline that has passed";
    EXPECT_TRUE(network.connect(kServer, kNever).is(Code::kTimeout));
    EXPECT_EQ(to_ms(runtime.clock().now() - start), 127100);
    EXPECT_TRUE(network.connect({"10.9.9.9", 1}, kNever).is(Code::kUnavailable));
    one.boot([](Runtime& r) { (void)r.sleep_for(1h); });
    EXPECT_TRUE(network.connect(kServer, kNever).is(Code::kUnavailable)) << "refused";
    EXPECT_TRUE(network.connect({"127.0.0.1", 1}, kNever).is(Code::kUnavailable));
  });
  EXPECT_EQ(world.network().connections(), 0u);
}

TEST(SimNetwork, ListenersAndAddresses) {
  World world(1, plain());
  Machine& one = world.add_machine(NodeId(1));
  Machine& two = world.add_machine(NodeId(2));
  one.boot([](Runtime& runtime) {
    Network& network = runtime.network();
    auto first = network.listen({"10.0.0.1", 80});
    ASSERT_TRUE(first.ok());
    EXPECT_TRUE(network.listen({"0.0.0.0", 80}).is(Code::kAlreadyExists));
    EXPECT_TRUE(network.listen({"10.0.0.2", 81}).is(Code::kInvalidArgument));
    auto any = network.listen({"0.0.0.0", 0}).value();
    EXPECT_GE(any->local().port, 32768);
    auto local = network.listen({"127.0.0.1", 82}).value();
    auto stream = network.connect({"127.0.0.1", 82}, kNever);
    EXPECT_TRUE(stream.ok());
    auto accepted = local->accept().value();
    EXPECT_EQ(accepted->peer().host, "10.0.0.1");
    EXPECT_EQ(stream.value()->peer(), (Endpoint{"10.0.0.1", 82}));
    first.value()->close();
    EXPECT_TRUE(first.value()->accept().is(Code::kCancelled));
    EXPECT_TRUE(network.listen({"10.0.0.1", 80}).ok()) << "free again";
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
  });
  run_on(world, two, [](Runtime& runtime) {
    EXPECT_TRUE(runtime.sleep_for(1ms).ok());
    EXPECT_TRUE(runtime.network().connect({"10.0.0.1", 82}, kNever).is(Code::kUnavailable))
        << "loopback only";
  });
}

TEST(SimNetwork, ClosingAListenerWakesAcceptAndResetsTheBacklog) {
  World world(1, plain());
  Machine& one = world.add_machine(NodeId(1));
  Machine& two = world.add_machine(NodeId(2));
  bool cancelled = false;
  one.boot([&](Runtime& runtime) {
    auto listener = runtime.network().listen(kServer).value();
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
    listener->close();
    auto other = runtime.network().listen({"10.0.0.1", 81}).value();
    runtime.spawn("accept", [&] { cancelled = other->accept().is(Code::kCancelled); });
    runtime.scheduler().yield();
    other->close();
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
  });
  run_on(world, two, [](Runtime& runtime) {
    EXPECT_TRUE(runtime.sleep_for(1ms).ok());
    auto stream = runtime.network().connect(kServer, kNever).value();
    Code end = Code::kOk;
    read_all(*stream, &end);
    EXPECT_EQ(end, Code::kClosed);
  });
  EXPECT_TRUE(cancelled);
}

TEST(SimNetwork, FullBacklogMakesClientsWait) {
  World::Options options = plain();
  options.network.backlog = 2;
  World world(1, options);
  Machine& one = world.add_machine(NodeId(1));
  Machine& two = world.add_machine(NodeId(2));
  one.boot([&](Runtime& runtime) {
    auto listener = runtime.network().listen(kServer).value();
    EXPECT_TRUE(runtime.sleep_for(2s).ok());
    std::vector<std::unique_ptr<Stream>> streams;
    for (;;)
      streams.push_back(listener->accept().value());
  });
  run_on(world, two, [&](Runtime& runtime) {
    EXPECT_TRUE(runtime.sleep_for(1ms).ok());
    const Instant start = runtime.clock().now();
    std::vector<std::unique_ptr<Stream>> streams;
    for (int i = 0; i < 3; ++i) {
      streams.push_back(runtime.network().connect(kServer, kNever).value());
      EXPECT_TRUE(runtime.sleep_for(1ms).ok());
    }
    EXPECT_GE(runtime.clock().now() - start, 2s);
    EXPECT_LE(runtime.clock().now() - start, 4s) << "tried again after 1 s, 2 s";
  });
}

TEST(SimNetwork, Deadlines) {
  Pair pair(1);
  pair.boot_server(kIgnore);
  pair.use([](Runtime& runtime, Stream& stream) {
    const Instant start = runtime.clock().now();
    char c = 0;
    stream.set_read_deadline(start + 1s);
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout));
    EXPECT_EQ(runtime.clock().now() - start, 1s);
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout)) << "it has passed";
    stream.set_read_deadline(start + 1h);
    runtime.spawn("hurry", [&] {
      EXPECT_TRUE(runtime.sleep_for(1s).ok());
      stream.set_read_deadline(start + 3s);
    });
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout));
    EXPECT_EQ(runtime.clock().now() - start, 3s) << "also one under way";
    stream.set_read_deadline(kNever);
    runtime.spawn("close", [&] {
      EXPECT_TRUE(runtime.sleep_for(1s).ok());
      stream.close();
    });
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kCancelled));
    const std::string_view x = "x";
    EXPECT_TRUE(stream.write_some(std::span(&x, 1)).is(Code::kCancelled));
    stream.close();
  });
}

TEST(SimNetwork, PartitionHoldsBytesUntilItHeals) {
  Pair pair(1);
  pair.boot_server(kEcho);
  Duration took{};
  pair.world.at(Instant(5s), [&] { pair.world.network().partition({"10.0.0.1"}, {"10.0.0.2"}); });
  pair.world.at(Instant(20s), [&] { pair.world.network().heal(); });
  pair.use([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(runtime.sleep_until(Instant(6s)).ok());
    const Instant start = runtime.clock().now();
    EXPECT_TRUE(stream.write_all("held").ok());
    char c = 0;
    stream.set_read_deadline(Instant(19s));
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout));
    EXPECT_TRUE(runtime.network().connect(kServer, Instant(19s)).is(Code::kTimeout));
    stream.set_read_deadline(kNever);
    std::string back(4, '\0');
    EXPECT_TRUE(stream.read_exact(back).ok()) << "the connection has survived";
    EXPECT_EQ(back, "held");
    took = runtime.clock().now() - start;
  });
  EXPECT_GE(took, 14s);
  EXPECT_LE(took, 14s + 450ms);
  EXPECT_EQ(pair.world.counters().get("partition").injected, 1u);
  EXPECT_EQ(pair.world.counters().get("partition").effective, 1u);
}

TEST(SimNetwork, AsymmetricBlock) {
  Pair pair(1);
  std::string got;
  pair.boot_server([&](Runtime&, Stream& stream) {
    got = read_all(stream);
    EXPECT_TRUE(stream.write_all(got).ok());
  });
  SimNetwork& network = pair.world.network();
  pair.use([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(runtime.sleep_for(10ms).ok());
    network.block({"10.0.0.1"}, {"10.0.0.2"});
    network.block({"10.0.0.1"}, {"10.0.0.2"});
    EXPECT_TRUE(network.blocked(*network.find("10.0.0.1"), *network.find("10.0.0.2")));
    EXPECT_FALSE(network.blocked(*network.find("10.0.0.2"), *network.find("10.0.0.1")));
    EXPECT_TRUE(stream.write_all("one way").ok());
    stream.shutdown_write();
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
    EXPECT_EQ(got, "one way");
    network.unblock({"10.0.0.1"}, {"10.0.0.2"});
    EXPECT_TRUE(network.partitioned()) << "calls add up";
    stream.set_read_deadline(after(runtime.clock(), 1s));
    char c = 0;
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout));
    network.unblock({"10.0.0.1"}, {"10.0.0.2"});
    EXPECT_FALSE(network.partitioned());
    stream.set_read_deadline(kNever);
    EXPECT_EQ(read_all(stream), "one way");
  });
}

TEST(SimNetwork, BlockedAcknowledgementsFillTheSender) {
  Pair pair(1);
  std::string got;
  pair.boot_server([&](Runtime&, Stream& stream) { got = read_all(stream); });
  pair.use([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(runtime.sleep_for(10ms).ok());
    pair.world.network().block({"10.0.0.1"}, {"10.0.0.2"});
    stream.set_write_deadline(after(runtime.clock(), 1s));
    EXPECT_TRUE(stream.write_all(std::string(1'000'000, 'x')).is(Code::kTimeout));
    pair.world.network().heal();
    stream.set_write_deadline(kNever);
    EXPECT_TRUE(stream.write_all("y").ok());
    stream.shutdown_write();
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
  });
  EXPECT_EQ(got.size(), 256u * 1024 + 1);
}

TEST(SimNetwork, KilledProcessResetsItsConnections) {
  Pair pair(1);
  pair.boot_server(kEcho);
  pair.world.at(Instant(5s), [&] { pair.one.kill(); });
  pair.use([&](Runtime& runtime, Stream& stream) {
    Code end = Code::kOk;
    read_all(stream, &end);
    EXPECT_EQ(end, Code::kClosed);
    EXPECT_GE(runtime.clock().now(), Instant(5s));
    EXPECT_LE(runtime.clock().now(), Instant(5s + 1ms));
    EXPECT_TRUE(stream.write_all("x").is(Code::kClosed));
    EXPECT_TRUE(runtime.network().connect(kServer, kNever).is(Code::kUnavailable))
        << "nobody listens";
  });
}

TEST(SimNetwork, MachineWithoutPowerIsSilentAndResetsOnceItIsBack) {
  Pair pair(1);
  pair.boot_server(kEcho);
  pair.world.at(Instant(5s), [&] { pair.one.power_off(); });
  pair.world.at(Instant(60s), [&] { pair.one.boot([](Runtime& r) { (void)r.sleep_for(1h); }); });
  pair.use([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(runtime.sleep_until(Instant(6s)).ok());
    char c = 0;
    stream.set_read_deadline(Instant(10s));
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout));
    EXPECT_TRUE(stream.write_all("anybody there?").ok());
    stream.set_read_deadline(Instant(59s));
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout));
    stream.set_read_deadline(kNever);
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kClosed));
    EXPECT_GE(runtime.clock().now(), Instant(60s));
    EXPECT_LE(runtime.clock().now(), Instant(61s));
  });
}

TEST(SimNetwork, WhoSaysNothingHearsNothingOfAPowerCut) {
  Pair pair(1);
  pair.boot_server(kEcho);
  pair.world.at(Instant(5s), [&] {
    pair.one.power_off();
    pair.one.boot([](Runtime& r) { (void)r.sleep_for(1h); });
  });
  pair.use([&](Runtime& runtime, Stream& stream) {
    char c = 0;
    stream.set_read_deadline(Instant(100s));
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout)) << "half open";
    EXPECT_TRUE(stream.write_all("x").ok());
    stream.set_read_deadline(kNever);
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kClosed));
    EXPECT_LE(runtime.clock().now(), Instant(100s + 1ms));
  });
}

TEST(SimNetwork, ResetLostInAPartitionIsSaidAgainToWhoTalks) {
  Pair pair(1);
  pair.boot_server(kEcho);
  pair.world.at(Instant(5s), [&] {
    pair.world.network().partition({"10.0.0.1"}, {"10.0.0.2"});
    pair.one.kill();
  });
  pair.world.at(Instant(10s), [&] { pair.world.network().heal(); });
  pair.use([&](Runtime&, Stream& stream) {
    char c = 0;
    stream.set_read_deadline(Instant(20s));
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kTimeout));
    EXPECT_TRUE(stream.write_all("x").ok());
    stream.set_read_deadline(kNever);
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kClosed));
  });
}

TEST(SimNetwork, CloseDeliversWhatWasWritten) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Pair pair(seed);
    std::string got;
    Code end = Code::kIo;
    pair.boot_server([&](Runtime&, Stream& stream) { got = read_all(stream, &end); });
    pair.use([](Runtime& runtime, Stream& stream) {
      EXPECT_TRUE(stream.write_all(std::string(100'000, 'x')).ok());
      stream.close();
      EXPECT_TRUE(runtime.sleep_for(1s).ok());
    });
    EXPECT_EQ(got.size(), 100'000u);
    EXPECT_EQ(end, Code::kOk);
  }
}

TEST(SimNetwork, ClosingOnUnreadBytesResets) {
  Pair pair(1);
  pair.boot_server([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(runtime.sleep_for(10ms).ok());
    stream.close();
  });
  pair.use([](Runtime&, Stream& stream) {
    EXPECT_TRUE(stream.write_all("unread").ok());
    char c = 0;
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kClosed));
  });
}

TEST(SimNetwork, CutAndRandomResets) {
  Pair pair(1);
  pair.boot_server(kEcho);
  SimNetwork& network = pair.world.network();
  pair.use([&](Runtime&, Stream& stream) {
    EXPECT_EQ(network.cut({"10.0.0.2"}, {"10.0.0.2"}), 0u);
    EXPECT_EQ(network.cut({"10.0.0.2"}, {"10.0.0.1"}), 1u);
    char c = 0;
    EXPECT_TRUE(stream.read_some({&c, 1}).is(Code::kClosed)) << "at once";
  });
  EXPECT_EQ(pair.world.counters().get("connection_loss").injected, 2u);
  EXPECT_EQ(pair.world.counters().get("connection_loss").effective, 1u);
  LinkModel bad = plain().network.link;
  bad.reset_per_million = 100'000;
  network.set_all_links(bad);
  pair.use([&](Runtime&, Stream& stream) {
    Status status;
    for (int i = 0; i < 1000 && status.ok(); ++i)
      status = stream.write_all("x");
    while (status.ok()) {
      char c = 0;
      status = stream.read_some({&c, 1}).status();
    }
    EXPECT_TRUE(status.is(Code::kClosed));
  });
  EXPECT_EQ(pair.world.counters().get("connection_loss").effective, 2u);
}

TEST(SimNetwork, CorruptPacketsDifferInOneBit) {
  World::Options options = plain();
  options.network.link.corrupt_per_million = 1'000'000;
  Pair pair(1, options);
  std::string got;
  pair.boot_server([&](Runtime&, Stream& stream) { got = read_all(stream); });
  const std::string sent = pattern(100);
  pair.use([&](Runtime& runtime, Stream& stream) {
    EXPECT_TRUE(stream.write_all(sent).ok());
    stream.shutdown_write();
    EXPECT_TRUE(runtime.sleep_for(1s).ok());
  });
  ASSERT_EQ(got.size(), sent.size());
  int bits = 0;
  for (size_t i = 0; i < sent.size(); ++i)
    bits += std::popcount(static_cast<unsigned char>(sent[i] ^ got[i]));
  EXPECT_EQ(bits, 1);
  EXPECT_EQ(pair.world.counters().get("corrupt_packet").effective, 1u);
}

// Many connections, bad weather, kills and cuts: nothing crashes, nothing leaks, streams that end
// well carried the right bytes.
TEST(SimNetwork, Weather) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    World::Options options;
    options.network.send_buffer = 4000;
    options.network.receive_buffer = 3000;
    options.network.backlog = 3;
    options.network.link.reset_per_million = 500;
    options.network.link.partial_per_1024 = 300;
    World world(seed, options);
    size_t whole = 0;
    const auto main = [&](Runtime& runtime) {
      auto listener = runtime.network().listen({"0.0.0.0", 80}).value();
      runtime.spawn("accept", [&] {
        for (;;) {
          auto accepted = listener->accept();
          if (!accepted.ok()) return;
          std::shared_ptr<Stream> stream = std::move(*accepted);
          runtime.spawn("echo", [&runtime, stream] { kEcho(runtime, *stream); });
        }
      });
      Rng rng = runtime.random().stream("work");
      for (;;) {
        const Endpoint to{"10.0.0." + std::to_string(rng.between(1, 4)), 80};
        auto stream = runtime.network().connect(to, after(runtime.clock(), 3s));
        if (!stream.ok()) continue;
        (void)runtime.sleep_for(rng.duration_between(Duration(0), 40ms));
        const std::string sent = pattern(rng.between(1, 20'000));
        std::shared_ptr<Stream> shared = std::move(*stream);
        shared->set_read_deadline(after(runtime.clock(), 2s));
        shared->set_write_deadline(after(runtime.clock(), 2s));
        runtime.spawn("write", [shared, sent] {
          if (shared->write_all(sent).ok()) shared->shutdown_write();
        });
        Code end = Code::kOk;
        const std::string got = read_all(*shared, &end);
        EXPECT_EQ(got, sent.substr(0, got.size()));
        if (end == Code::kOk && got.size() == sent.size()) ++whole;
        if (rng.below(4) == 0) shared->close();
      }
    };
    for (uint64_t id = 1; id <= 4; ++id)
      world.add_machine(NodeId(id)).boot(main);
    Rng rng = world.stream("weather");
    for (int i = 0; i < 60; ++i) {
      world.run_for(rng.duration_between(1ms, 500ms));
      Machine& machine = world.machine(NodeId(rng.between(1, 4)));
      const std::string other = "10.0.0." + std::to_string(rng.between(1, 4));
      switch (rng.below(6)) {
        case 0:
          machine.kill();
          break;
        case 1:
          machine.power_off();
          break;
        case 2:
          world.network().partition({machine.ip()}, {other});
          break;
        case 3:
          world.network().heal();
          break;
        case 4:
          machine.pause(rng.duration_between(1ms, 2s));
          break;
        case 5:
          world.network().cut({machine.ip()}, {other});
          break;
      }
      if (!machine.running() && rng.below(2) == 0) machine.boot(main);
    }
    EXPECT_GT(whole, 10u) << "seed " << seed;
    for (const auto& [id, machine] : world.machines())
      machine->kill();
    EXPECT_EQ(world.network().connections(), 0u);
  }
}

}  // namespace
}  // namespace drumlin::sim::test
