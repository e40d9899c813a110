// MessageReader: one direction of a connection, heads and bodies in turn. Shared by server and client.
//
// Owns the connection's read buffer, which is kept over messages: bytes that came with one message
// but belong to the next stay there. Heads and chunk frames go through the buffer, bodies only as far
// as they happen to be in it already; the rest is read straight into the caller's memory.
//
// Deadlines are the stream's: the caller sets them before calls that may yield.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/status.h"
#include "http/pace.h"
#include "http/parser.h"
#include "runtime/network.h"

namespace drumlin::http {

class MessageReader {
 public:
  // `head_bytes`: the longest head, and the longest run of chunk framing or trailers.
  MessageReader(Stream& stream, size_t head_bytes) : stream_(stream), limit_(head_bytes) {}

  // Reads once from the stream into the buffer. 0 at the end of the stream. kTooLarge if the buffer
  // is full to the limit.
  Result<size_t> fill();
  // No message is expected soon: gives up the buffer if nothing is in it.
  void rest();
  std::string_view buffered() const { return {data_.get() + begin_, end_ - begin_}; }

  // A head: call next_head() and fill() in turn until the answer is something else than kNeedMore,
  // then take it. Between the first next_head() and the taking nothing else is called.
  HeadScanner::Found next_head() { return scanner_.scan(buffered()); }
  const HeadScanner& scanner() const { return scanner_; }
  std::optional<Malformed> take_request(RequestHead& out);
  std::optional<Malformed> take_response(bool to_head, ResponseHead& out);

  // The body of the message whose head was taken last. May yield. At least one byte, or 0 at its end
  // (and for an empty `into`). kClosed if the stream ends first, kInvalidArgument if the chunk framing
  // is broken; after an error every call returns it again.
  Result<size_t> read_body(std::span<char> into);
  bool body_done() const;
  // Throws away what is in the buffer of this body; never yields. True if that completes the body.
  bool discard_buffered();
  // Bytes of body still to come, as far as it is known.
  std::optional<uint64_t> body_left() const;
  bool failed() const { return !failure_.ok(); }
  const Headers& trailers() const { return parser_.trailers(); }

 private:
  void begin_body();
  Result<size_t> read_data(std::span<char> into);
  Result<size_t> read_chunks(std::span<char> into);
  Status fail(Code code, const char* message);
  void consume(size_t n);

  Stream& stream_;
  size_t limit_;
  std::unique_ptr<char[]> data_;  // grows up to limit_
  size_t capacity_ = 0;
  bool rested_ = false;  // the next buffer need hold no more than the first bytes of a message
  size_t begin_ = 0;     // data_[begin_, end_) is buffered
  size_t end_ = 0;
  HeadScanner scanner_;
  Parser parser_;
  uint64_t left_ = 0;  // kLength: bytes to come; kUntilClose: 1 until the end was seen
  Status failure_;
};

// Writes all of `pieces` (which it consumes), each step within `pace`. May yield.
Status write_pieces(Stream& stream, Pace& pace, std::span<std::string_view> pieces);

}  // namespace drumlin::http
