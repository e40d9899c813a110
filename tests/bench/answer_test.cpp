#include "bench/client/answer.h"

#include <gtest/gtest.h>

namespace drumlin::bench {
namespace {

Prepared get(std::string_view expected) {
  Prepared out;
  out.expected = expected;
  return out;
}

std::string answer(std::string_view status, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) +
         "\r\nx: y\r\ncontent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

// Fed in pieces of `step` bytes; what was said at the end. "unfinished" if there was none.
std::string judge(const Prepared& request, std::string_view bytes, size_t step) {
  AnswerReader reader;
  reader.begin(request);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    if (reader.feed(piece)) return bytes.empty() ? reader.error() : "ended early";
  }
  return "unfinished";
}

TEST(AnswerReader, TakesAnswersInPiecesOfAnySize) {
  const std::string bytes = answer("200 OK", "twelve bytes");
  for (size_t step = 1; step <= bytes.size(); ++step) {
    EXPECT_EQ(judge(get("twelve bytes"), bytes, step), "") << step;
    EXPECT_EQ(judge(get("twelve bytez"), bytes, step), "answer: wrong bytes") << step;
    EXPECT_EQ(judge(get("twelve"), bytes, step), "answer: wrong length") << step;
    EXPECT_EQ(judge(get("twelve bytes and more"), bytes, step), "answer: wrong length") << step;
  }
}

TEST(AnswerReader, NamesS3Errors) {
  const std::string bytes =
      answer("503 Slow Down", "<?xml?><Error><Code>SlowDown</Code><Message>m</Message></Error>");
  EXPECT_EQ(judge(get(""), bytes, 7), "503 SlowDown");
  EXPECT_EQ(judge(get(""), answer("500 X", ""), 100), "500 ");
}

TEST(AnswerReader, CountsKeysOfAListing) {
  Prepared list;
  list.listed = 2;
  const std::string two = "<Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents>";
  EXPECT_EQ(judge(list, answer("200 OK", two), 11), "");
  EXPECT_EQ(judge(list, answer("200 OK", two + two), 11), "answer: 4 keys instead of 2");
}

TEST(AnswerReader, RefusesWhatItCannotFollow) {
  const Prepared request = get("");
  EXPECT_EQ(judge(request, "HTTP/1.1 200 OK\r\n\r\n", 100), "answer: no Content-Length");
  EXPECT_EQ(judge(request, "SSH-2.0-x\r\n\r\n", 100), "answer: no status line");
  EXPECT_EQ(judge(request, answer("200 OK", "") + "x", 100), "answer: more than was promised");
  EXPECT_EQ(judge(request, std::string(40'000, 'x'), 40'000), "answer: endless head");
}

TEST(AnswerReader, ClosesWhenToldTo) {
  AnswerReader reader;
  const Prepared request = get("");
  reader.begin(request);
  EXPECT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(reader.must_close());
  reader.begin(request);
  EXPECT_TRUE(reader.feed("HTTP/1.1 204 No Content\r\n\r\n"));
  EXPECT_EQ(reader.error(), "204 ");
  EXPECT_FALSE(reader.must_close());
}

}  // namespace
}  // namespace drumlin::bench
