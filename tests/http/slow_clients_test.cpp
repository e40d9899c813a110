// http::Server and time: heads, bodies and readers that are slow, stall or never come.
#include "tests/http/server_fixture.h"

namespace drumlin::http::test {
namespace {

using SlowClientsTest = ServerTest;

TEST_F(SlowClientsTest, SlowHeadsAreCutOff) {
  serve();
  double cut = 0;
  world.run([&] {
    auto stream = dial();
    (void)world.sleep_for(10s);  // idle does not count
    for (char c : std::string(1000, 'a')) {
      if (!stream->write_all(std::string_view(&c, 1)).ok()) break;
      (void)world.sleep_for(1s);
      if (cut == 0 && server->connections() == 0) cut = world.clock().seconds();
    }
  });
  EXPECT_NEAR(cut, 10 + 15 + 2, 1.1) << "head_timeout, then linger_timeout";

  EXPECT_TRUE(talk({"GET / HT"}, false).starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(talk({"GET / HT"}), "") << "who leaves gets no answer";
}

TEST_F(SlowClientsTest, IdleConnectionsAreClosedSilently) {
  serve();
  EXPECT_EQ(talk({}, false), "");
  EXPECT_NEAR(world.clock().seconds(), 60, 0.1);
  EXPECT_EQ(occurrences(talk({kGet}, false), "HTTP/1.1 "), 1u);
  EXPECT_NEAR(world.clock().seconds(), 120, 0.1);
}

// What a connection that has rested needs is small, and grows again.
TEST_F(SlowClientsTest, RestedConnectionsAreServedAsBefore) {
  serve();
  std::string answers;
  const std::string put = "PUT /x HTTP/1.1\r\nHost: h\r\nX-Long: " + std::string(20'000, 'l') +
                          "\r\nContent-Length: 5\r\n\r\nhello";
  world.run([&] {
    auto stream = dial();
    for (const std::string& request : {kGet, put, kGet}) {
      ASSERT_TRUE(stream->write_all(request).ok());
      (void)world.sleep_for(20s);
    }
    stream->shutdown_write();
    answers = read_all(*stream, world.clock());
  });
  EXPECT_EQ(seen, (Lines{"GET /a []", "PUT /x [hello]", "GET /a []"}));
  EXPECT_EQ(occurrences(answers, "HTTP/1.1 200 "), 3u);
}

TEST_F(SlowClientsTest, StalledBodiesTimeOut) {
  serve();
  const std::string answer =
      talk({"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello"}, false);
  EXPECT_EQ(seen, Lines{"PUT /x timeout"});
  EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
  EXPECT_NEAR(world.clock().seconds(), 30, 2.1);
}

// A byte every 20 s never stalls, but holds a request (and, in S3, memory) that others wait for.
TEST_F(SlowClientsTest, TricklingBodiesTimeOut) {
  double when = 0;
  Status outcome;
  serve([&](Exchange& exchange) {
    std::array<char, 100> into;
    Result<size_t> n = 1;
    while (n.ok() && *n > 0)
      n = exchange.read_body(into);
    outcome = n.status();
    when = world.clock().seconds();
  });
  world.run([&] {
    auto stream = dial();
    ASSERT_TRUE(stream->write_all("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n").ok());
    for (int i = 0; i < 5; ++i) {
      (void)world.sleep_for(20s);
      if (!stream->write_all("x").ok()) break;
    }
  });
  EXPECT_EQ(outcome.code(), Code::kTimeout);
  EXPECT_NEAR(when, 30, 0.1);
}

// What a client has sent faster than it must, it may use up.
TEST_F(SlowClientsTest, SlowBodiesAreServedAtTheLeastRate) {
  limits.min_bytes_per_s = 100;
  uint64_t got = 0;
  bool complete = false;
  serve([&](Exchange& exchange) {
    (void)world.sleep_for(200s);  // of the server's own making: not the client's fault
    std::array<char, 1000> into;
    Result<size_t> n = 1;
    for (; n.ok() && *n > 0; got += n.ok() ? *n : 0)
      n = exchange.read_body(into);
    complete = n.ok();
  });
  world.run([&] {
    auto stream = dial();
    ASSERT_TRUE(
        stream->write_all("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n").ok());
    (void)world.sleep_for(200s);
    for (int i = 0; i < 10; ++i) {
      (void)world.sleep_for(i == 0 ? 20s : 6s);  // 74 s for 5,000 bytes: 68 a second
      if (!stream->write_all(std::string(500, 'x')).ok()) break;
    }
  });
  EXPECT_TRUE(complete);
  EXPECT_EQ(got, 5000u);
}

TEST_F(SlowClientsTest, TricklingReadersTimeOut) {
  world.capacity = 1000;
  Status outcome;
  double when = 0;
  serve([&](Exchange& exchange) {
    outcome = exchange.respond({}, std::string(90'000, 'x'));
    when = world.clock().seconds();
  });
  world.run([&] {
    auto stream = dial();
    ASSERT_TRUE(stream->write_all(kGet).ok());
    std::array<char, 100> into;
    for (int i = 0; i < 60; ++i) {
      (void)world.sleep_for(1s);
      if (!stream->read_some(into).ok()) break;
    }
  });
  EXPECT_EQ(outcome.code(), Code::kTimeout);
  EXPECT_NEAR(when, 34, 2) << "100 bytes a second instead of 1,024";
}

TEST_F(SlowClientsTest, StalledReadersTimeOut) {
  world.capacity = 1000;
  Status outcome;
  double when = 0;
  serve([&](Exchange& exchange) {
    outcome = exchange.respond({}, std::string(5000, 'x'));
    when = world.clock().seconds();
  });
  world.run([&] {
    auto stream = dial();
    ASSERT_TRUE(stream->write_all(kGet).ok());
    (void)world.sleep_for(100s);
  });
  EXPECT_EQ(outcome.code(), Code::kTimeout);
  EXPECT_NEAR(when, 30, 0.1);
  EXPECT_EQ(server->connections(), 0u);
}

}  // namespace
}  // namespace drumlin::http::test
