// What the tests of tls share: contexts, connections over pipes, a Runtime whose network is TLS, and a
// client that is OpenSSL itself, for what ours would never do.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/world.h"
#include "tests/tls/certificates.h"
#include "tls/listener.h"

namespace drumlin::tls::test {

using namespace drumlin::test;  // NOLINT(google-build-using-namespace): all of it, by design

using ContextPtr = std::shared_ptr<const Context>;

// One of a kind for the whole binary: keys take their time.
inline const Issued& issued(const std::string& kind) {
  static std::map<std::string, Issued> made;
  const auto it = made.find(kind);
  if (it != made.end()) return it->second;
  return made.emplace(kind, issue({.key = kind})).first->second;
}

inline ContextPtr server_context(Runtime& runtime, const Issued& from = issued("P-256")) {
  auto out = Context::server(runtime, {from.certificate, "cert.pem"}, {from.key, "key.pem"});
  DRUMLIN_CHECK(out.ok(), out.status().to_string());
  return *out;
}

inline ContextPtr client_context(Runtime& runtime, const Issued& trusted = issued("P-256"),
                                 Context::Trust trust = Context::Trust::kIssuer) {
  auto out = Context::client(runtime, {trusted.certificate, "ca.pem"}, trust);
  DRUMLIN_CHECK(out.ok(), out.status().to_string());
  return *out;
}

// A connection: both ends of two pipes, with TLS on top.
struct Pair {
  Pair(World& world, ContextPtr for_server, ContextPtr for_client,
       StreamOptions server_options = {}, StreamOptions client_options = {})
      : there(std::make_shared<Pipe>(world.scheduler(), world.clock())),
        back(std::make_shared<Pipe>(world.scheduler(), world.clock())),
        client(client_stream(world, std::move(for_client), "10.0.0.1",
                             std::make_unique<PipeStream>(world.clock(), back, there),
                             std::move(client_options))),
        server(server_stream(world, std::move(for_server),
                             std::make_unique<PipeStream>(world.clock(), there, back),
                             std::move(server_options))) {}
  std::shared_ptr<Pipe> there;  // to the server
  std::shared_ptr<Pipe> back;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

inline std::string noise(size_t n, uint64_t seed = 1) {
  Rng rng(seed);
  std::string out(n, '\0');
  for (char& c : out)
    c = static_cast<char>(rng.next());
  return out;
}

// Reads to the end (0) or the error that came instead.
struct Heard {
  std::string text;
  Status status;
};
inline Heard hear(Stream& stream, size_t block = 10000) {
  Heard out;
  std::string into(block, '\0');
  for (;;) {
    auto n = stream.read_some(into);
    if (!n.ok()) out.status = n.status();
    if (!n.ok() || *n == 0) return out;
    out.text.append(into, 0, *n);
  }
}

// Everything of another Runtime, but the network speaks TLS.
class TlsRuntime final : public Runtime, public Network {
 public:
  TlsRuntime(Runtime& below, const Issued& identity)
      : below_(below),
        for_server_(server_context(below, identity)),
        for_client_(client_context(below, identity)) {}
  Scheduler& scheduler() override { return below_.scheduler(); }
  Domain& domain() override { return below_.domain(); }
  Clock& clock() override { return below_.clock(); }
  Network& network() override { return *this; }
  Disk& disk() override { return below_.disk(); }
  const Rng& random() override { return below_.random(); }
  void secure_random(std::span<char> into) override { below_.secure_random(into); }
  void offload(std::function<void()> job) override { below_.offload(std::move(job)); }
  [[noreturn]] void halt(std::string_view reason) override { DRUMLIN_UNREACHABLE(reason); }
  std::string boot_id() override { return below_.boot_id(); }

  Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) override {
    DRUMLIN_ASSIGN(auto listener, below_.network().listen(endpoint));
    ListenerOptions options;
    options.on_handshake = [this](const Endpoint&, const Handshake& handshake) {
      ++(handshake.status.ok() ? handshakes : refused);
    };
    return std::unique_ptr<Listener>(std::make_unique<TlsListener>(
        below_, std::move(listener), [this] { return for_server_; }, options));
  }
  Result<std::unique_ptr<Stream>> connect(const Endpoint& endpoint, Instant deadline) override {
    DRUMLIN_ASSIGN(auto stream, below_.network().connect(endpoint, deadline));
    return client_stream(below_, for_client_, endpoint.host, std::move(stream), {});
  }

  size_t handshakes = 0;
  size_t refused = 0;

 private:
  Runtime& below_;
  const ContextPtr for_server_;
  const ContextPtr for_client_;
};

// OpenSSL on a stream, without any of our code: verifies nothing, allows everything.
class RawClient {
 public:
  RawClient(std::unique_ptr<Stream> stream, const std::function<void(SSL_CTX*)>& setup = {})
      : stream_(std::move(stream)), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    if (setup) setup(context_);
    ssl = SSL_new(context_);
    SSL_set_connect_state(ssl);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in_, out_);
  }
  ~RawClient() {
    SSL_free(ssl);
    SSL_CTX_free(context_);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Calls until it needs no more input. False if it or the connection failed.
  bool drive(const std::function<int(SSL*)>& call) {
    for (;;) {
      ERR_clear_error();
      const int n = call(ssl);
      const int error = SSL_get_error(ssl, n);
      if (!send()) return false;
      if (n > 0) return true;
      if (error != SSL_ERROR_WANT_READ) return false;
      char block[5000];
      const auto got = stream_->read_some(block);
      if (!got.ok() || *got == 0) return false;
      BIO_write(in_, block, static_cast<int>(*got));
    }
  }
  bool shake_hands() { return drive(SSL_do_handshake); }
  bool write(std::string_view bytes) {
    return drive(
        [&](SSL* s) { return SSL_write(s, bytes.data(), static_cast<int>(bytes.size())); });
  }
  bool send() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    const bool ok = size <= 0 || stream_->write_all({data, static_cast<size_t>(size)}).ok();
    (void)BIO_reset(out_);
    return ok;
  }
  Stream& stream() { return *stream_; }

  SSL* ssl;

 private:
  std::unique_ptr<Stream> stream_;
  SSL_CTX* context_;
  BIO* in_;
  BIO* out_;
};

}  // namespace drumlin::tls::test
