// host: TCP over loopback, as runtime/network.h promises it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "tests/host/fixture.h"

namespace drumlin::host::test {
namespace {

using Streams = std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;

// Both ends of a new connection.
Streams connect_pair(Runtime& runtime) {
  auto listener = runtime.network().listen({"127.0.0.1", 0});
  DRUMLIN_CHECK_OK(listener.status());
  auto client = runtime.network().connect((*listener)->local(), after(runtime.clock(), 10s));
  DRUMLIN_CHECK_OK(client.status());
  auto server = (*listener)->accept();
  DRUMLIN_CHECK_OK(server.status());
  return {std::move(*client), std::move(*server)};
}

void with_pair(const std::function<void(Runtime&, Stream&, Stream&)>& body) {
  on_host([&](Runtime& runtime) {
    const auto [client, server] = connect_pair(runtime);
    body(runtime, *client, *server);
  });
}

Code read_code(Stream& stream) {
  char block[65536];
  return stream.read_some(block).code();
}

// Until the writes would wait.
Status fill(Runtime& runtime, Stream& stream) {
  stream.set_write_deadline(after(runtime.clock(), 20ms));
  const std::string block(256 * 1024, 'x');
  for (;;)
    DRUMLIN_TRY(stream.write_all(block));
}

TEST(Network, EchoesAndKnowsItsPeer) {
  on_host([](Runtime& runtime) {
    auto listener = runtime.network().listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener.ok()) << listener.status().to_string();
    const Endpoint there = (*listener)->local();
    EXPECT_EQ(there.host, "127.0.0.1");
    EXPECT_NE(there.port, 0);
    Fibers fibers(runtime);
    fibers.spawn([&] {
      auto stream = (*listener)->accept();
      ASSERT_TRUE(stream.ok());
      EXPECT_EQ((*stream)->peer().host, "127.0.0.1");
      char block[5];
      EXPECT_TRUE((*stream)->read_exact(block).ok());
      EXPECT_TRUE((*stream)->write_all(std::string_view(block, 5)).ok());
    });
    auto stream = runtime.network().connect(there, after(runtime.clock(), 10s));
    ASSERT_TRUE(stream.ok()) << stream.status().to_string();
    EXPECT_EQ((*stream)->peer(), there);
    const std::string_view pieces[] = {"he", "", "llo"};
    EXPECT_TRUE((*stream)->write_all(pieces).ok());
    char block[5];
    EXPECT_TRUE((*stream)->read_exact(block).ok());
    EXPECT_EQ(std::string_view(block, 5), "hello");
    EXPECT_EQ((*stream)->read_some(block).value(), 0u) << "the other side has ended";
    EXPECT_EQ((*stream)->read_some(block).value(), 0u) << "and stays so";
    fibers.wait();
  });
}

TEST(Network, ReadDeadline) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    const Instant limit = after(runtime.clock(), 5ms);
    client.set_read_deadline(limit);
    EXPECT_EQ(read_code(client), Code::kTimeout);
    EXPECT_GE(runtime.clock().now(), limit);
    EXPECT_EQ(read_code(client), Code::kTimeout) << "past the deadline";
    client.set_read_deadline(kNever);
    EXPECT_TRUE(server.write_all("x").ok());
    EXPECT_EQ(read_code(client), Code::kOk) << "a deadline harms nothing";
  });
}

TEST(Network, ADeadlineReachesTheCallUnderWay) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    Fibers fibers(runtime);
    fibers.spawn([&] { EXPECT_EQ(read_code(client), Code::kTimeout); });
    runtime.scheduler().yield();  // it waits, without a deadline
    client.set_read_deadline(after(runtime.clock(), 2ms));
    fibers.wait();

    // And one that is put off.
    const Instant soon = after(runtime.clock(), 2ms);
    client.set_read_deadline(soon);
    fibers.spawn([&] { EXPECT_EQ(read_code(client), Code::kOk); });
    runtime.scheduler().yield();
    client.set_read_deadline(kNever);
    EXPECT_TRUE(runtime.sleep_until(soon + 1ms).ok());
    EXPECT_TRUE(server.write_all("x").ok());
    fibers.wait();
  });
}

