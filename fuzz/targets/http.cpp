// HTTP/1.1 as bytes: a connection's worth of requests, or of responses. The first byte says how many
// more say how the stream is cut into reads; the meaning must not depend on it.
#include <string>

#include "base/check.h"
#include "fuzz/targets/memory_stream.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "http/reader.h"

namespace drumlin::fuzz {
namespace {

using http::Headers;
using http::HeadScanner;
using http::MessageReader;
using http::RequestHead;
using http::ResponseHead;

constexpr size_t kHeadBytes = 4096;

void check_text(std::string_view text) {
  using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace)
  DRUMLIN_CHECK(text.find_first_of("\r\n\0"sv) == std::string_view::npos, text);
}

std::string text_of(const Headers& headers) {
  std::string out;
  for (const http::Header header : headers) {
    check_text(header.name);
    check_text(header.value);
    DRUMLIN_CHECK(!header.name.empty());
    out.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  return out + "\r\n";
}

std::string text_of(const RequestHead& head) {
  check_text(head.method);
  check_text(head.target);
  DRUMLIN_CHECK(!head.method.empty() && !head.target.empty());
  DRUMLIN_CHECK(!(head.chunked && head.content_length), "two lengths");
  DRUMLIN_CHECK(head.version == 10 || head.headers.count("host") == 1, "hosts");
  return head.method + " " + head.target + (head.version == 10 ? " HTTP/1.0" : " HTTP/1.1") +
         "\r\n" + text_of(head.headers);
}

// The body and how it ends, so that the next message (if any) may follow. False: none can.
bool append_body(MessageReader& reader, std::string& out) {
  char buffer[97];
  for (;;) {
    const auto n = reader.read_body(buffer);
    if (!n.ok()) {
      out.append("\n").append(code_name(n.code()));
      const auto again = reader.read_body(buffer);
      DRUMLIN_CHECK(again.is(n.code()), "an error is not final");
      return false;
    }
    if (*n == 0) break;
    out.append(buffer, *n);
  }
  DRUMLIN_CHECK(reader.body_done());
  out += "\n" + text_of(reader.trailers());
  return true;
}

enum class Kind : unsigned char { kRequests, kResponses, kResponsesToHead };

// Head by head, body by body, what a reader of the stream would tell.
std::string conversation(Kind kind, std::string_view stream, std::string_view steps) {
  MemoryStream in(stream, steps);
  MessageReader reader(in, kHeadBytes);
  RequestHead request;
  ResponseHead response;
  std::string out;
  for (;;) {
    HeadScanner::Found found;
    while ((found = reader.next_head()) == HeadScanner::Found::kNeedMore) {
      const auto n = reader.fill();
      DRUMLIN_CHECK_LE(reader.buffered().size(), kHeadBytes);
      if (!n.ok()) return out + "too large";
      if (*n == 0) return out + (reader.buffered().empty() ? "end" : "cut short");
    }
    if (found == HeadScanner::Found::kMalformed) return out + "malformed";
    const auto malformed = kind == Kind::kRequests
                               ? reader.take_request(request)
                               : reader.take_response(kind == Kind::kResponsesToHead, response);
    if (malformed) return out + "refused " + std::to_string(malformed->status);
    if (kind == Kind::kRequests) {
      out += text_of(request);
    } else {
      out += std::to_string(response.status) + "\n" + text_of(response.headers);
    }
    if (!append_body(reader, out)) return out;
  }
}

// A head that was accepted is understood the same when it is written down again.
void check_again(std::string_view stream) {
  MemoryStream in(stream);
  MessageReader reader(in, kHeadBytes);
  HeadScanner::Found found;
  while ((found = reader.next_head()) == HeadScanner::Found::kNeedMore) {
    const auto n = reader.fill();
    if (!n.ok() || *n == 0) return;
  }
  if (found != HeadScanner::Found::kHead) return;
  RequestHead first;
  if (reader.take_request(first)) return;
  const std::string text = text_of(first);
  HeadScanner scanner;
  DRUMLIN_CHECK(scanner.scan(text) == HeadScanner::Found::kHead);
  DRUMLIN_CHECK_EQ(scanner.head_size(), text.size());
  RequestHead second;
  http::Parser parser;
  DRUMLIN_CHECK(!parser.request(text, second));
  DRUMLIN_CHECK(text_of(second) == text);
  DRUMLIN_CHECK(second.keep_alive == first.keep_alive && second.chunked == first.chunked &&
                second.content_length == first.content_length &&
                second.expect_continue == first.expect_continue);
}

void cut_as_you_like(Kind kind, Source source) {
  const std::string_view steps = source.text(16);
  const std::string_view stream = source.rest();
  const std::string whole = conversation(kind, stream, {});
  DRUMLIN_CHECK_EQ(conversation(kind, stream, steps), whole);
  DRUMLIN_CHECK_EQ(conversation(kind, stream, std::string_view("\0", 1)), whole);
  if (kind == Kind::kRequests) check_again(stream);
}

}  // namespace

void http_request(std::string_view input) {
  cut_as_you_like(Kind::kRequests, Source(input));
}

void http_response(std::string_view input) {
  Source source(input);
  const bool to_head = source.flag();
  cut_as_you_like(to_head ? Kind::kResponsesToHead : Kind::kResponses, source);
}

}  // namespace drumlin::fuzz
