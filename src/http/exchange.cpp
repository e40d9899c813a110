#include "http/exchange.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/date.h"

namespace drumlin::http {

Exchange::Exchange(Stream& stream, MessageReader& reader, const Clock& clock, const Limits& limits,
                   const RequestHead& head, const bool& stopping)
    : stream_(stream),
      reader_(reader),
      clock_(clock),
      reading_(clock, limits.stall_timeout, limits.min_bytes_per_s),
      writing_(clock, limits.stall_timeout, limits.min_bytes_per_s),
      limits_(limits),
      head_(head),
      stopping_(stopping),
      started_(clock.now()),
      client_waits_(head.expect_continue && head.has_body()) {}

Result<size_t> Exchange::read_body(std::span<char> into) {
  if (into.empty() || reader_.body_done()) return size_t{0};
  if (client_waits_ && reader_.buffered().empty() && !sent_) {
    std::string_view line = "HTTP/1.1 100 Continue\r\n\r\n";
    const Status asked = write_pieces(stream_, writing_, {&line, 1});
    if (!asked.ok()) {
      phase_ = Phase::kBroken;
      return asked;
    }
  }
  client_waits_ = false;
  stream_.set_read_deadline(reading_.begin());
  auto n = reader_.read_body(into);
  reading_.moved(n.ok() ? *n : 0);
  return n;
}

// Whether the rest of the request's body, which nobody wants, can be read away.
bool Exchange::rest_is_small() {
  if (reader_.discard_buffered()) return true;
  // A client that still waits for our "100 Continue" may send the body or not: there is no telling
  // where the next request begins.
  return !reader_.failed() && !client_waits_ &&
         reader_.body_left().value_or(0) <= limits_.drain_bytes;
}

// Puts the head into out_, but for what only seal() can tell. `length`: nothing = chunked.
Status Exchange::compose(const ResponseHead& head, std::optional<uint64_t> length) {
  if (phase_ == Phase::kBroken) return {Code::kClosed, "connection broken"};
  if (sent_) return {Code::kFailedPrecondition, "already responded"};
  DRUMLIN_CHECK(head.status >= 200 && head.status <= 999, "status ", head.status);
  phase_ = Phase::kBegun;
  status_ = head.status;
  left_ = length;
  bodyless_ = head_.method == "HEAD" || !status_has_body(head.status);
  const bool old_client = head_.version == 10;
  chunked_ = !length && !old_client;
  // The end of the connection is the end of the body, if nothing else can be.
  close_ = head.close || !head_.keep_alive || (!length && old_client);

  out_.clear();
  append_status_line(out_, head.status);
  append_headers(out_, head.headers);
  if (!head.headers.has("Date")) append_header(out_, "Date", format_date(clock_.wall()));
  if (status_has_body(head.status)) {
    if (length) append_header(out_, "Content-Length", *length);
    if (chunked_) append_header(out_, "Transfer-Encoding", "chunked");
  }
  return {};
}

// Ends the head, which leaves now. `body_is_over`: the handler reads no more.
void Exchange::seal(bool body_is_over) {
  if (sent_) return;
  close_ = close_ || stopping_ || reader_.failed();
  if (body_is_over) {
    close_ = !rest_is_small() || close_;
  } else {
    close_ = close_ || (client_waits_ && reader_.buffered().empty());
  }
  if (close_) append_header(out_, "Connection", "close");
  out_.append("\r\n");
}

Status Exchange::broken(Code code, const char* message) {
  phase_ = Phase::kBroken;
  return {code, message};
}

Status Exchange::send(std::span<std::string_view> pieces) {
  sent_ = true;
  Status status = write_pieces(stream_, writing_, pieces);
  if (!status.ok()) phase_ = Phase::kBroken;
  out_.clear();
  return status;
}

Status Exchange::respond(ResponseHead head, std::string_view body) {
  const bool to_head = head_.method == "HEAD";
  const uint64_t length = to_head ? head.content_length.value_or(body.size()) : body.size();
  DRUMLIN_TRY(compose(head, length));
  if (bodyless_) body = {};
  seal(true);
  std::array<std::string_view, 2> pieces = {out_, body};
  DRUMLIN_TRY(send(pieces));
  body_sent_ = body.size();
  phase_ = Phase::kFinished;
  return {};
}

Status Exchange::begin(ResponseHead head, uint64_t content_length) {
  return compose(head, content_length);
}

Status Exchange::begin_chunked(ResponseHead head) {
  return compose(head, std::nullopt);
}

Status Exchange::write(std::string_view bytes) {
  if (phase_ == Phase::kBroken) return {Code::kClosed, "connection broken"};
  if (phase_ != Phase::kBegun) return {Code::kFailedPrecondition, "write outside a response"};
  if (bytes.empty()) return {};
  if (bodyless_) return flush();
  if (left_ && bytes.size() > *left_) {
    return broken(Code::kInvalidArgument, "more bytes than Content-Length");
  }
  seal(false);
  if (chunked_) {
    char size[20];
    char* end = std::to_chars(size, size + sizeof(size) - 2, bytes.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    std::array<std::string_view, 4> pieces = {
        out_, std::string_view(size, static_cast<size_t>(end - size)), bytes, "\r\n"};
    DRUMLIN_TRY(send(pieces));
  } else {
    std::array<std::string_view, 2> pieces = {out_, bytes};
    DRUMLIN_TRY(send(pieces));
    if (left_) *left_ -= bytes.size();
  }
  body_sent_ += bytes.size();
  return {};
}

Status Exchange::flush() {
  if (phase_ == Phase::kBroken) return {Code::kClosed, "connection broken"};
  if (out_.empty()) return {};
  seal(false);
  std::string_view head = out_;
  return send({&head, 1});
}

Status Exchange::finish() {
  if (phase_ == Phase::kBroken) return {Code::kClosed, "connection broken"};
  if (phase_ != Phase::kBegun) return {Code::kFailedPrecondition, "finish outside a response"};
  if (!bodyless_ && left_.value_or(0) > 0)
    return broken(Code::kFailedPrecondition, "bytes are missing");
  seal(true);
  const bool last_chunk = chunked_ && !bodyless_;
  std::array<std::string_view, 2> pieces = {out_, last_chunk ? "0\r\n\r\n" : ""};
  DRUMLIN_TRY(send(pieces));
  phase_ = Phase::kFinished;
  return {};
}

bool Exchange::settle() {
  if (phase_ != Phase::kFinished || close_ || !rest_is_small()) return false;
  stream_.set_read_deadline(after(clock_, limits_.stall_timeout));  // for all of it
  std::array<char, 16 * 1024> scratch;
  size_t drained = 0;
  while (!reader_.body_done()) {
    if (drained > limits_.drain_bytes) return false;
    const auto n = reader_.read_body(scratch);
    if (!n.ok()) return false;
    drained += *n;
  }
  return true;
}

}  // namespace drumlin::http