TEST(Network, WritesWaitForTheReader) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    EXPECT_EQ(fill(runtime, client).code(), Code::kTimeout);
    client.set_write_deadline(kNever);
    Fibers fibers(runtime);
    bool written = false;
    fibers.spawn([&] {
      EXPECT_TRUE(client.write_all(std::string(1 << 20, 'y')).ok());
      written = true;
      client.shutdown_write();
    });
    runtime.scheduler().yield();
    EXPECT_FALSE(written);
    std::vector<char> block(1 << 20);
    for (;;) {
      const auto n = server.read_some(block);
      ASSERT_TRUE(n.ok());
      if (*n == 0) break;
    }
    fibers.wait();
    EXPECT_TRUE(written);
  });
}

TEST(Network, CloseCancelsCallsUnderWay) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    EXPECT_EQ(fill(runtime, client).code(), Code::kTimeout);
    client.set_write_deadline(kNever);
    Fibers fibers(runtime);
    fibers.spawn([&] { EXPECT_EQ(read_code(client), Code::kCancelled); });
    fibers.spawn([&] { EXPECT_EQ(client.write_all("x").code(), Code::kCancelled); });
    runtime.scheduler().yield();
    client.close();
    client.close();
    fibers.wait();
    EXPECT_EQ(read_code(client), Code::kCancelled) << "later calls too";
    EXPECT_EQ(client.write_all("x").code(), Code::kCancelled);
    client.shutdown_write();
    client.set_read_deadline(kNever);
    char block[65536];
    auto n = server.read_some(block);
    while (n.ok() && *n > 0)
      n = server.read_some(block);
    EXPECT_EQ(n.value(), 0u) << "what was sent arrives, then the end";
  });
}

TEST(Network, AStreamMayGoWhileACallEnds) {
  on_host([](Runtime& runtime) {
    auto [client, server] = connect_pair(runtime);
    Fibers fibers(runtime);
    fibers.spawn([&, reading = client.get()] { EXPECT_EQ(read_code(*reading), Code::kCancelled); });
    runtime.scheduler().yield();
    client.reset();
    fibers.wait();
  });
}

TEST(Network, HalfClose) {
  with_pair([](Runtime&, Stream& client, Stream& server) {
    EXPECT_TRUE(client.write_all("question").ok());
    client.shutdown_write();
    EXPECT_EQ(client.write_all("more").code(), Code::kClosed);
    char block[100];
    size_t got = 0;
    for (;;) {
      const auto n = server.read_some(std::span(block).subspan(got));
      ASSERT_TRUE(n.ok());
      if (*n == 0) break;
      got += *n;
    }
    EXPECT_EQ(std::string_view(block, got), "question");
    EXPECT_TRUE(server.write_all("answer").ok()) << "the other direction goes on";
    EXPECT_TRUE(client.read_exact({block, 6}).ok());
    EXPECT_EQ(std::string_view(block, 6), "answer");
  });
}

TEST(Network, AResetIsNotAnEnd) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    Fibers fibers(runtime);
    fibers.spawn([&] { EXPECT_EQ(read_code(client), Code::kClosed); });
    EXPECT_TRUE(client.write_all("unread").ok());
    runtime.scheduler().yield();
    server.close();  // with bytes unread: TCP resets
    fibers.wait();
    EXPECT_EQ(client.write_all("x").code(), Code::kClosed);
  });
}

