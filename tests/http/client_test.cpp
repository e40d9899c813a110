// http::Client against http::Server, and against servers that misbehave by script.
#include <gtest/gtest.h>

#include "http/client.h"
#include "http/server.h"
#include "tests/http/world.h"

namespace drumlin::http::test {
namespace {

const Endpoint kHere{"10.0.0.1", 80};

class ClientTest : public ::testing::Test {
 public:
  ~ClientTest() override { world.scheduler().kill(world.domain()); }

  void serve(Server::Handler handler, Limits limits = {}) {
    auto listener = world.listen(kHere);
    server = std::make_unique<Server>(
        world, world.observer(), std::move(*listener), limits, std::move(handler),
        [](int, std::string_view reason, ResponseHead&, std::string& body) { body = reason; });
    server->start();
  }

  // Each connection plays the next script: for every step it waits for something to arrive, notes
  // it and answers with the step's text. Then it closes.
  void play(std::vector<std::vector<std::string>> scripts) {
    world.spawn("script", [this, scripts = std::move(scripts)] {
      auto listener = *world.listen(kHere);
      for (const auto& script : scripts) {
        auto stream = *listener->accept();
        for (const std::string& step : script) {
          char block[65536];
          const auto n = stream->read_some(block);
          if (!n.ok() || *n == 0) break;
          received.emplace_back(block, *n);
          if (!step.empty() && !stream->write_all(step).ok()) break;
        }
      }
      (void)listener->accept();
    });
    world.scheduler().run_ready();
  }

  Result<Client::Response> ask(const std::string& method, std::string_view body = {},
                               size_t most = 1 << 20) {
    RequestHead head;
    head.method = method;
    head.target = "/t";
    return client.request(head, body, after(world.clock(), 10s), most);
  }

