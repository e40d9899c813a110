#include "http/parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

#include "base/check.h"

namespace drumlin::http {

namespace beast = boost::beast;
using beast::error_code;
using beast::http::field;

HeadScanner::Found HeadScanner::scan(std::string_view buffer) {
  while (position_ < buffer.size()) {
    // A continued line would let two readers of the same bytes see different headers.
    if (position_ == line_start_ && lines_ > 0 &&
        (buffer[position_] == ' ' || buffer[position_] == '\t')) {
      reason_ = "folded header line";
      return Found::kMalformed;
    }
    const void* hit = std::memchr(buffer.data() + position_, '\n', buffer.size() - position_);
    if (hit == nullptr) {
      position_ = buffer.size();
      break;
    }
    const auto at = static_cast<size_t>(static_cast<const char*>(hit) - buffer.data());
    if (at == line_start_ || buffer[at - 1] != '\r') {
      reason_ = "line feed without carriage return";
      return Found::kMalformed;
    }
    const bool empty = at - line_start_ == 1;
    position_ = line_start_ = at + 1;
    if (!empty) {
      ++lines_;
    } else if (lines_ == 0) {
      leading_ = position_;
    } else {
      return Found::kHead;
    }
  }
  return Found::kNeedMore;
}

// What Beast calls back; everything lands in the head being filled or in the Parser.
template <bool kIsRequest>
class Machine final : public beast::http::basic_parser<kIsRequest> {
 public:
  explicit Machine(Parser& parser) : parser_(parser) {
    this->body_limit(boost::none);
    this->header_limit(UINT32_MAX);  // the reader's buffer is the limit
  }

  RequestHead* request = nullptr;
  ResponseHead* response = nullptr;
  size_t hosts = 0;
  size_t lengths = 0;  // Content-Length headers
  bool coded = false;  // Transfer-Encoding was there
  bool head_done = false;
  bool foreign_coding = false;       // a transfer coding other than a single "chunked"
  bool foreign_expectation = false;  // other than "100-continue"

 private:
  using View = beast::string_view;
  static std::string_view view(View v) { return {v.data(), v.size()}; }

  void on_request_impl(beast::http::verb, View method, View target, int version,
                       error_code&) override {
    request->method = view(method);
    request->target = view(target);
    request->version = version;
  }
  void on_response_impl(int code, View, int, error_code&) override { response->status = code; }

  void on_field_impl(field name, View name_text, View value, error_code&) override {
    if (head_done) {
      parser_.trailers_.append(view(name_text), view(value));
      return;
    }
    Headers& headers = kIsRequest ? request->headers : response->headers;
    headers.append(view(name_text), view(value));
    if (name == field::host) ++hosts;
    if (name == field::content_length) {
      ++lengths;
      // Beast takes "5, 5"; one number is all that is sane.
      if (view(value).find_first_not_of("0123456789") != std::string_view::npos) ++lengths;
    }
    if (name == field::transfer_encoding) {
      foreign_coding = foreign_coding || coded || !iequals(view(value), "chunked");
      coded = true;
    }
    if constexpr (kIsRequest) {
      if (name == field::expect) {
        if (iequals(view(value), "100-continue")) {
          request->expect_continue = true;
        } else {
          foreign_expectation = true;
        }
      }
    }
  }
  void on_header_impl(error_code&) override { head_done = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(View body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t size, View, error_code&) override {
    parser_.chunk_left_ = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
    return body.size();
  }
  void on_finish_impl(error_code&) override { parser_.chunks_ended_ = true; }

  Parser& parser_;
};

// At most one machine exists: that of the message under way.
struct Parser::Impl {
  std::optional<Machine<true>> request;
  std::optional<Machine<false>> response;

