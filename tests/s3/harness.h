// An S3 service on byte pipes in virtual time, and a client that signs: shared by the tests of
// handlers.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "auth/sigv4.h"
#include "base/digest.h"
#include "http/client.h"
#include "http/server.h"
#include "s3/checksum.h"
#include "s3/handler.h"
#include "tests/http/world.h"
#include "tests/s3/memory_store.h"

namespace drumlin::s3::test {

inline const Endpoint kHere{"10.0.0.1", 9000};
inline const auth::Credentials kKeys{"AKIDEXAMPLE", "very-secret-key"};
inline constexpr uint64_t kMaxBody = 1 << 20;
inline constexpr int kMaxRequests = 48;
inline constexpr size_t kMaxConnections = 100;

// The text between <name> and </name>, the first of them.
inline std::string element(const std::string& xml, const std::string& name) {
  const size_t from = xml.find("<" + name + ">");
  if (from == std::string::npos) return "(none)";
  const size_t start = from + name.size() + 2;
  return xml.substr(start, xml.find("</" + name + ">", start) - start);
}
inline std::vector<std::string> elements(std::string xml, const std::string& name) {
  std::vector<std::string> out;
  for (std::string text; (text = element(xml, name)) != "(none)";) {
    out.push_back(text);
    xml.erase(0, xml.find("</" + name + ">") + name.size() + 3);
  }
  return out;
}

using Answer = http::Client::Response;

class S3Test : public ::testing::Test {
 public:
  S3Test() {
    Settings settings{kKeys.access_key, kKeys.secret_key, "us-east-1", kMaxBody, 4 * kMaxBody, 10s,
                      kMaxRequests};
    handler = std::make_unique<S3Handler>(world, observer(), store, settings);
    http::Limits limits;
    limits.max_connections = kMaxConnections;
    server = std::make_unique<http::Server>(
        world, observer(), *world.listen(kHere), limits,
        [this](http::Exchange& exchange) { handler->handle(exchange); },
        [this](int status, std::string_view reason, http::ResponseHead& head, std::string& body) {
          handler->http_error(status, reason, head, body);
        });
    server->start();
  }
  ~S3Test() override { world.scheduler().kill(world.domain()); }

  observe::Observer observer() { return {log, metrics}; }
  WallTime now() { return world.clock().wall() + skew; }

  // Adds Host and what a signature needs. `payload`: as in auth::sign.
  auth::Signed sign(http::RequestHead& head, std::string_view payload) {
    head.headers.set("Host", "drumlin.test");
    std::vector<auth::HeaderView> views;
    for (const http::Header& header : head.headers)
      views.push_back({header.name, header.value});
    auth::Signed made = auth::sign({head.method, head.target, views}, keys, region, now(), payload);
    head.headers.set("x-amz-date", made.amz_date);
    head.headers.set("x-amz-content-sha256", made.content_sha256);
    head.headers.set("Authorization", made.authorization);
    return made;
  }

  Answer send(const http::RequestHead& head, std::string_view body) {
    Answer answer;
    world.run([&] {
      http::Client client(world, kHere);
      auto response = client.request(head, body, after(world.clock(), 60s), 16 << 20);
      ASSERT_TRUE(response.ok()) << response.status().to_string();
      answer = std::move(*response);
    });
    return answer;
  }

  // A request with its body's hash in the signature.
  Answer call(std::string method, std::string target, std::string_view body = {},
              http::Headers headers = {}) {
    http::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    head.headers = std::move(headers);
    sign(head, hex(sha256(body)));
    return send(head, body);
  }

  // "404 NoSuchKey", or "200".
  static std::string brief(const Answer& answer) {
    std::string out = std::to_string(answer.head.status);
    if (answer.head.status >= 300 && !answer.body.empty())
      out += " " + element(answer.body, "Code");
    return out;
  }

  http::test::World world;
  std::vector<std::string> lines;  // of the log
  observe::Metrics metrics;
  observe::Log log{world.clock(), NodeId(1), observe::Level::kDebug,
                   [this](observe::Level, std::string_view line) { lines.emplace_back(line); }};
  MemoryStore store{world.clock()};
  std::unique_ptr<S3Handler> handler;
  std::unique_ptr<http::Server> server;
  auth::Credentials keys = kKeys;
  std::string region = "us-east-1";
  Duration skew{};
};

}  // namespace drumlin::s3::test
