// http::Server over byte pipes: framing, refusals, the life of connections. Slow ones: slow_clients_test.cpp.
#include "tests/http/server_fixture.h"

namespace drumlin::http::test {
namespace {

TEST_F(ServerTest, PipelinedRequestsLetOthersRun) {
  serve();
  std::string requests;
  for (int i = 0; i < 50; ++i)
    requests += kGet;
  size_t turns = 0;
  world.spawn("other", [&] {
    while (server->requests() < 50) {
      if (server->requests() > 0) ++turns;
      world.scheduler().yield();
    }
  });
  world.run([&] {
    auto stream = dial();
    ASSERT_TRUE(stream->write_all(requests).ok());
    stream->shutdown_write();
    EXPECT_EQ(occurrences(read_all(*stream, world.clock()), "200 OK"), 50u);
  });
  EXPECT_GE(turns, 40u);
}

TEST_F(ServerTest, AnswersDoNotDependOnHowBytesArrive) {
  serve();
  const std::string requests =
      "\r\nGET /one HTTP/1.1\r\nHost: h\r\nX-A:  b \r\n\r\n"
      "POST /two HTTP/1.1\r\nhost: h\r\nContent-Length: 11\r\n\r\nhello world"
      "PUT /three HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nfirst\r\n1;ext=\"v\"\r\n,\r\n00b\r\nsecond and \r\n1\r\nx\r\n0\r\nX-T: t\r\n\r\n"
      "GET /four HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const auto answer = [](const std::string& body, bool close) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
           (close ? "\r\nConnection: close" : "") + "\r\n\r\n" + body;
  };
  const std::string expected =
      answer("GET /one []", false) + answer("POST /two [hello world]", false) +
      answer("PUT /three [first,second and x]", false) + answer("GET /four []", true);
  for (size_t at = 0; at <= requests.size(); ++at) {
    std::vector<std::string> parts;
    for (auto part : {requests.substr(0, at), requests.substr(at)}) {
      if (!part.empty()) parts.push_back(part);
    }
    ASSERT_EQ(talk(parts), expected) << "split at " << at;
  }
  for (size_t step : {1u, 2u, 3u, 7u}) {
    world.server_max_read = step;
    ASSERT_EQ(talk({requests}), expected) << "reads of " << step;
  }
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(ServerTest, KeepsTheConnection) {
  serve();
  world.run([&] {
    auto stream = dial();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(stream->write_all(kGet).ok());
      EXPECT_NE(read_all(*stream, world.clock(), 1s).find("200 OK"), std::string::npos);
      EXPECT_EQ(server->connections(), 1u);
    }
  });
  EXPECT_EQ(server->requests(), 3u);
}

struct Bad {
  const char* name;
  int status;
  std::string request;
};

TEST_F(ServerTest, RefusesWhatCouldBeReadInTwoWays) {
  serve();
  const std::string host = "Host: h\r\n";
  const auto get = [&](const std::string& headers) {
    return "GET / HTTP/1.1\r\n" + host + headers + "\r\n";
  };
  const auto post = [&](const std::string& headers) {
    return "POST / HTTP/1.1\r\n" + host + headers + "\r\n";
  };
  const std::vector<Bad> cases = {
      {"length and coding", 400, post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
      {"coding and length", 400, post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
      {"two lengths", 400, post("Content-Length: 5\r\nContent-Length: 6\r\n")},
      {"one length twice", 400, post("Content-Length: 5\r\nContent-Length: 5\r\n")},
      {"list of lengths", 400, post("Content-Length: 5, 5\r\n")},
      {"negative length", 400, post("Content-Length: -1\r\n")},
      {"signed length", 400, post("Content-Length: +5\r\n")},
      {"hex length", 400, post("Content-Length: 0x5\r\n")},
      {"empty length", 400, post("Content-Length: \r\n")},
      {"huge length", 400, post("Content-Length: 18446744073709551616\r\n")},
      {"gzip", 501, post("Transfer-Encoding: gzip\r\n")},
      {"gzip, chunked", 501, post("Transfer-Encoding: gzip, chunked\r\n")},
      {"chunked, gzip", 501, post("Transfer-Encoding: chunked, gzip\r\n")},
      {"chunked twice", 400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"xchunked", 501, post("Transfer-Encoding: xchunked\r\n")},
      {"identity", 501, post("Transfer-Encoding: identity\r\n")},
      {"chunked in 1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"folded", 400, get("X-A: b\r\n c\r\n")},
      {"folded by tab", 400, get("X-A: b\r\n\tc\r\n")},
      {"folded first", 400, "GET / HTTP/1.1\r\n X-A: b\r\nHost: h\r\n\r\n"},
      {"bare CR", 400, get("X-A: b\rX-B: c\r\n")},
      {"bare LF", 400, get("X-A: b\nX-B: c\r\n")},
      {"bare LF at the end", 400, "GET / HTTP/1.1\nHost: h\n\n"},
      {"NUL", 400, get(std::string("X-A: b\0c\r\n", 10))},
      {"control character", 400, get("X-A: b\x01c\r\n")},
      {"space before colon", 400, get("X-A : b\r\n")},
      {"space in name", 400, get("X A: b\r\n")},
      {"no colon", 400, get("X-A\r\n")},
      {"no name", 400, get(": b\r\n")},
      {"no Host", 400, "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", 400, get("Host: i\r\n")},
      {"two Hosts in 1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"no version", 400, "GET /\r\n" + host + "\r\n"},
      {"space in target", 400, "GET /a b HTTP/1.1\r\n" + host + "\r\n"},
      {"no target", 400, "GET  HTTP/1.1\r\n" + host + "\r\n"},
      {"2.0", 505, "GET / HTTP/2.0\r\n" + host + "\r\n"},
      {"the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"0.9", 505, "GET / HTTP/0.9\r\n" + host + "\r\n"},
      {"not HTTP", 400, "GET / HTPP/1.1\r\n" + host + "\r\n"},
      {"TLS", 400, "\x16\x03\x01\x02\r\n\r\n\r\n"},
      {"expectation", 417, get("Expect: miracles\r\n")},
  };
  for (const Bad& bad : cases) {
    const std::string answer = talk({bad.request + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"});
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(bad.status) + " "))
        << bad.name << ": " << answer;
    EXPECT_EQ(occurrences(answer, "HTTP/1.1 "), 1u) << bad.name << ": " << answer;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << bad.name;
    EXPECT_NE(answer.find("X-Error: yes\r\n"), std::string::npos) << bad.name;
  }
  EXPECT_EQ(seen, Lines{});
  EXPECT_EQ(server->requests(), 0u);
}

TEST_F(ServerTest, BrokenChunksEndTheConnection) {
  serve();
  for (const std::string chunks :
       {"x\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloo\r\n0\r\n\r\n",
        "5\nhello\n0\n\n", "10000000000000005\r\nhello\r\n0\r\n\r\n", "5 \nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n"}) {
    seen.clear();
    const std::string answer =
        talk({"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + kGet});
    EXPECT_EQ(seen, Lines{"POST / invalid_argument"}) << chunks;
    EXPECT_EQ(occurrences(answer, "HTTP/1.1 "), 1u) << answer;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
  }
}

TEST_F(ServerTest, LimitsTheHead) {
  limits.head_bytes = 1000;
  limits.max_headers = 10;
  serve();
  const std::string frame = "GET / HTTP/1.1\r\nHost: h\r\nX-A: \r\n\r\n";
  const auto sized = [&](size_t n) {
    return "GET / HTTP/1.1\r\nHost: h\r\nX-A: " + std::string(n - frame.size(), 'a') + "\r\n\r\n";
  };
  EXPECT_TRUE(talk({sized(1000)}).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(talk({sized(1001)}).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(talk({sized(100000)}).starts_with("HTTP/1.1 431 ")) << "though it was still sending";
  const auto many = [](size_t n) {
    std::string out = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (size_t i = 1; i < n; ++i)
      out += "A: b\r\n";
    return out + "\r\n";
  };
  EXPECT_TRUE(talk({many(10)}).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(talk({many(11)}).starts_with("HTTP/1.1 431 "));
}

TEST_F(ServerTest, OldClientsGetOneRequest) {
  serve();
  EXPECT_EQ(talk({"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + kGet}),
            "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nGET / []");
  EXPECT_EQ(seen.size(), 1u);
}

TEST_F(ServerTest, HandlersSeeThatTheClientLeft) {
  serve();
  talk({"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello"});
  talk({"PUT /y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"});
  talk({"PUT /z HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"});
  EXPECT_EQ(seen, (Lines{"PUT /x closed", "PUT /y closed", "PUT /z closed"}));
}

TEST_F(ServerTest, WhatHasArrivedIsNotHeldBack) {
  std::string got;
  double when = -1;
  serve([&](Exchange& exchange) {
    char block[100];
    for (;;) {
      const auto n = exchange.read_body(block);
      if (!n.ok() || *n == 0) return;
      if (when < 0) when = world.clock().seconds();
      got.append(block, *n);
    }
  });
  talk({"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\n"});
  EXPECT_EQ(got, "hello") << "though the next chunk was announced and never came";
  EXPECT_EQ(when, 0);
}

TEST_F(ServerTest, HeadHasTheLengthButNoBody) {
  serve([&](Exchange& exchange) {
    const std::string& target = exchange.head().target;
    if (target == "/respond") {
      EXPECT_TRUE(exchange.respond({}, "12345").ok());
    } else if (target == "/known") {
      ResponseHead head;
      head.content_length = 1 << 20;
      EXPECT_TRUE(exchange.respond(std::move(head), "").ok());
    } else {
      EXPECT_TRUE(exchange.begin({}, 77).ok());
      if (target == "/written") {
        EXPECT_TRUE(exchange.write("some").ok());
      }
      EXPECT_TRUE(exchange.finish().ok());
    }
  });
  const auto head = [](const std::string& target) {
    return "HEAD " + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  EXPECT_EQ(talk({head("/respond") + head("/known") + head("/begun") + head("/written")}),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
}

TEST_F(ServerTest, SomeStatusesHaveNoBody) {
  serve([&](Exchange& exchange) {
    ResponseHead head;
    head.status = exchange.head().target == "/204" ? 204 : 304;
    head.headers.append("ETag", "\"e\"");
    EXPECT_TRUE(exchange.respond(std::move(head), "ignored").ok());
  });
  EXPECT_EQ(talk({"GET /204 HTTP/1.1\r\nHost: h\r\n\r\n"
                  "GET /304 HTTP/1.1\r\nHost: h\r\n\r\n"}),
            "HTTP/1.1 204 No Content\r\nETag: \"e\"\r\n\r\n"
            "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n");
}

TEST_F(ServerTest, WritesPieces) {
  serve([&](Exchange& exchange) {
    if (exchange.head().target == "/chunked") {
      EXPECT_TRUE(exchange.begin_chunked({}).ok());
    } else {
      EXPECT_TRUE(exchange.begin({}, 17).ok());
    }
    EXPECT_FALSE(exchange.responded());
    EXPECT_TRUE(exchange.write("hello ").ok());
    EXPECT_TRUE(exchange.responded());
    EXPECT_TRUE(exchange.write("").ok());
    EXPECT_TRUE(exchange.write("wide world!").ok());
    EXPECT_TRUE(exchange.finish().ok());
    EXPECT_EQ(exchange.body_sent(), 17u);
    EXPECT_EQ(exchange.respond({}, "again").code(), Code::kFailedPrecondition);
  });
  EXPECT_EQ(talk({"GET /length HTTP/1.1\r\nHost: h\r\n\r\n"
                  "GET /chunked HTTP/1.1\r\nHost: h\r\n\r\n"
                  "GET /chunked HTTP/1.0\r\n\r\n"}),
            "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\nhello wide world!"
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "6\r\nhello \r\nb\r\nwide world!\r\n0\r\n\r\n"
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello wide world!");
}

TEST_F(ServerTest, StreamsBothWaysWithBackPressure) {
  world.capacity = 3000;
  serve([&](Exchange& exchange) {
    ASSERT_TRUE(exchange.begin_chunked({}).ok());
    char block[1024];
    for (;;) {
      const auto n = exchange.read_body(block);
      ASSERT_TRUE(n.ok());
      if (*n == 0) break;
      ASSERT_TRUE(exchange.write({block, *n}).ok());
    }
    EXPECT_TRUE(exchange.finish().ok());
  });
  std::string answer;
  world.run([&] {
    auto stream = dial();
    world.spawn("writer", [&] {
      EXPECT_TRUE(stream
                      ->write_all("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" +
                                  std::string(100000, 'q'))
                      .ok());
    });
    answer = read_all(*stream, world.clock(), 10s);
  });
  EXPECT_EQ(occurrences(answer, "q"), 100000u);
  EXPECT_TRUE(answer.ends_with("\r\n0\r\n\r\n"));
}

TEST_F(ServerTest, AsksForTheBodyWhenItIsWanted) {
  serve();
  const std::string head =
      "PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  const std::string done = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nPUT /x [hello]";
  EXPECT_EQ(talk({head, "hello"}), go_on + done);
  EXPECT_EQ(talk({head + "hello"}), done) << "it did not wait";
  EXPECT_EQ(talk({head + "he", "llo" + kGet}),
            done + "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nGET /a []");
  EXPECT_EQ(talk({"PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                  "Content-Length: 0\r\n\r\n"}),
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nPUT /x []");
}

TEST_F(ServerTest, DoesNotAskForABodyThatIsNotWanted) {
  serve([&](Exchange& exchange) {
    seen.push_back(exchange.head().method);
    ResponseHead head;
    head.status = 403;
    exchange.respond(std::move(head), "no").ignore();
  });
  const std::string head =
      "PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n";
  const std::string kept = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
  const std::string closed =
      "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
  EXPECT_EQ(talk({head, kGet}), closed) << "is the second a body or a request? nobody knows";
  EXPECT_EQ(seen.size(), 1u);
  EXPECT_EQ(talk({head + std::string(30, 'x') + kGet}), kept + kept) << "it had been sent anyway";
}

TEST_F(ServerTest, UnwantedBodiesAreDrainedOrCutOff) {
  limits.drain_bytes = 1000;
  serve([&](Exchange& exchange) {
    seen.push_back(exchange.head().target);
    exchange.respond({}, "ok").ignore();
  });
  const auto put = [](size_t n) {
    return "PUT /" + std::to_string(n) +
           " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(n) + "\r\n\r\n";
  };
  const std::string kept = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const std::string closed = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
  const auto bytes = [](size_t n) { return std::string(n, 'x'); };
  EXPECT_EQ(talk({put(100) + bytes(100) + kGet}), kept + kept);
  EXPECT_EQ(talk({put(1000), bytes(500), bytes(500), kGet}), kept + kept);
  EXPECT_EQ(talk({put(1001), bytes(500), bytes(501), kGet}), closed);
  EXPECT_EQ(talk({put(500000), bytes(500000), kGet}), closed)
      << "the client gets its answer though it sends far more than is read as a body";
  const std::string chunked = "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(talk({chunked, "5\r\nhello\r\n", "0\r\n\r\n", kGet}), kept + kept);
  EXPECT_EQ(talk({chunked, "7d0\r\n" + bytes(1000), bytes(1000) + "\r\n0\r\n\r\n", kGet}), kept)
      << "known only after the answer";
}

TEST_F(ServerTest, SilentHandlersAnswer500) {
  serve([](Exchange&) {});
  EXPECT_EQ(talk({kGet + kGet}),
            "HTTP/1.1 500 Internal Server Error\r\nX-Error: yes\r\nContent-Length: 28\r\n\r\n"
            "the request was not answered"
            "HTTP/1.1 500 Internal Server Error\r\nX-Error: yes\r\nContent-Length: 28\r\n\r\n"
            "the request was not answered");
}

TEST_F(ServerTest, NothingSentCanStillBecomeAnError) {
  serve([](Exchange& exchange) {
    ASSERT_TRUE(exchange.begin({}, 1000).ok());
    ResponseHead head;
    head.status = 503;
    ASSERT_TRUE(exchange.respond(std::move(head), "disk").ok());
  });
  EXPECT_EQ(talk({kGet}), "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndisk");
}

TEST_F(ServerTest, BrokenOffAnswersAreSeenAsSuch) {
  serve([](Exchange& exchange) {
    const std::string& target = exchange.head().target;
    if (target == "/chunked") {
      ASSERT_TRUE(exchange.begin_chunked({}).ok());
      ASSERT_TRUE(exchange.write("part").ok());
    } else {
      ASSERT_TRUE(exchange.begin({}, 10).ok());
      ASSERT_TRUE(exchange.write("part").ok());
      if (target == "/short") {
        EXPECT_EQ(exchange.finish().code(), Code::kFailedPrecondition);
      } else if (target == "/long") {
        EXPECT_EQ(exchange.write("1234567").code(), Code::kInvalidArgument);
      }
    }
  });
  const std::string known = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart";
  for (const char* target : {"/short", "/long", "/left"}) {
    EXPECT_EQ(talk({"GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n" + kGet}), known);
  }
  EXPECT_EQ(talk({"GET /chunked HTTP/1.1\r\nHost: h\r\n\r\n"}),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n");
}

TEST_F(ServerTest, TellsConnectionsOverTheLimit) {
  limits.max_connections = 2;
  serve();
  world.run([&] {
    auto first = dial();
    auto second = dial();
    auto third = dial();
    EXPECT_TRUE(third->write_all(kGet).ok());
    third->shutdown_write();
    EXPECT_TRUE(read_all(*third, world.clock(), 1s).starts_with("HTTP/1.1 503 "));
    first->close();
    (void)world.sleep_for(1s);
    auto fourth = dial();
    EXPECT_TRUE(fourth->write_all(kGet).ok());
    EXPECT_TRUE(read_all(*fourth, world.clock(), 1s).starts_with("HTTP/1.1 200 "));
  });
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(ServerTest, StopLetsExchangesFinish) {
  serve([&](Exchange& exchange) {
    (void)world.sleep_for(5s);
    exchange.respond({}, "done").ignore();
  });
  world.run([&] {
    auto idle = dial();
    auto busy = dial();
    ASSERT_TRUE(busy->write_all(kGet + kGet).ok());
    (void)world.sleep_for(1s);
    server->stop();
    char byte;
    EXPECT_EQ(*idle->read_some({&byte, 1}), 0u);
    EXPECT_EQ(world.clock().seconds(), 1);
    EXPECT_EQ(world.connect(kHere, kNever).code(), Code::kUnavailable);
    world.spawn("drain", [&] { EXPECT_TRUE(server->drain(kNever).ok()); });
    EXPECT_EQ(undated(read_all(*busy, world.clock())),
              "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone");
  });
  EXPECT_EQ(server->connections(), 0u);
  EXPECT_EQ(server->requests(), 1u);
}

TEST_F(ServerTest, DrainCutsAtItsDeadline) {
  std::string outcome;
  serve([&](Exchange& exchange) {
    char byte;
    outcome = code_name(exchange.read_body({&byte, 1}).code());
  });
  world.run([&] {
    auto stream = dial();
    ASSERT_TRUE(stream->write_all("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n").ok());
    (void)world.sleep_for(1s);
    EXPECT_EQ(server->settle(after(world.clock(), 2s)).code(), Code::kTimeout);
    EXPECT_EQ(server->connections(), 1u) << "not cut yet";
    EXPECT_EQ(server->drain(after(world.clock(), 8s)).code(), Code::kTimeout);
    EXPECT_EQ(world.clock().seconds(), 11);
    EXPECT_EQ(server->connections(), 0u);
  });
  EXPECT_EQ(outcome, "cancelled");
}

TEST_F(ServerTest, DiesInAnyState) {
  serve();
  world.spawn("client", [&] {
    auto idle = dial();
    auto in_head = dial();
    auto in_body = dial();
    (void)in_head->write_all("GET / HT");
    (void)in_body->write_all("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    (void)world.sleep_for(1s);
  });
  world.scheduler().run_ready();
  EXPECT_EQ(server->connections(), 3u);
  world.scheduler().kill(world.domain());
  EXPECT_EQ(server->connections(), 0u);
}

}  // namespace
}  // namespace drumlin::http::test