  size_t put(std::string_view bytes, error_code& error) {
    const boost::asio::const_buffer buffer(bytes.data(), bytes.size());
    return request ? request->put(buffer, error) : response->put(buffer, error);
  }
};

namespace {

// "... HTTP/2.0": well formed, but not a version that is spoken here.
bool names_other_version(std::string_view line) {
  const size_t n = line.size();
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return n > 8 && std::count(line.begin(), line.end(), ' ') == 2 &&
         line.substr(n - 8, 5) == "HTTP/" && digit(line[n - 3]) && line[n - 2] == '.' &&
         digit(line[n - 1]);
}

Malformed explain(const error_code& error, std::string_view block) {
  const std::string_view line = block.substr(0, block.find('\r'));
  if (error == beast::http::error::bad_version && names_other_version(line)) {
    return {505, "that version of HTTP is not spoken here"};
  }
  return {400, error ? error.message() : "incomplete head"};
}

}  // namespace

Parser::Parser() : impl_(std::make_unique<Impl>()) {}
Parser::~Parser() = default;

std::optional<Malformed> Parser::run(std::string_view block, bool is_request) {
  framing_ = Framing::kNone;
  length_ = chunk_left_ = 0;
  chunks_ended_ = false;
  trailers_.clear();
  error_code error;
  const size_t consumed = impl_->put(block, error);
  const bool done = is_request ? impl_->request->head_done : impl_->response->head_done;
  if (error || !done || consumed != block.size()) return explain(error, block);
  return std::nullopt;
}

std::optional<Malformed> Parser::request(std::string_view block, RequestHead& out) {
  out.clear();
  impl_->response.reset();
  Machine<true>& machine = impl_->request.emplace(*this);
  machine.request = &out;
  if (auto malformed = run(block, true)) return malformed;

  if (machine.lengths > 1) return Malformed{400, "more than one Content-Length"};
  if (machine.lengths > 0 && machine.coded) {
    return Malformed{400, "Content-Length beside Transfer-Encoding"};
  }
  if (machine.foreign_coding) return Malformed{501, "unsupported transfer coding"};
  out.keep_alive = out.version == 11 && machine.keep_alive();  // HTTP/1.0: never
  out.chunked = machine.chunked();
  if (const auto length = machine.content_length()) out.content_length = *length;
  if (out.version == 10) {
    if (out.chunked) return Malformed{400, "chunked in HTTP/1.0"};
    out.expect_continue = false;
  } else if (machine.hosts != 1) {
    return Malformed{400, machine.hosts == 0 ? "no Host header" : "more than one Host header"};
  }
  if (machine.hosts > 1) return Malformed{400, "more than one Host header"};
  if (machine.foreign_expectation) return Malformed{417, "unknown expectation"};
  if (out.chunked) {
    framing_ = Framing::kChunked;
  } else if (out.has_body()) {
    framing_ = Framing::kLength;
    length_ = *out.content_length;
  }
  return std::nullopt;
}

std::optional<Malformed> Parser::response(std::string_view block, bool to_head, ResponseHead& out) {
  out.headers.clear();
  out.content_length.reset();
  impl_->request.reset();
  Machine<false>& machine = impl_->response.emplace(*this);
  machine.response = &out;
  machine.skip(to_head);
  if (auto malformed = run(block, false)) return malformed;

  if (machine.lengths > 1) return Malformed{400, "more than one Content-Length"};
  if (machine.lengths > 0 && machine.coded) {
    return Malformed{400, "Content-Length beside Transfer-Encoding"};
  }
  if (machine.foreign_coding) return Malformed{501, "unsupported transfer coding"};
  out.close = !machine.keep_alive();
  if (const auto length = machine.content_length()) out.content_length = *length;
  if (to_head || !status_has_body(out.status)) return std::nullopt;
  if (machine.chunked()) {
    framing_ = Framing::kChunked;
  } else if (!out.content_length) {
    framing_ = Framing::kUntilClose;
    out.close = true;
  } else if (*out.content_length > 0) {
    framing_ = Framing::kLength;
    length_ = *out.content_length;
  }
  return std::nullopt;
}

Parser::Frames Parser::frames(std::string_view bytes) {
  // The shortest framing that is left in any sound body, "0\r\n\r\n". Beast does not expect to be
  // called with less of it twice.
  constexpr size_t kLeast = 5;
  Frames out;
  while (chunk_left_ == 0 && !chunks_ended_) {
    if (bytes.size() - out.consumed < kLeast) {
      out.need_more = true;
      break;
    }
    error_code error;
    out.consumed += impl_->put(bytes.substr(out.consumed), error);
    if (error == beast::http::error::need_more) {
      out.need_more = true;
      break;
    }
    if (error) {
      out.malformed = true;
      break;
    }
  }
  return out;
}

void Parser::took(std::string_view data) {
  DRUMLIN_CHECK(!data.empty() && data.size() <= chunk_left_);
  // Beast counts the bytes along; it does not look at them.
  error_code error;
  const size_t counted = impl_->put(data, error);
  DRUMLIN_CHECK_EQ(counted, data.size());
  chunk_left_ -= data.size();
}

}  // namespace drumlin::http
