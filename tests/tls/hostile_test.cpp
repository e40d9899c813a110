// What strangers send to a port that speaks TLS: each is refused, within its time, and harms nobody.
#include <vector>

#include "tests/tls/fixture.h"

namespace drumlin::tls::test {
namespace {

const Endpoint kHere{"10.0.0.1", 443};

class HostileTest : public ::testing::Test {
 public:
  HostileTest()
      : for_server(server_context(world)),
        listener(
            world, *world.listen(kHere), [this] { return for_server; },
            ListenerOptions{.on_handshake = [this](const Endpoint&, const Handshake& h) {
              verdicts.push_back(h.status.to_string() + std::string(h.version));
            }}) {
    world.spawn("accept", [this] {
      for (;;) {
        auto accepted = listener.accept();
        if (!accepted.ok()) return;
        auto stream = std::make_shared<std::unique_ptr<Stream>>(std::move(*accepted));
        world.spawn("echo", [this, stream] { echo(**stream); });
      }
    });
  }
  ~HostileTest() override { world.scheduler().kill(world.domain()); }

  void echo(Stream& stream) {
    char into[3000];
    for (;;) {
      stream.set_read_deadline(after(world.clock(), 20s));
      const auto n = stream.read_some(into);
      if (!n.ok() || *n == 0 || !stream.write_all({into, *n}).ok()) break;
    }
    stream.shutdown_write();
    char c;
    (void)stream.read_some({&c, 1});
  }

  std::unique_ptr<Stream> dial() { return *world.connect(kHere, kNever); }

  // What the server says of it, after all is over.
  std::string verdict_on(const std::string& bytes) {
    verdicts.clear();
    world.run([&] {
      auto stream = dial();
      stream->write_all(bytes).ignore();
      stream->shutdown_write();
      const std::string answer = read_all(*stream, world.clock());
      EXPECT_LE(answer.size(), 100u) << "an alert at most";
    });
    return verdicts.size() == 1 ? verdicts[0] : std::to_string(verdicts.size()) + " verdicts";
  }

  std::string handshake_with(const std::function<void(SSL_CTX*)>& setup) {
    verdicts.clear();
    world.run([&] {
      RawClient client(dial(), setup);
      if (client.shake_hands()) client.write("x");
    });
    return verdicts.size() == 1 ? verdicts[0] : std::to_string(verdicts.size()) + " verdicts";
  }

