// TLS over byte pipes: data of all sizes in pieces of all sizes, ends, deadlines.
#include "tls/stream.h"

#include <vector>

#include "tests/tls/fixture.h"

namespace drumlin::tls::test {
namespace {

class StreamTest : public ::testing::Test {
 public:
  StreamTest() : for_server(server_context(world)), for_client(client_context(world)) {}
  ~StreamTest() override { world.scheduler().kill(world.domain()); }

  std::unique_ptr<Pair> pair(StreamOptions options = {}) {
    return std::make_unique<Pair>(world, for_server, for_client, std::move(options));
  }

  World world;
  ContextPtr for_server;
  ContextPtr for_client;
};

TEST_F(StreamTest, BothSaySomething) {
  std::vector<std::string> handshakes;
  StreamOptions options;
  options.on_handshake = [&](const Endpoint& peer, const Handshake& h) {
    handshakes.push_back(peer.to_string() + " " + h.status.to_string() + " " +
                         std::string(h.version) + " " + std::string(h.cipher));
  };
  const auto p = pair(options);
  world.spawn("server", [&] {
    EXPECT_EQ(hear(*p->server).text, "hello");
    EXPECT_TRUE(p->server->write_all("world").ok());
    p->server->shutdown_write();
  });
  world.run([&] {
    EXPECT_TRUE(p->client->write_all("hello").ok());
    p->client->shutdown_write();
    const Heard heard = hear(*p->client);
    EXPECT_EQ(heard.text, "world");
    EXPECT_TRUE(heard.status.ok());
  });
  EXPECT_EQ(handshakes, std::vector<std::string>{"10.0.0.9:999 ok TLSv1.3 TLS_AES_128_GCM_SHA256"});
}

// Every size that a record's bounds are near, in many pieces, through a pipe that gives and takes
// little at a time; both directions at once.
TEST_F(StreamTest, ManySizesInManyPieces) {
  Rng rng(5);
  const size_t sizes[] = {1,     2,     100,   4095,  4096,   4097,   16383,
                          16384, 16385, 32768, 65535, 100000, 1 << 20};
  for (const size_t max_read : {SIZE_MAX, size_t{1000}, size_t{37}}) {
    for (const size_t size : sizes) {
      if (max_read == 37 && size > 100000) continue;
      const auto p = pair();
      p->there->max_read = p->back->max_read = max_read;
      p->there->capacity = p->back->capacity = 1 + rng.below(30000);
      const std::string up = noise(size, 1);
      const std::string down = noise(size, 2);
      const auto speak = [&](Stream& stream, const std::string& text) {
        Rng cut(size);
        std::string_view left = text;
        while (!left.empty()) {
          std::vector<std::string_view> pieces;
          for (size_t i = cut.below(5); i < 5 && !left.empty(); ++i) {
            const size_t n = std::min<size_t>(left.size(), 1 + cut.below(1 + size / 2));
            pieces.push_back(left.substr(0, n));
            left.remove_prefix(n);
          }
          if (pieces.empty()) continue;
          ASSERT_TRUE(stream.write_all(pieces).ok());
        }
        stream.shutdown_write();
      };
      size_t ended = 0;
      world.spawn("up", [&] { speak(*p->client, up), ++ended; });
      world.spawn("down", [&] { speak(*p->server, down), ++ended; });
      world.spawn("server", [&] {
        EXPECT_TRUE(hear(*p->server, 1 + rng.below(70000)).text == up) << size;
        ++ended;
      });
      world.run([&] { EXPECT_TRUE(hear(*p->client, 1 + rng.below(70000)).text == down) << size; });
      EXPECT_EQ(ended, 3u) << size << " " << max_read;
    }
  }
}

TEST_F(StreamTest, AHalfClosedConnectionGoesOnTheOtherWay) {
  const auto p = pair();
  world.spawn("server", [&] {
    const Heard heard = hear(*p->server);
    EXPECT_EQ(heard.text, "that is all");
    EXPECT_TRUE(heard.status.ok());
    (void)world.sleep_for(5s);
    const std::string much = noise(300000);
    EXPECT_TRUE(p->server->write_all(much).ok());
    p->server->shutdown_write();
    EXPECT_EQ(p->server->write_all("more").code(), Code::kClosed);
  });
  world.run([&] {
    EXPECT_TRUE(p->client->write_all("that is all").ok());
    p->client->shutdown_write();
    p->client->shutdown_write();
    EXPECT_EQ(p->client->write_all("more").code(), Code::kClosed);
    EXPECT_TRUE(hear(*p->client).text == noise(300000));
    char c;
    EXPECT_EQ(*p->client->read_some({&c, 1}), 0u) << "and again";
  });
}

TEST_F(StreamTest, AnEndWithoutACloseNotifyIsAnError) {
  for (const bool early : {true, false}) {
    const auto p = pair();
    world.spawn("server", [&] {
      EXPECT_TRUE(p->server->write_all("begun").ok());
      if (early) {
        (void)world.sleep_for(1s);
        p->back->ended = true;  // as anybody on the wire could do
        p->back->readers.notify_all();
      } else {
        p->server->close();
      }
    });
    world.run([&] {
      const Heard heard = hear(*p->client);
      EXPECT_EQ(heard.text, "begun");
      EXPECT_EQ(heard.status.to_string(), "closed: the connection ended without a close_notify");
      char c;
      EXPECT_EQ(p->client->read_some({&c, 1}).code(), Code::kClosed) << "and again";
    });
  }
}

TEST_F(StreamTest, ARecordThatWasCutOrChanged) {
  for (const bool cut : {true, false}) {
    const auto p = pair();
    world.run([&] {
      world.spawn("server", [&] {
        char c;
        (void)p->server->read_some({&c, 1});
      });
      ASSERT_TRUE(p->client->write_all("1").ok());
      (void)world.sleep_for(1s);
      ASSERT_TRUE(p->client->write_all(std::string(1000, 'x')).ok());
      std::string& record = p->there->packets.front();
      if (cut) {
        p->there->bytes -= record.size() / 2;
        record.resize(record.size() / 2);
      } else {
        record[500] = static_cast<char>(record[500] ^ 1);
      }
      p->client->shutdown_write();
      const Heard heard = hear(*p->server);
      EXPECT_EQ(heard.text, "");
      EXPECT_EQ(heard.status.code(), Code::kClosed);
      if (cut) return;
      EXPECT_NE(heard.status.message().find("bad record mac"), std::string::npos)
          << heard.status.message();
      EXPECT_EQ(p->server->write_all("x").code(), Code::kClosed);
      // The alert says it to the other side.
      const Heard alert = hear(*p->client);
      EXPECT_NE(alert.status.message().find("alert bad record mac"), std::string::npos)
          << alert.status.message();
    });
  }
}

TEST_F(StreamTest, DeadlinesOfReadsAndWrites) {
  const auto p = pair();
  p->there->capacity = 1000;
  world.spawn("server", [&] {
    char c;
    EXPECT_EQ(*p->server->read_some({&c, 1}), 1u);
    // and reads no more
  });
  world.run([&] {
    ASSERT_TRUE(p->client->write_all("1").ok());
    char c;
    p->client->set_read_deadline(after(world.clock(), 3s));
    const double before = world.clock().seconds();
    EXPECT_EQ(p->client->read_some({&c, 1}).code(), Code::kTimeout);
    EXPECT_NEAR(world.clock().seconds() - before, 3, 0.01);
    EXPECT_EQ(p->client->read_some({&c, 1}).code(), Code::kTimeout) << "and again, at once";
    // A deadline that is set while the read waits.
    p->client->set_read_deadline(kNever);
    world.spawn("setter", [&] {
      (void)world.sleep_for(1s);
      p->client->set_read_deadline(after(world.clock(), 1s));
    });
    EXPECT_EQ(p->client->read_some({&c, 1}).code(), Code::kTimeout);
    EXPECT_NEAR(world.clock().seconds() - before, 5, 0.01);

    p->client->set_write_deadline(after(world.clock(), 2s));
    EXPECT_EQ(p->client->write_all(noise(5000)).code(), Code::kTimeout);
    EXPECT_NEAR(world.clock().seconds() - before, 7, 0.01);
    p->client->set_write_deadline(kNever);
    EXPECT_EQ(p->client->write_all("x").code(), Code::kTimeout) << "part of a record has left";
  });
}

TEST_F(StreamTest, AReadThatTimesOutMayGoOn) {
  const auto p = pair();
  world.spawn("server", [&] {
    (void)world.sleep_for(10s);  // the handshake waits for us
    EXPECT_TRUE(p->server->write_all("late").ok());
    p->server->shutdown_write();
  });
  world.run([&] {
    char into[10];
    for (int second = 1; second < 10; ++second) {
      p->client->set_read_deadline(after(world.clock(), 1s));
      EXPECT_EQ(p->client->read_some(into).code(), Code::kTimeout);
    }
    p->client->set_read_deadline(kNever);
    EXPECT_EQ(hear(*p->client).text, "late");
  });
}

TEST_F(StreamTest, ClosingEndsWhatWaits) {
  for (const bool handshake : {true, false}) {
    const auto p = pair();
    p->there->capacity = 1000;
    if (!handshake) {
      world.spawn("server", [&] {
        char c;
        (void)p->server->read_some({&c, 1});
      });
    }
    size_t cancelled = 0;
    world.run([&] {
      if (!handshake) {
        ASSERT_TRUE(p->client->write_all("1").ok());
      }
      world.spawn("reader", [&] {
        char c;
        EXPECT_EQ(p->client->read_some({&c, 1}).code(), Code::kCancelled);
        ++cancelled;
      });
      world.spawn("writer", [&] {
        EXPECT_EQ(p->client->write_all(noise(100000)).code(), Code::kCancelled);
        ++cancelled;
      });
      (void)world.sleep_for(1s);
      EXPECT_EQ(cancelled, 0u);
      p->client.reset();
      (void)world.sleep_for(1s);
      EXPECT_EQ(cancelled, 2u);
    });
  }
}

TEST_F(StreamTest, AKilledDomainLeavesNothing) {
  const auto p = pair();
  world.spawn("server", [&] { (void)hear(*p->server); });
  world.run([&] {
    ASSERT_TRUE(p->client->write_all(noise(100000)).ok());
    p->client->shutdown_write();
    p->server->shutdown_write();
  });
  world.scheduler().kill(world.domain());
}

TEST_F(StreamTest, WhomAClientBelieves) {
  const auto& other = issued("ED25519");
  const Issued elsewhere = issue({.names = "IP:10.0.0.2,DNS:localhost"});
  const Issued expired = issue({.to = 784111777 - 86400});  // the world's clock is in 1994
  struct Case {
    const char* what;
    const Issued& server;
    const Issued& trusted;
    Context::Trust trust;
    const char* refusal;  // "": none
  } const cases[] = {
      {"itself", issued("P-256"), issued("P-256"), Context::Trust::kIssuer, ""},
      {"unknown", other, issued("P-256"), Context::Trust::kIssuer, "certificate verify failed"},
      {"elsewhere", elsewhere, elsewhere, Context::Trust::kIssuer, "certificate verify failed"},
      {"expired", expired, expired, Context::Trust::kIssuer, "certificate verify failed"},
      {"pinned", elsewhere, elsewhere, Context::Trust::kPinned, ""},
      {"another pinned", other, elsewhere, Context::Trust::kPinned, "certificate verify failed"},
  };
  for (const Case& c : cases) {
    std::string heard;
    StreamOptions options;
    options.on_handshake = [&](const Endpoint&, const Handshake& h) {
      heard = h.status.to_string();
    };
    Pair p(world, server_context(world, c.server), client_context(world, c.trusted, c.trust),
           options);
    world.spawn("server", [&] { (void)hear(*p.server); });
    world.run([&] {
      const Status status = p.client->write_all("x");
      p.client->shutdown_write();
      if (*c.refusal == '\0') {
        EXPECT_TRUE(status.ok()) << c.what << status.to_string();
        return;
      }
      EXPECT_EQ(status.to_string(), "refused: TLS handshake: " + std::string(c.refusal)) << c.what;
    });
    if (*c.refusal == '\0') {
      EXPECT_EQ(heard, "ok") << c.what;
    } else {
      // In TLS 1.3 the server is done before the client knows whom it talks to.
      EXPECT_NE(heard.find("alert"), std::string::npos) << c.what << ": " << heard;
    }
  }
}

TEST_F(StreamTest, ANewCertificateIsForNewConnections) {
  ContextPtr current = for_server;
  const auto& next = issued("ED25519");
  TlsListener listener(world, *world.listen({"10.0.0.1", 443}), [&] { return current; }, {});
  world.run([&] {
    const auto dial = [&](const Issued& trusted) {
      auto stream = *world.connect({"10.0.0.1", 443}, kNever);
      auto accepted = *listener.accept();
      auto out = std::make_pair(
          client_stream(world, client_context(world, trusted), "10.0.0.1", std::move(stream), {}),
          std::move(accepted));
      return out;
    };
    const auto ask = [&](const auto& both) {
      world.spawn("server", [&both] {
        char c = 0;
        if (both.second->read_some({&c, 1}).ok()) both.second->write_all({&c, 1}).ignore();
      });
      char c = 0;
      const Status sent = both.first->write_all("?");
      return sent.ok() && both.first->read_some({&c, 1}).ok() && c == '?';
    };
    const auto before = dial(issued("P-256"));
    EXPECT_TRUE(ask(before));
    current = server_context(world, next);
    EXPECT_TRUE(ask(before)) << "it goes on";
    const auto fresh = dial(next);
    EXPECT_TRUE(ask(fresh));
    const auto outdated = dial(issued("P-256"));
    EXPECT_FALSE(ask(outdated));
  });
}

}  // namespace
}  // namespace drumlin::tls::test
