// A whole node whose S3 and API speak TLS, in the simulator: served, given other certificates, and the
// same again from the same seed.
#include "node/node.h"

#include <map>

#include "http/client.h"
#include "tests/node/configs.h"
#include "tests/sim/harness.h"
#include "tests/tls/fixture.h"

namespace drumlin::tls::test {
namespace {

class Client {
 public:
  Client(Runtime& runtime, const Issued& trusted)
      : context_(client_context(runtime, trusted)),
        runtime_(runtime),
        api_(runtime, {"10.0.0.1", 9001}, {},
             [this](const Endpoint& to, Instant deadline) { return connect(to, deadline); }) {}

  // The status, or why there is none.
  std::string get(const std::string& target) {
    http::RequestHead head;
    head.method = "GET";
    head.target = target;
    const auto answer = api_.request(head, {}, after(runtime_.clock(), 20s), 1 << 20);
    return answer.ok() ? std::to_string(answer.value().head.status) : answer.status().message();
  }

 private:
  Result<std::unique_ptr<Stream>> connect(const Endpoint& to, Instant deadline) {
    DRUMLIN_ASSIGN(auto stream, runtime_.network().connect(to, deadline));
    return client_stream(runtime_, context_, to.host, std::move(stream), {});
  }
  ContextPtr context_;
  Runtime& runtime_;
  http::Client api_;
};

struct Run {
  explicit Run(uint64_t seed) : world(seed, sim::test::plain()) {
    config = node::test::single();
    config.listen = "10.0.0.1";
    config.shards = 4;
    config.tls_certificate = "/tls/cert.pem";
    config.tls_key = "/tls/key.pem";
    files["/tls/cert.pem"] = first.certificate;
    files["/tls/key.pem"] = first.key;
  }

  size_t logged(std::string_view what) const {
    size_t n = 0;
    for (const std::string& line : log)
      n += line.find(what) != std::string::npos ? 1 : 0;
    return n;
  }
  void reload(Runtime& runtime, std::string_view expected) {
    const size_t before = logged(expected);
    node->reload();
    while (logged(expected) == before)
      ASSERT_TRUE(runtime.sleep_for(10ms).ok());
  }

  // The node on machine 1, `body` on machine 2.
  void play(const std::function<void(Runtime&)>& body) {
    ASSERT_TRUE(config.validate().ok());
    sim::Machine& server = world.add_machine(NodeId(1));
    sim::Machine& other = world.add_machine(NodeId(2));
    server.boot([&](Runtime& runtime) {
      node::Hooks hooks;
      hooks.log = [&](observe::Level, std::string_view line) { log.emplace_back(line); };
      hooks.trace = &server.trace_sink();
      hooks.read_file = [&](const std::string& path) -> Result<std::string> {
        const auto it = files.find(path);
        if (it == files.end()) return Status(Code::kNotFound, "open " + path);
        return it->second;
      };
      node::Node made(runtime, config, std::move(hooks));
      node = &made;
      EXPECT_TRUE(made.run(stop).ok());
      node = nullptr;
    });
    sim::test::run_on(world, other, [&](Runtime& runtime) {
      body(runtime);
      stop.cancel();
      while (node != nullptr)
        (void)runtime.sleep_for(10ms);
    });
  }

  sim::World world;
  node::Config config;
  std::map<std::string, std::string> files;
  std::vector<std::string> log;
  const Issued& first = issued("ED25519");
  Cancellation stop;
  node::Node* node = nullptr;
};

uint64_t serve(uint64_t seed, const Issued& second) {
  Run run(seed);
  run.play([&](Runtime& runtime) {
    Client kept(runtime, run.first);
    while (kept.get("/health/ready") != "200")
      (void)runtime.sleep_for(50ms);
    EXPECT_EQ(kept.get("/metrics"), "401");

    run.files["/tls/key.pem"] = second.key;  // and not yet the certificate
    run.reload(runtime, "the new certificate is refused");
    EXPECT_EQ(Client(runtime, run.first).get("/health/live"), "200");
    run.files["/tls/cert.pem"] = second.certificate;
    run.reload(runtime, "certificate in use");
    EXPECT_EQ(Client(runtime, second).get("/health/live"), "200");
    EXPECT_EQ(Client(runtime, run.first).get("/health/live"),
              "refused: TLS handshake: certificate verify failed");
    EXPECT_EQ(kept.get("/health/live"), "200") << "a connection keeps what it began with";
    run.files.clear();
    run.reload(runtime, "tls.certificate: open /tls/cert.pem");
    EXPECT_EQ(Client(runtime, second).get("/health/live"), "200");
  });
  EXPECT_EQ(run.logged("PRIVATE"), 0u);
  return run.world.trace().hash();
}

TEST(NodeOverTls, ServesAndTakesNewCertificates) {
  const Issued second = issue({.key = "P-256"});
  const uint64_t once = serve(3, second);
  EXPECT_EQ(serve(3, second), once);
  EXPECT_NE(serve(4, second), once);
}

}  // namespace
}  // namespace drumlin::tls::test
