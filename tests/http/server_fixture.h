// A Server in a world of byte pipes, and a client that speaks by hand.
#pragma once

#include <gtest/gtest.h>

#include <regex>

#include "http/server.h"
#include "tests/http/world.h"

namespace drumlin::http::test {

inline const Endpoint kHere{"10.0.0.1", 80};

// Without the Date lines, which only ever say what the clock says.
inline std::string undated(const std::string& text) {
  static const std::regex date("Date: [^\r]*\r\n");
  return std::regex_replace(text, date, "");
}

inline size_t occurrences(const std::string& text, std::string_view what) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size())
    ++n;
  return n;
}

class ServerTest : public ::testing::Test {
 public:
  ~ServerTest() override { world.scheduler().kill(world.domain()); }

  void serve(Server::Handler handler = {}) {
    if (!handler) handler = [this](Exchange& exchange) { tell(exchange); };
    auto listener = world.listen(kHere);
    server = std::make_unique<Server>(
        world, world.observer(), std::move(*listener), limits, std::move(handler),
        [](int, std::string_view reason, ResponseHead& head, std::string& body) {
          head.headers.append("X-Error", "yes");
          body = reason;
        });
    server->start();
  }

  static Result<std::string> read_whole(Exchange& exchange) {
    std::string body;
    char block[7];
    for (;;) {
      DRUMLIN_ASSIGN(const size_t n, exchange.read_body(block));
      if (n == 0) return body;
      body.append(block, n);
    }
  }

  // The usual handler: answers with what it got, notes it and how reading ended.
  void tell(Exchange& exchange) {
    auto body = read_whole(exchange);
    const RequestHead& head = exchange.head();
    std::string line = head.method + " " + head.target + " ";
    line += body.ok() ? "[" + *body + "]" : std::string(code_name(body.code()));
    seen.push_back(line);
    ResponseHead answer;
    answer.status = body.ok() ? 200 : 400;
    exchange.respond(std::move(answer), line).ignore();
  }

  std::unique_ptr<Stream> dial() { return *world.connect(kHere, kNever); }

  // Sends the parts a millisecond apart, ends the sending, returns all that came back.
  std::string talk(const std::vector<std::string>& parts, bool end = true) {
    std::string answer;
    world.run([&] {
      auto stream = dial();
      for (const std::string& part : parts) {
        if (!stream->write_all(part).ok()) break;
        (void)world.sleep_for(1ms);
      }
      if (end) stream->shutdown_write();
      answer = read_all(*stream, world.clock());
    });
    return undated(answer);
  }

  World world;
  Limits limits;
  std::unique_ptr<Server> server;
  std::vector<std::string> seen;
};

using Lines = std::vector<std::string>;

inline const std::string kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

}  // namespace drumlin::http::test