// Sends `bytes` seeded bytes and a shutdown.
void send_seeded(Stream& stream, uint64_t seed, size_t bytes) {
  Rng rng(seed);
  while (bytes > 0) {
    std::string block(std::min<size_t>(bytes, 1 + rng.below(200'000)), '\0');
    for (char& c : block)
      c = static_cast<char>(rng.next());
    ASSERT_TRUE(stream.write_all(block).ok());
    bytes -= block.size();
  }
  stream.shutdown_write();
}

void expect_seeded(Stream& stream, uint64_t seed, size_t bytes) {
  Rng rng(seed);
  std::string block;
  size_t left = bytes;
  while (left > 0) {
    block.resize(std::min<size_t>(left, 1 + rng.below(200'000)));
    ASSERT_TRUE(stream.read_exact(block).ok());
    size_t wrong = 0;
    for (const char c : block)
      wrong += c != static_cast<char>(rng.next());
    ASSERT_EQ(wrong, 0u);
    left -= block.size();
  }
  char byte;
  EXPECT_EQ(stream.read_some({&byte, 1}).value(), 0u);
}

TEST(Network, LargeTransfersBothWaysAtOnce) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    constexpr size_t kBytes = 8u << 20;
    Fibers fibers(runtime);
    fibers.spawn([&] { send_seeded(client, 1, kBytes); });
    fibers.spawn([&] { send_seeded(server, 2, kBytes); });
    fibers.spawn([&] { expect_seeded(client, 2, kBytes); });
    fibers.spawn([&] { expect_seeded(server, 1, kBytes); });
    fibers.wait();
  });
}

TEST(Network, ManyConnections) {
  on_host([](Runtime& runtime) {
    constexpr size_t kConnections = 200;
    auto listener = runtime.network().listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener.ok());
    Fibers fibers(runtime);
    fibers.spawn([&] {
      for (size_t i = 0; i < kConnections; ++i) {
        auto accepted = (*listener)->accept();
        ASSERT_TRUE(accepted.ok());
        fibers.spawn([stream = std::shared_ptr<Stream>(std::move(*accepted))] {
          char block[100];
          for (auto n = stream->read_some(block); n.ok() && *n > 0; n = stream->read_some(block)) {
            EXPECT_TRUE(stream->write_all(std::string_view(block, *n)).ok());
          }
        });
      }
    });
    size_t right = 0;
    for (size_t id = 0; id < kConnections; ++id) {
      fibers.spawn([&, id] {
        auto stream = runtime.network().connect((*listener)->local(), after(runtime.clock(), 30s));
        ASSERT_TRUE(stream.ok()) << stream.status().to_string();
        for (size_t i = 0; i < 10; ++i) {
          const std::string sent = std::to_string(id * 1000 + i);
          std::string got(sent.size(), ' ');
          ASSERT_TRUE((*stream)->write_all(sent).ok());
          ASSERT_TRUE((*stream)->read_exact(got).ok());
          right += got == sent;
        }
      });
    }
    fibers.wait();
    EXPECT_EQ(right, kConnections * 10);
  });
}

// -- Listeners.

TEST(Network, OneListenerAPort) {
  on_host([](Runtime& runtime) {
    auto listener = runtime.network().listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener.ok());
    const Endpoint there = (*listener)->local();
    const auto second = runtime.network().listen(there);
    EXPECT_EQ(second.status().to_string(),
              "already_exists: listen on " + there.to_string() + ": address already in use");
    listener->reset();
    EXPECT_TRUE(runtime.network().listen(there).ok()) << "given back at once";
  });
}

TEST(Network, BadAddresses) {
  on_host([](Runtime& runtime) {
    Network& network = runtime.network();
    EXPECT_EQ(network.listen({"localhost", 0}).code(), Code::kInvalidArgument);
    EXPECT_EQ(network.listen({"", 0}).code(), Code::kInvalidArgument);
    EXPECT_EQ(network.listen({"192.0.2.1", 0}).code(), Code::kInvalidArgument) << "of nobody";
    EXPECT_EQ(network.connect({"localhost", 80}, kNever).code(), Code::kInvalidArgument);
  });
}

TEST(Network, CloseCancelsAccept) {
  on_host([](Runtime& runtime) {
    auto listener = runtime.network().listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener.ok());
    Fibers fibers(runtime);
    fibers.spawn([&] { EXPECT_EQ((*listener)->accept().code(), Code::kCancelled); });
    runtime.scheduler().yield();
    (*listener)->close();
    (*listener)->close();
    fibers.wait();
    EXPECT_EQ((*listener)->accept().code(), Code::kCancelled);
    EXPECT_EQ(runtime.network().connect((*listener)->local(), kNever).code(), Code::kUnavailable);
  });
}

