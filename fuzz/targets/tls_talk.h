// A client and a server that speak TLS in memory, with an identity and chance that are always the same;
// what one says may be changed on its way to the other.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "fuzz/targets/peer_world.h"
#include "runtime/sync.h"
#include "tests/support/world.h"
#include "tests/tls/certificates.h"
#include "tls/stream.h"

namespace drumlin::fuzz {

// What the client of a seed says.
inline constexpr std::string_view kClientSays = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// Ed25519, so that neither key nor signature takes chance.
inline const tls::test::Issued& test_identity() {
  static const tls::test::Issued identity = tls::test::issue({.key = "ED25519"});
  return identity;
}

// Whose chance a context takes: it outlives all of them.
inline Runtime& chance() {
  static PeerWorld world;
  return world;
}
inline std::shared_ptr<const tls::Context> test_context() {
  static const auto context =
      tls::Context::server(chance(), {test_identity().certificate, "cert.pem"},
                           {test_identity().key, "key.pem"})
          .value();
  return context;
}
inline std::shared_ptr<const tls::Context> client_context() {
  static const auto context =
      tls::Context::client(chance(), {test_identity().certificate, "ca.pem"},
                           tls::Context::Trust::kPinned)
          .value();
  return context;
}

// What becomes of one direction's bytes.
struct Bend {
  uint64_t at = 0;    // of the byte
  char mask = 0;      // 0: nothing is changed
  bool cut = false;   // nothing comes after it
  uint64_t sent = 0;  // so far
  bool done = false;
  std::string copy;  // as sent, before the change
};

class BentStream final : public Stream {
 public:
  BentStream(std::unique_ptr<Stream> below, Bend& bend) : below_(std::move(below)), bend_(bend) {}
  Result<size_t> read_some(std::span<char> into) override { return below_->read_some(into); }
  Result<size_t> write_some(std::span<const std::string_view> pieces) override {
    std::string piece(pieces[0]);
    bend_.copy += piece;
    const size_t size = piece.size();
    const bool here = bend_.mask != 0 && !bend_.done && bend_.at - bend_.sent < size;
    if (here)
      piece[bend_.at - bend_.sent] = static_cast<char>(piece[bend_.at - bend_.sent] ^ bend_.mask);
    if (here && bend_.cut) piece.resize(bend_.at - bend_.sent + 1);
    bend_.sent += size;
    if (!(bend_.done && bend_.cut)) DRUMLIN_TRY(below_->write_all(piece));
    bend_.done = bend_.done || here;
    if (here && bend_.cut) below_->shutdown_write();
    return size;
  }
  void set_read_deadline(Instant deadline) override { below_->set_read_deadline(deadline); }
  void set_write_deadline(Instant deadline) override { below_->set_write_deadline(deadline); }
  void shutdown_write() override { below_->shutdown_write(); }
  void close() override { below_->close(); }
  Endpoint peer() const override { return below_->peer(); }

 private:
  const std::unique_ptr<Stream> below_;
  Bend& bend_;
};

// The server says again what it hears. To be used on a fiber.
class Talk {
 public:
  Talk(test::World& world, Bend& to_server, Bend& to_client) : world_(world) {
    const auto there = std::make_shared<test::Pipe>(world.scheduler(), world.clock());
    const auto back = std::make_shared<test::Pipe>(world.scheduler(), world.clock());
    const auto end = [&](const auto& in, const auto& out, Bend& bend) {
      return std::make_unique<BentStream>(
          std::make_unique<test::PipeStream>(world.clock(), in, out), bend);
    };
    tls::StreamOptions options;
    options.handshake_deadline = after(world.clock(), 10s);
    client_ =
        tls::client_stream(world, client_context(), "x", end(back, there, to_server), options);
    server_ = tls::server_stream(world, test_context(), end(there, back, to_client), options);
    for (Stream* stream : {client_.get(), server_.get()}) {
      stream->set_read_deadline(after(world.clock(), 30s));
      stream->set_write_deadline(after(world.clock(), 30s));
    }
  }

  struct Heard {
    std::string by_server;
    std::string by_client;
    bool whole = false;  // the server heard an end
  };
  Heard run(std::string_view said) {
    Heard out;
    WaitGroup server(world_.scheduler(), world_.clock());
    server.add();
    world_.spawn("server", [&] {
      serve(out);
      server.done();
    });
    if (said.empty() || client_->write_all(said).ok()) {
      char into[1000];
      while (out.by_client.size() < said.size()) {
        const auto n = client_->read_some(into);
        if (!n.ok() || *n == 0) break;
        out.by_client.append(into, *n);
      }
      client_->shutdown_write();
      (void)client_->read_some(into);
    }
    client_->close();
    (void)server.wait();
    server_->close();
    return out;
  }

 private:
  void serve(Heard& out) {
    char into[700];
    for (;;) {
      const auto n = server_->read_some(into);
      out.whole = n.ok() && *n == 0;
      if (!n.ok() || *n == 0) break;
      out.by_server.append(into, *n);
      if (!server_->write_all({into, *n}).ok()) break;
    }
    server_->shutdown_write();
  }
  test::World& world_;
  std::unique_ptr<Stream> client_;
  std::unique_ptr<Stream> server_;
};

}  // namespace drumlin::fuzz
