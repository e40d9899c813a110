// One workload for every runtime: a server that streams bodies back, three clients that send bodies
// of seeded sizes and compare. It touches nothing but its Runtime, so it runs over real sockets, in
// simulation and over byte pipes alike; its trace is a function of the runtime's seed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http/client.h"
#include "http/server.h"

namespace drumlin::http::test {

// Folds every event into a number (FNV-1a).
class HashTrace final : public observe::TraceSink {
 public:
  void trace(std::string_view kind, uint64_t a, uint64_t b, std::string_view text) override {
    fold(kind);
    fold(std::to_string(a) + "," + std::to_string(b) + ",");
    fold(text);
    ++events;
  }
  uint64_t hash = 0xcbf29ce484222325;
  size_t events = 0;

 private:
  void fold(std::string_view bytes) {
    for (char c : bytes)
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
};

inline void stream_back(Exchange& exchange) {
  if (!exchange.begin_chunked({}).ok()) return;
  char block[5000];
  for (;;) {
    const auto n = exchange.read_body(block);
    if (!n.ok() || (*n > 0 && !exchange.write({block, *n}).ok())) return;
    if (*n == 0) break;
  }
  exchange.finish().ignore();  // the client says if it missed something
}

// Runs on the calling fiber of `runtime`; returns when server and clients have ended.
inline void run_echo(Runtime& runtime, observe::Observer observer, const Endpoint& where,
                     size_t requests_per_client) {
  auto listener = runtime.network().listen(where);
  ASSERT_TRUE(listener.ok()) << listener.status().to_string();
  Server server(
      runtime, observer, std::move(*listener), Limits{}, stream_back,
      [](int, std::string_view reason, ResponseHead&, std::string& body) { body = reason; });
  server.start();
  const Endpoint target = server.local();
  WaitGroup clients(runtime.scheduler(), runtime.clock());
  size_t right = 0;
  for (uint64_t id = 0; id < 3; ++id) {
    clients.add();
    runtime.spawn("echo client", [&, id] {
      Rng rng = runtime.random().stream("echo/" + std::to_string(id));
      Client client(runtime, target);
      for (size_t i = 0; i < requests_per_client; ++i) {
        RequestHead head;
        head.method = "PUT";
        head.target = "/" + std::to_string(id) + "/" + std::to_string(i);
        head.expect_continue = rng.below(4) == 0;
        const std::string body(rng.below(i % 4 == 0 ? 200000 : 2000),
                               static_cast<char>('a' + i % 26));
        const auto response = client.request(head, body, after(runtime.clock(), 30s), 1 << 20);
        EXPECT_TRUE(response.ok()) << head.target << " " << body.size() << " "
                                   << head.expect_continue << " " << response.status().to_string();
        if (!response.ok()) continue;
        EXPECT_TRUE(response.value().body == body) << head.target;
        observer.trace("echo", id, body.size(), response.value().head.headers.get("Date"));
        ++right;
      }
      clients.done();
    });
  }
  (void)clients.wait();
  EXPECT_EQ(right, 3 * requests_per_client);
  EXPECT_EQ(server.requests(), 3 * requests_per_client);
  EXPECT_TRUE(server.drain(after(runtime.clock(), 30s)).ok());
}

}  // namespace drumlin::http::test