  World world;
  std::unique_ptr<Server> server;
  std::vector<std::string> received;
  Client client{world, kHere};
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

void echo(Exchange& exchange) {
  std::string body;
  char block[4096];
  for (;;) {
    const auto n = exchange.read_body(block);
    if (!n.ok()) return;
    if (*n == 0) break;
    body.append(block, *n);
  }
  ResponseHead head;
  head.headers.append("X-Method", exchange.head().method);
  exchange.respond(std::move(head), body).ignore();
}

TEST_F(ClientTest, ReusesItsConnection) {
  serve(echo);
  world.run([&] {
    for (const char* method : {"GET", "PUT", "POST", "HEAD", "DELETE"}) {
      const bool bodyless = std::string_view(method) == "HEAD";
      auto response = ask(method, bodyless ? "" : "some body");
      ASSERT_TRUE(response.ok()) << response.status().to_string();
      EXPECT_EQ(response->head.status, 200);
      EXPECT_EQ(response->head.headers.get("x-method"), method);
      EXPECT_EQ(response->body, bodyless ? "" : "some body");
    }
    EXPECT_TRUE(client.connected());
  });
  EXPECT_EQ(world.connects, 1u);
}

TEST_F(ClientTest, WhatItSends) {
  play({{kOk, kOk, kOk}});
  world.run([&] {
    EXPECT_TRUE(ask("GET").ok());
    EXPECT_TRUE(ask("PUT").ok());
    RequestHead head;
    head.headers = {{"Host", "example"}, {"X-A", "b\r\nc"}, {"Content-Length", "99"}};
    EXPECT_TRUE(client.request(head, "xyz", kNever, 10).ok());
  });
  EXPECT_EQ(received[0], "GET /t HTTP/1.1\r\nHost: 10.0.0.1:80\r\n\r\n");
  EXPECT_EQ(received[1], "PUT /t HTTP/1.1\r\nHost: 10.0.0.1:80\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(received[2],
            "GET / HTTP/1.1\r\nHost: example\r\nX-A: b  c\r\nContent-Length: 3\r\n\r\nxyz");
}

TEST_F(ClientTest, RefusesTargetsThatBreakTheLine) {
  world.run([&] {
    for (const char* target : {"", "/a b", "/a\r\nX: y", "/\n"}) {
      RequestHead head;
      head.target = target;
      EXPECT_EQ(client.request(head, "", kNever, 10).code(), Code::kInvalidArgument);
    }
  });
  EXPECT_EQ(world.connects, 0u);
}

TEST_F(ClientTest, LargeBodiesGoWhileTheAnswerComes) {
  world.capacity = 5000;
  serve([](Exchange& exchange) {
    EXPECT_TRUE(exchange.begin_chunked({}).ok());
    char block[1000];
    for (;;) {
      const auto n = exchange.read_body(block);
      ASSERT_TRUE(n.ok());
      if (*n == 0) break;
      ASSERT_TRUE(exchange.write({block, *n}).ok());
    }
    EXPECT_TRUE(exchange.finish().ok());
  });
  std::string body;
  for (int i = 0; body.size() < 300000; ++i)
    body += std::to_string(i);
  world.run([&] {
    for (int i = 0; i < 2; ++i) {
      auto response = ask("POST", body);
      ASSERT_TRUE(response.ok()) << response.status().to_string();
      EXPECT_TRUE(response->body == body);
    }
  });
  EXPECT_EQ(world.connects, 1u);
}

TEST_F(ClientTest, TakesEveryKindOfAnswer) {
  play({{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
         "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nuntil the end"},
        {kOk}});
  world.run([&] {
    EXPECT_EQ(ask("GET")->body, "abcde");
    const auto hinted = ask("GET");
    EXPECT_EQ(hinted.status().code(), Code::kOk);
    EXPECT_EQ(ask("GET")->head.status, 204);
    auto last = ask("GET");
    ASSERT_TRUE(last.ok()) << last.status().to_string();
    EXPECT_EQ(last->body, "until the end");
    EXPECT_FALSE(client.connected());
    EXPECT_EQ(ask("GET")->body, "ok");
  });
  EXPECT_EQ(world.connects, 2u);
}

TEST_F(ClientTest, NothingSentIsUnavailable) {
  world.run([&] {
    EXPECT_EQ(ask("GET").code(), Code::kUnavailable) << "nobody listens";
    EXPECT_EQ(ask("POST", "x").code(), Code::kUnavailable);
  });
}

TEST_F(ClientTest, NoAnswerIsOutcomeUnknown) {
  for (const std::string answer :
       {"", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
    for (const char* method : {"GET", "POST"}) {
      World other;
      Client there(other, kHere);
      other.spawn("script", [&] {
        auto listener = *other.listen(kHere);
        auto stream = *listener->accept();
        char block[1000];
        (void)stream->read_some(block);
        if (!answer.empty()) (void)stream->write_all(answer);
      });
      other.scheduler().run_ready();
      other.run([&] {
        RequestHead head;
        head.method = method;
        EXPECT_EQ(there.request(head, "", kNever, 100).code(), Code::kOutcomeUnknown)
            << method << " " << answer;
        EXPECT_FALSE(there.connected());
      });
      EXPECT_EQ(other.connects, 1u) << "a fresh connection: no second try";
    }
  }
}

TEST_F(ClientTest, DeadlineIsOutcomeUnknown) {
  serve([&](Exchange&) { (void)world.sleep_for(100s); });
  world.run([&] {
    EXPECT_EQ(ask("GET").code(), Code::kOutcomeUnknown);
    EXPECT_EQ(world.clock().seconds(), 10);
    EXPECT_FALSE(client.connected());
  });
}

TEST_F(ClientTest, RepeatsGetOnceWhenAKeptConnectionWasClosed) {
  play({{kOk}, {kOk, ""}, {""}, {kOk}});
  world.run([&] {
    EXPECT_TRUE(ask("GET").ok());
    (void)world.sleep_for(1s);  // the server closes
    EXPECT_TRUE(ask("GET").ok()) << "on the second connection";
    EXPECT_EQ(world.connects, 2u);
    EXPECT_EQ(ask("GET").code(), Code::kOutcomeUnknown) << "the third closes too";
    EXPECT_EQ(world.connects, 3u);
    EXPECT_TRUE(ask("HEAD").ok());
  });
}

TEST_F(ClientTest, DoesNotRepeatWhatMayHaveBeenDone) {
  play({{kOk, ""}, {kOk, "HTTP/1.1 2"}, {kOk}});
  world.run([&] {
    EXPECT_TRUE(ask("GET").ok());
    EXPECT_EQ(ask("POST", "x").code(), Code::kOutcomeUnknown);
    EXPECT_EQ(world.connects, 1u);
    EXPECT_TRUE(ask("GET").ok());
    EXPECT_EQ(ask("GET").code(), Code::kOutcomeUnknown) << "the answer had begun";
    EXPECT_EQ(world.connects, 2u);
  });
}

TEST_F(ClientTest, LimitsTheAnswer) {
  serve([](Exchange& exchange) {
    if (exchange.head().method == "GET") {
      exchange.respond({}, std::string(1000, 'x')).ignore();
      return;
    }
    EXPECT_TRUE(exchange.begin_chunked({}).ok());
    exchange.write(std::string(1000, 'x')).ignore();
    exchange.finish().ignore();
  });
  world.run([&] {
    for (const char* method : {"GET", "POST"}) {
      EXPECT_EQ(ask(method, {}, 1000)->body.size(), 1000u);
      EXPECT_EQ(ask(method, {}, 999).code(), Code::kTooLarge);
      EXPECT_FALSE(client.connected());
    }
    EXPECT_TRUE(ask("HEAD", {}, 0).ok());
  });
}

TEST_F(ClientTest, HoldsTheBodyBackUntilItIsWanted) {
  bool wanted = true;
  serve([&](Exchange& exchange) {
    if (wanted) return echo(exchange);
    ResponseHead head;
    head.status = 403;
    exchange.respond(std::move(head), "").ignore();
  });
  RequestHead head;
  head.method = "PUT";
  head.expect_continue = true;
  for (const size_t size : {100u, 100000u}) {
    const std::string body(size, 'b');
    world.run([&] {
      wanted = true;
      auto response = client.request(head, body, kNever, 1 << 20);
      ASSERT_TRUE(response.ok());
      EXPECT_TRUE(response->body == body);
      EXPECT_TRUE(client.connected());
      wanted = false;
      response = client.request(head, body, kNever, 1 << 20);
      ASSERT_TRUE(response.ok());
      EXPECT_EQ(response->head.status, 403);
      EXPECT_FALSE(client.connected());
    });
  }
}

TEST_F(ClientTest, SendsTheBodyToServersThatDoNotAnswerExpect) {
  play({{"", "HTTP/1.1 100 Continue\r\n\r\n" + kOk}});
  RequestHead head;
  head.method = "PUT";
  head.expect_continue = true;
  world.run([&] {
    auto response = client.request(head, "late", after(world.clock(), 10s), 100);
    ASSERT_TRUE(response.ok()) << response.status().to_string();
    EXPECT_EQ(response->body, "ok");
    EXPECT_EQ(world.clock().seconds(), 1);
  });
  ASSERT_EQ(received.size(), 2u);
  EXPECT_NE(received[0].find("Expect: 100-continue\r\n"), std::string::npos);
  EXPECT_EQ(received[1], "late");
}

TEST_F(ClientTest, CloseFailsTheRequestUnderWay) {
  serve([&](Exchange&) { (void)world.sleep_for(5s); });
  world.run([&] {
    world.spawn("closer", [&] {
      (void)world.sleep_for(1s);
      client.close();
    });
    EXPECT_EQ(ask("GET").code(), Code::kOutcomeUnknown);
    EXPECT_EQ(world.clock().seconds(), 1);
    EXPECT_EQ(ask("GET")->head.status, 500) << "connects anew";
  });
}

}  // namespace
}  // namespace drumlin::http::test
