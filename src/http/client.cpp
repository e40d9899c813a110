#include "http/client.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "http/reader.h"

namespace drumlin::http {
namespace {

constexpr size_t kInlineBody = 4 * 1024;  // less than any connection takes before it is read
constexpr size_t kBodyBlock = 64 * 1024;

bool fits_request_line(std::string_view part) {
  const auto bad = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
  return !part.empty() && std::none_of(part.begin(), part.end(), bad);
}

bool repeatable(std::string_view method) {
  return method == "GET" || method == "HEAD";
}

}  // namespace

struct Client::Connection {
  Connection(Runtime& runtime, std::unique_ptr<Stream> byte_stream, size_t head_bytes)
      : stream(std::move(byte_stream)),
        reader(*stream, head_bytes),
        writers(runtime.scheduler(), runtime.clock()) {}
  std::unique_ptr<Stream> stream;
  MessageReader reader;
  WaitGroup writers;    // fibers that send a body
  uint64_t sent = 0;    // bytes of the request under way
  bool reused = false;  // it has carried a request before
  bool closed = false;  // by close()
};

struct Client::Attempt {
  const RequestHead& head;
  std::string_view body;
  Instant deadline;
  size_t max_response_bytes;
  std::shared_ptr<Connection> connection = nullptr;
  bool answer_begun = false;  // a byte of it came
  bool answered = false;      // a final head came
  bool lost = false;          // failed because the connection ended
  bool body_held_back = false;
};

Client::Client(Runtime& runtime, Endpoint endpoint, ClientLimits limits, Connect connect)
    : runtime_(runtime),
      endpoint_(std::move(endpoint)),
      limits_(limits),
      connect_(std::move(connect)) {}

Client::~Client() {
  close();
}

void Client::close() {
  ++closes_;
  if (connection_ == nullptr) return;
  connection_->closed = true;
  connection_->stream->close();
  connection_.reset();
}

bool Client::connected() const {
  return connection_ != nullptr;
}

Result<Client::Response> Client::request(const RequestHead& head, std::string_view body,
                                         Instant deadline, size_t max_response_bytes) {
  struct Busy {
    explicit Busy(bool& f) : flag(f) {
      DRUMLIN_CHECK(!flag, "one request at a time");
      flag = true;
    }
    ~Busy() { flag = false; }
    bool& flag;
  };
  const Busy busy(busy_);
  if (!fits_request_line(head.method) || !fits_request_line(head.target)) {
    return Status(Code::kInvalidArgument, "method or target");
  }
  Attempt first{head, body, deadline, max_response_bytes};
  auto response = attempt(first);
  if (response.ok() || first.connection == nullptr) return response;
  const bool stale = first.connection->reused && first.lost && !first.answer_begun;
  if (!stale || !repeatable(head.method)) return response;
  Attempt second{head, body, deadline, max_response_bytes};
  return attempt(second);
}

Result<std::shared_ptr<Client::Connection>> Client::connect(Instant deadline) {
  const uint64_t closes = closes_;
  const Instant limit = std::min(deadline, after(runtime_.clock(), limits_.connect_timeout));
  auto stream =
      connect_ ? connect_(endpoint_, limit) : runtime_.network().connect(endpoint_, limit);
  if (!stream.ok()) return Status(Code::kUnavailable, stream.status().to_string());
  if (closes != closes_) return Status(Code::kUnavailable, "closed while connecting");
  return std::make_shared<Connection>(runtime_, std::move(*stream), limits_.head_bytes);
}

Result<Client::Response> Client::attempt(Attempt& attempt) {
  if (connection_ == nullptr) {
    DRUMLIN_ASSIGN(connection_, connect(attempt.deadline));
  }
  const std::shared_ptr<Connection> connection = attempt.connection = connection_;
  connection->sent = 0;
  connection->stream->set_read_deadline(attempt.deadline);
  connection->stream->set_write_deadline(attempt.deadline);

  Response response;
  const Status status = exchange(attempt, response);
  const bool whole = status.ok() && !attempt.body_held_back && connection->writers.count() == 0;
  if (whole && !response.head.close && !connection->closed &&
      connection->reader.buffered().empty()) {
    connection->reused = true;
    return response;
  }
  connection->stream->close();
  if (connection_ == connection) connection_.reset();
  (void)connection->writers.wait();  // they send from our caller's memory
  if (status.ok()) return response;
  if (status.is(Code::kTooLarge)) return status;
  attempt.lost = !connection->closed && (status.is(Code::kClosed) || status.is(Code::kIo));
  return Status(connection->sent > 0 ? Code::kOutcomeUnknown : Code::kUnavailable,
                status.to_string());
}

// One request and its answer. A write that fails is not the end: the server may have answered
// before it stopped reading.
Status Client::exchange(Attempt& attempt, Response& response) {
  Connection& connection = *attempt.connection;
  const bool small = attempt.body.size() <= kInlineBody;
  attempt.body_held_back = attempt.head.expect_continue && !attempt.body.empty();
  const bool with_body = small && !attempt.body_held_back;
  Status sent = send(connection, compose(attempt), with_body ? attempt.body : "");
  if (!sent.ok() && connection.sent == 0) return sent;
  if (attempt.body_held_back) {
    DRUMLIN_TRY(await_continue(attempt, response));
    if (!attempt.answered) attempt.body_held_back = false;
  }
  if (!attempt.answered) {
    if (!with_body && sent.ok()) send_aside(attempt);
    do {
      DRUMLIN_TRY(read_head(attempt, response));
    } while (!attempt.answered);
  }
  return read_body(attempt, response);
}

std::string Client::compose(const Attempt& attempt) const {
  const RequestHead& head = attempt.head;
  std::string out = head.method + " " + head.target + " HTTP/1.1\r\n";
  if (!head.headers.has("Host")) append_header(out, "Host", endpoint_.to_string());
  append_headers(out, head.headers);
  const bool usually_has_body =
      head.method == "PUT" || head.method == "POST" || head.method == "PATCH";
  if (!attempt.body.empty() || usually_has_body) {
    append_header(out, "Content-Length", attempt.body.size());
  }
  if (attempt.body_held_back && !head.headers.has("Expect")) {
    append_header(out, "Expect", "100-continue");
  }
  out.append("\r\n");
  return out;
}

Status Client::send(Connection& connection, std::string_view first, std::string_view second) {
  while (!first.empty()) {
    const std::array<std::string_view, 2> pieces = {first, second};
    DRUMLIN_ASSIGN(const size_t n,
                   connection.stream->write_some(std::span(pieces).first(second.empty() ? 1 : 2)));
    connection.sent += n;
    const size_t of_first = std::min(n, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(n - of_first);
    if (first.empty()) std::swap(first, second);
  }
  return {};
}

// From a fiber of its own, so that the answer can be read meanwhile: a server that streams its
// answer while it reads would otherwise wait for us as we wait for it.
void Client::send_aside(const Attempt& attempt) {
  attempt.connection->writers.add();
  runtime_.spawn("http request body", [connection = attempt.connection, body = attempt.body] {
    send(*connection, body, "").ignore();  // the reading side finds out
    connection->writers.done();
  });
}

// Returns when the body may be sent, or (attempt.answered) need not be.
Status Client::await_continue(Attempt& attempt, Response& response) {
  Stream& stream = *attempt.connection->stream;
  const Instant patience = after(runtime_.clock(), limits_.continue_timeout);
  stream.set_read_deadline(std::min(attempt.deadline, patience));
  for (;;) {
    const Status status = read_head(attempt, response);
    if (status.is(Code::kTimeout) && patience < attempt.deadline) break;
    if (!status.ok()) return status;
    if (attempt.answered || response.head.status == 100) break;
  }
  stream.set_read_deadline(attempt.deadline);
  return {};
}

// The next head, be it an interim one.
Status Client::read_head(Attempt& attempt, Response& response) {
  MessageReader& reader = attempt.connection->reader;
  for (;;) {
    const HeadScanner::Found found = reader.next_head();
    if (found == HeadScanner::Found::kHead) break;
    if (found == HeadScanner::Found::kMalformed) {
      return {Code::kInvalidArgument,
              "malformed answer: " + std::string(reader.scanner().reason())};
    }
    const auto n = reader.fill();
    if (n.is(Code::kTooLarge)) return {Code::kInvalidArgument, "head of the answer over the limit"};
    if (!n.ok()) return n.status();
    if (*n == 0) return {Code::kClosed, "the server closed the connection"};
    attempt.answer_begun = true;
  }
  const auto malformed = reader.take_response(attempt.head.method == "HEAD", response.head);
  if (malformed) return {Code::kInvalidArgument, "malformed answer: " + malformed->reason};
  if (response.head.status == 101) return {Code::kInvalidArgument, "the server changes protocol"};
  attempt.answered = response.head.status >= 200;
  return {};
}

Status Client::read_body(const Attempt& attempt, Response& response) {
  MessageReader& reader = attempt.connection->reader;
  const Status too_large(Code::kTooLarge, "answer over the limit");
  if (reader.body_left().value_or(0) > attempt.max_response_bytes) return too_large;
  std::string& body = response.body;
  size_t have = 0;
  while (!reader.body_done()) {
    const auto expected = static_cast<size_t>(reader.body_left().value_or(0));
    body.resize(have + std::max(expected, kBodyBlock));
    DRUMLIN_ASSIGN(const size_t n, reader.read_body({body.data() + have, body.size() - have}));
    have += n;
    if (have > attempt.max_response_bytes) return too_large;
  }
  body.resize(have);
  return {};
}

}  // namespace drumlin::http
