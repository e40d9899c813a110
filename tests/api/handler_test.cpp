// The API listener over HTTP on byte pipes: who may see what, and the form of the answers.
#include "api/handler.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "auth/basic.h"
#include "http/client.h"
#include "tests/support/world.h"

namespace drumlin::api {
namespace {

const Endpoint kHere{"10.0.0.1", 9001};
const std::string kGood = auth::make_basic({"access", "secret key"});

struct ApiTest : ::testing::Test {
  ApiTest()
      : handler(world.observer(),
                {[this](std::string& why) {
                   why = why_not_ready;
                   return why.empty();
                 },
                 [] { return std::string("{\"node\":1}\n"); }, "access", "secret key"}),
        server(
            world, world.observer(), *world.listen(kHere), http::Limits{},
            [this](http::Exchange& exchange) { handler.handle(exchange); }, Handler::error) {
    server.start();
  }
  ~ApiTest() override { world.scheduler().kill(world.domain()); }

  http::Client::Response call(std::string method, std::string target,
                              std::string authorization = {}) {
    http::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    head.headers.set("Host", "drumlin.test");
    if (!authorization.empty()) head.headers.set("Authorization", authorization);
    http::Client::Response out;
    world.run([&] {
      http::Client client(world, kHere);
      auto response = client.request(head, "", after(world.clock(), 60s), 1 << 20);
      ASSERT_TRUE(response.ok()) << response.status().to_string();
      out = std::move(*response);
    });
    return out;
  }
  static std::string error_of(const http::Client::Response& response) {
    return std::string(boost::json::parse(response.body).at("error").as_string());
  }

  drumlin::test::World world;
  std::string why_not_ready;
  Handler handler;
  http::Server server;
};

TEST_F(ApiTest, HealthNeedsNoCredentials) {
  const auto live = call("GET", "/health/live");
  EXPECT_EQ(live.head.status, 200);
  EXPECT_EQ(live.body, "{\"live\":true}\n");
  EXPECT_EQ(live.head.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(live.head.headers.get("Cache-Control"), "no-store");
  EXPECT_EQ(call("GET", "/health/ready").head.status, 200);
  why_not_ready = "some shards have no leader yet";
  const auto waiting = call("GET", "/health/ready?verbose");
  EXPECT_EQ(waiting.head.status, 503);
  EXPECT_EQ(error_of(waiting), "NotReady");
  EXPECT_NE(waiting.body.find(why_not_ready), std::string::npos);
  EXPECT_EQ(call("GET", "/health/live").head.status, 200);
}

TEST_F(ApiTest, EverythingElseNeedsThem) {
  for (const char* path : {"/metrics", "/v1/status", "/", "/unknown", "/health", "/health/live/"}) {
    for (const std::string& credentials :
         {std::string(), std::string("Basic"), std::string("Bearer x"),
          auth::make_basic({"access", "wrong"}), auth::make_basic({"wrong", "secret key"}),
          auth::make_basic({"", ""})}) {
      const auto refused = call("GET", path, credentials);
      EXPECT_EQ(refused.head.status, 401) << path << " " << credentials;
      EXPECT_EQ(refused.head.headers.get("WWW-Authenticate"), "Basic realm=\"drumlin\"");
      EXPECT_EQ(error_of(refused), "Unauthorized");
    }
  }
}

TEST_F(ApiTest, StatusAndMetrics) {
  const auto status = call("GET", "/v1/status", kGood);
  EXPECT_EQ(status.head.status, 200);
  EXPECT_EQ(status.body, "{\"node\":1}\n");
  world.observer().metrics.counter("test_things_total", "Things").Increment();
  const auto metrics = call("GET", "/metrics", kGood);
  EXPECT_EQ(metrics.head.status, 200);
  EXPECT_EQ(metrics.head.headers.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics.body.find("test_things_total 1"), std::string::npos) << metrics.body;
}

TEST_F(ApiTest, UnknownPathsAndMethods) {
  const auto missing = call("GET", "/v2/status", kGood);
  EXPECT_EQ(missing.head.status, 404);
  EXPECT_EQ(error_of(missing), "NotFound");
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    const auto refused = call(method, "/health/live");
    EXPECT_EQ(refused.head.status, 405);
    EXPECT_EQ(refused.head.headers.get("Allow"), "GET, HEAD");
  }
  const auto head = call("HEAD", "/v1/status", kGood);
  EXPECT_EQ(head.head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(ApiTest, WhatIsNoHttpIsAnsweredInJson) {
  std::string answer;
  world.run([&] {
    auto stream = world.connect(kHere, kNever).value();
    ASSERT_TRUE(stream->write_all("nonsense\r\n\r\n").ok());
    answer = drumlin::test::read_all(*stream, world.clock());
  });
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 400");
  EXPECT_NE(answer.find("{\"error\":\"BadRequest\""), std::string::npos) << answer;
}

}  // namespace
}  // namespace drumlin::api