TEST(Network, OutOfDescriptors) {
  on_host([](Runtime& runtime) {
    auto listener = runtime.network().listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener.ok());
    auto client = runtime.network().connect((*listener)->local(), kNever);
    ASSERT_TRUE(client.ok());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_EQ((*listener)->accept().code(), Code::kExhausted);
    EXPECT_EQ(runtime.network().connect((*listener)->local(), kNever).code(), Code::kExhausted);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE((*listener)->accept().ok()) << "the connection has waited";
  });
}

// -- Connecting.

TEST(Network, Refused) {
  on_host([](Runtime& runtime) {
    auto listener = runtime.network().listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener.ok());
    const Endpoint there = (*listener)->local();
    listener->reset();
    const auto stream = runtime.network().connect(there, after(runtime.clock(), 10s));
    EXPECT_EQ(stream.status().to_string(),
              "unavailable: connect to " + there.to_string() + ": Connection refused");
    EXPECT_EQ(runtime.network().connect(there, runtime.clock().now()).code(), Code::kTimeout);
  });
}

// Listens but has no room for connections: the kernel lets those who try wait.
class FullListener {
 public:
  FullListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd_, raw, length), 0);
    EXPECT_EQ(::listen(fd_, 0), 0);
    EXPECT_EQ(::getsockname(fd_, raw, &length), 0);
    port_ = ntohs(address.sin_port);
  }
  ~FullListener() { ::close(fd_); }
  Endpoint endpoint() const { return {"127.0.0.1", port_}; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

// A socket that is always ready gives its fiber no reason to wait.
TEST(Network, FiberWithMuchToReadOrWriteLetsOthersRun) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    const auto turns_during = [&](const std::function<void()>& work) {
      bool ended = false;
      size_t turns = 0;
      Fibers others(runtime);
      others.spawn([&] {
        while (!ended) {
          runtime.scheduler().yield();
          ++turns;
        }
      });
      runtime.scheduler().yield();
      const size_t before = turns;
      work();
      const size_t during = turns - before;
      ended = true;
      others.wait();
      return during;
    };
    EXPECT_GE(turns_during([&] {
                for (int i = 0; i < 400; ++i)
                  ASSERT_TRUE(client.write_all("x").ok());
              }),
              20u);
    EXPECT_GE(turns_during([&] {
                char byte[1];
                for (int i = 0; i < 400; ++i)
                  ASSERT_TRUE(server.read_exact(byte).ok());
              }),
              20u);
  });
}

TEST(Network, FiberThatAlwaysHasToReadLetsTimersFire) {
  with_pair([](Runtime& runtime, Stream& client, Stream& server) {
    Fibers fibers(runtime);
    bool ended = false;
    fibers.spawn([&] {
      (void)runtime.sleep_for(20ms);
      ended = true;
    });
    char byte[1];
    while (!ended) {
      ASSERT_TRUE(client.write_all("x").ok());
      ASSERT_TRUE(server.read_exact(byte).ok());
    }
    fibers.wait();
  });
}

TEST(Network, ConnectDeadline) {
  on_host([](Runtime& runtime) {
    const FullListener full;
    std::vector<std::unique_ptr<Stream>> took_the_room;
    for (int i = 0; i < 10; ++i) {
      const Instant limit = after(runtime.clock(), 20ms);
      auto stream = runtime.network().connect(full.endpoint(), limit);
      if (!stream.ok()) {
        EXPECT_EQ(stream.code(), Code::kTimeout) << stream.status().to_string();
        EXPECT_GE(runtime.clock().now(), limit);
        return;
      }
      took_the_room.push_back(std::move(*stream));
    }
    FAIL() << "ten connections where none were accepted";
  });
}

}  // namespace
}  // namespace drumlin::host::test