  World world;
  std::vector<std::string> verdicts;
  ContextPtr for_server;
  TlsListener listener;
};

TEST_F(HostileTest, PlainHttp) {
  EXPECT_EQ(verdict_on("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "refused: TLS handshake: http request");
}

TEST_F(HostileTest, Garbage) {
  const std::string hello = std::string("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11);
  for (const std::string& bytes :
       {std::string(), std::string(1, '\x16'), noise(4096), std::string(1000, '\0'),
        hello + noise(160), hello, std::string(100000, 'x'),
        std::string("\x16\x03\x01\xff\xff") + noise(70000)}) {
    EXPECT_TRUE(verdict_on(bytes).starts_with("refused: TLS handshake: "))
        << bytes.substr(0, 20) << verdict_on(bytes);
  }
  for (uint64_t seed = 0; seed < 300; ++seed)
    EXPECT_TRUE(verdict_on(hello + noise(1 + seed, seed)).starts_with("refused: ")) << seed;
}

// A real hello and answer with one bit flipped anywhere, or cut anywhere.
TEST_F(HostileTest, HandshakesBentOnTheWay) {
  Rng rng(3);
  size_t established = 0;
  for (int i = 0; i < 100; ++i) {
    verdicts.clear();
    world.run([&] {
      Pair pair(world, for_server, client_context(world), StreamOptions{}, StreamOptions{});
      world.spawn("bend", [&world = world, there = pair.there, rng = &rng] {
        for (int turn = 0; turn < 3; ++turn) {
          world.scheduler().yield();
          if (there->packets.empty()) continue;
          std::string& packet = there->packets.front();
          const size_t at = rng->below(packet.size());
          packet[at] = static_cast<char>(packet[at] ^ (1 << rng->below(8)));
          return;
        }
      });
      pair.server->set_read_deadline(after(world.clock(), 5s));
      pair.client->set_read_deadline(after(world.clock(), 5s));
      pair.client->set_write_deadline(after(world.clock(), 5s));
      WaitGroup done(world.scheduler(), world.clock());
      done.add();
      world.spawn("server", [&] {
        const Heard heard = hear(*pair.server);
        established += heard.text == "secret" ? 1 : 0;
        EXPECT_TRUE(heard.text.empty() || heard.text == "secret");
        pair.server->close();
        done.done();
      });
      if (pair.client->write_all("secret").ok()) pair.client->shutdown_write();
      (void)hear(*pair.client);
      (void)done.wait();
    });
  }
  EXPECT_LE(established, 20u);
}

TEST_F(HostileTest, OldVersionsAreRefused) {
  const auto upto = [](int version) {
    return [version](SSL_CTX* ctx) { SSL_CTX_set_max_proto_version(ctx, version); };
  };
  EXPECT_EQ(handshake_with(upto(TLS1_VERSION)), "refused: TLS handshake: unsupported protocol");
  EXPECT_EQ(handshake_with(upto(TLS1_1_VERSION)), "refused: TLS handshake: unsupported protocol");
  EXPECT_EQ(handshake_with(upto(TLS1_2_VERSION)), "okTLSv1.2");
  EXPECT_EQ(handshake_with(upto(TLS1_3_VERSION)), "okTLSv1.3");
}

TEST_F(HostileTest, WeakCiphersAreRefused) {
  for (const char* cipher : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-SHA",
                             "AES128-GCM-SHA256", "NULL", "DHE-RSA-AES128-GCM-SHA256"}) {
    EXPECT_EQ(handshake_with([&](SSL_CTX* ctx) {
                SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
                SSL_CTX_set_cipher_list(ctx, cipher);
              }),
              "refused: TLS handshake: no shared cipher")
        << cipher;
  }
}

TEST_F(HostileTest, Protocols) {
  const auto offer = [](std::string list) {
    return [list](SSL_CTX* ctx) {
      SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned>(list.size()));
    };
  };
  EXPECT_EQ(handshake_with(offer("\x08http/1.1")), "okTLSv1.3");
  EXPECT_EQ(handshake_with(offer("\x02h2\x08http/1.1")), "okTLSv1.3");
  EXPECT_EQ(handshake_with(offer("\x02h2")), "refused: TLS handshake: no application protocol");
}

TEST_F(HostileTest, NoRenegotiation) {
  world.run([&] {
    RawClient client(dial(),
                     [](SSL_CTX* ctx) { SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION); });
    ASSERT_TRUE(client.shake_hands());
    ASSERT_TRUE(client.write("before"));
    char into[100];
    ASSERT_TRUE(client.drive([&](SSL* ssl) { return SSL_read(ssl, into, sizeof into); }));
    ASSERT_EQ(SSL_renegotiate(client.ssl), 1);
    EXPECT_FALSE(client.shake_hands());
  });
}

// Each asks for an answer. Who does not read them is not read any more, until the read's deadline.
TEST_F(HostileTest, KeyUpdatesWithoutEnd) {
  size_t sent = 0;
  world.run([&] {
    RawClient client(dial());
    ASSERT_TRUE(client.shake_hands());
    for (; sent < 10000; ++sent) {
      if (SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED) != 1) break;
      if (!client.shake_hands()) break;
      if (sent % 10 == 0) world.scheduler().yield();
    }
  });
  EXPECT_LT(sent, 10000u);
}

TEST_F(HostileTest, AFewKeyUpdatesAreFine) {
  world.run([&] {
    RawClient client(dial());
    ASSERT_TRUE(client.shake_hands());
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
      ASSERT_TRUE(client.write("x"));
      char c = 0;
      ASSERT_TRUE(client.drive([&](SSL* ssl) { return SSL_read(ssl, &c, 1); }));
      EXPECT_EQ(c, 'x');
    }
  });
}

TEST_F(HostileTest, NobodyMayTakeForEver) {
  // Silent, or a byte now and then of a hello that does not end.
  for (const bool drips : {false, true}) {
    verdicts.clear();
    double ended = 0;
    const double began = world.clock().seconds();
    world.run([&] {
      auto stream = dial();
      if (drips) {
        world.spawn("drip", [&world = world, &stream] {
          const std::string hello = std::string("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1", 9);
          for (size_t i = 0; i < 100 && stream != nullptr; ++i) {
            const char c = i < hello.size() ? hello[i] : 'x';
            if (!stream->write_all({&c, 1}).ok()) return;
            (void)world.sleep_for(1s);
          }
        });
      }
      (void)read_all(*stream, world.clock());
      ended = world.clock().seconds();
      (void)world.sleep_for(2s);
      stream.reset();
      (void)world.sleep_for(2s);
    });
    EXPECT_NEAR(ended - began, 10, 0.1) << drips;
    EXPECT_EQ(verdicts, std::vector<std::string>{"timeout: TLS handshake: read"}) << drips;
  }
}

TEST_F(HostileTest, ManyConnections) {
  const ContextPtr for_client = client_context(world);
  size_t right = 0;
  world.run([&] {
    std::vector<std::unique_ptr<Stream>> idle;
    for (int i = 0; i < 50; ++i)
      idle.push_back(dial());  // never say a word
    WaitGroup clients(world.scheduler(), world.clock());
    for (uint64_t id = 0; id < 100; ++id) {
      clients.add();
      world.spawn("client", [&, id] {
        const auto stream = client_stream(world, for_client, "10.0.0.1", dial(), {});
        const std::string text = noise(1 + id * 300, id);
        world.spawn("sender", [&stream, &text] {
          stream->write_all(text).ignore();
          stream->shutdown_write();
        });
        right += hear(*stream).text == text ? 1 : 0;
        clients.done();
      });
    }
    (void)clients.wait();
  });
  EXPECT_EQ(right, 100u);
}

}  // namespace
}  // namespace drumlin::tls::test
