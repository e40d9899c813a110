// http: dates, headers and the parser by itself.
#include <gtest/gtest.h>

#include "http/date.h"
#include "http/message.h"
#include "http/parser.h"

namespace drumlin::http {
namespace {

TEST(Date, FormatsAndParsesTheThreeForms) {
  const WallTime time(784111777s);
  EXPECT_EQ(format_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_date(time + 999ms), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), time);
  EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), time);
  EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), time);
  EXPECT_EQ(parse_date("Thu, 29 Feb 2024 00:00:00 GMT"), WallTime(1709164800s));
}

TEST(Date, RefusesWhatIsNone) {
  for (const char* text : {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 2024 08:49:37 GMT",
                           "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT",
                           "Sun, 06 Nov 9999 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT more"}) {
    EXPECT_FALSE(parse_date(text).has_value()) << text;
  }
}

TEST(HeadersTest, NamesHaveNoCaseAndDuplicatesStay) {
  Headers headers{{"Content-Type", "a"}, {"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(headers.get("content-type"), "a");
  EXPECT_EQ(headers.get("missing"), "");
  EXPECT_FALSE(headers.find("missing"));
  EXPECT_EQ(headers.all("X-a"), (std::vector<std::string_view>{"1", "2"}));
  headers.set("X-A", "3");
  EXPECT_EQ(headers.count("x-a"), 1u);
  EXPECT_EQ(headers.get("x-a"), "3");
  headers.remove("CONTENT-TYPE");
  EXPECT_EQ(headers.size(), 1u);
}

TEST(HeadersTest, WhatIsSentCannotEndTheLine) {
  std::string out;
  append_headers(out, {{"X-Meta", "a\r\nSet-Cookie: b"}, {"Content-Length", "7"}, {"X-B", "c"}});
  EXPECT_EQ(out, "X-Meta: a  Set-Cookie: b\r\nX-B: c\r\n") << "and framing is the room's own";
}

TEST(HeadScannerTest, FindsTheHeadByteByByte) {
  const std::string text = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
  HeadScanner scanner;
  for (size_t n = 1; n < text.size() - 4; ++n) {
    ASSERT_EQ(scanner.scan(text.substr(0, n)), HeadScanner::Found::kNeedMore) << n;
  }
  ASSERT_EQ(scanner.scan(text), HeadScanner::Found::kHead);
  EXPECT_EQ(scanner.head_size(), text.size() - 4);
  EXPECT_EQ(scanner.leading_bytes(), 2u);
  EXPECT_EQ(scanner.lines(), 2u);
}

TEST(ParserTest, AnEmptyChunkedBodyMayComeByteByByte) {
  Parser parser;
  RequestHead head;
  ASSERT_FALSE(
      parser.request("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", head));
  const std::string body = "0\r\n\r\n";
  for (size_t n = 1; n < body.size(); ++n) {
    const Parser::Frames frames = parser.frames(body.substr(0, n));
    EXPECT_TRUE(frames.need_more && frames.consumed == 0) << n;
  }
  EXPECT_EQ(parser.frames(body).consumed, body.size());
  EXPECT_TRUE(parser.chunks_ended());
}

TEST(ParserTest, TellsTheFramingOfResponses) {
  struct Case {
    const char* head;
    bool to_head;
    Framing framing;
    bool close;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, Framing::kLength, false},
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, Framing::kNone, false},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, Framing::kChunked,
            false},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, Framing::kNone, false},
           {"HTTP/1.1 200 OK\r\n\r\n", false, Framing::kUntilClose, true},
           {"HTTP/1.1 204 No Content\r\n\r\n", false, Framing::kNone, false},
           {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, Framing::kNone, false},
           {"HTTP/1.1 100 Continue\r\n\r\n", false, Framing::kNone, false},
           {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false,
            Framing::kNone, true},
       }) {
    Parser parser;
    ResponseHead head;
    const auto malformed = parser.response(c.head, c.to_head, head);
    ASSERT_FALSE(malformed) << c.head << malformed->reason;
    EXPECT_EQ(parser.framing(), c.framing) << c.head;
    EXPECT_EQ(head.close, c.close) << c.head;
  }
}

TEST(ParserTest, KeepsTheTargetAsItCame) {
  Parser parser;
  RequestHead head;
  ASSERT_FALSE(parser.request("GET /b/%2e%2E/a%20b//?x=%41&y HTTP/1.1\r\nHost: h\r\n\r\n", head));
  EXPECT_EQ(head.target, "/b/%2e%2E/a%20b//?x=%41&y");
  EXPECT_EQ(parser.framing(), Framing::kNone);
}

}  // namespace
}  // namespace drumlin::http
