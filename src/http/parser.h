// HeadScanner and Parser: bytes to heads and chunk frames. No I/O, never yields.
//
// The grammar is Boost.Beast's (its basic_parser, which is built to be driven like this); the only
// file that includes Beast is parser.cpp. What is refused on top of it closes the doors through which
// requests are smuggled past a proxy (RFC 9112, 11.2): Content-Length beside Transfer-Encoding, any
// transfer coding but a single "chunked", chunked in HTTP/1.0, folded lines, bare line feeds, more or
// less than one Host.
//
// Why not Beast's read() over a stream adapter: driving the parser ourselves lets a body go from the
// stream into the caller's memory without a copy, reuses the head's memory over requests, and keeps
// Asio's buffer machinery (and its compile time) out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/message.h"

namespace drumlin::http {

// Why a message was refused, as the answer to give.
struct Malformed {
  int status = 400;
  std::string reason;
};

// Looks for the end of a head in a growing buffer; every byte is looked at once.
class HeadScanner {
 public:
  enum class Found : unsigned char { kNeedMore, kHead, kMalformed };
  // `buffer` begins with what earlier calls saw. Empty lines before the first are skipped: they are
  // part of the head that is found.
  Found scan(std::string_view buffer);
  void reset() { *this = HeadScanner(); }
  size_t head_size() const { return position_; }     // after kHead, up to the empty line's end
  size_t leading_bytes() const { return leading_; }  // of those, empty lines before the first
  size_t lines() const { return lines_; }            // complete ones, leading ones not counted
  std::string_view reason() const { return reason_; }

 private:
  size_t position_ = 0;    // scanned up to here
  size_t line_start_ = 0;  // of the line under scan
  size_t leading_ = 0;
  size_t lines_ = 0;
  std::string_view reason_;
};

enum class Framing : unsigned char { kNone, kLength, kChunked, kUntilClose };

class Parser {
 public:
  Parser();
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // `block` is a whole head as the scanner found it, without leading empty lines. Fills `out`; if
  // something is returned, `out` is unspecified and the connection cannot be used any further.
  std::optional<Malformed> request(std::string_view block, RequestHead& out);
  // `to_head`: the response to a HEAD request, which has no body whatever it says.
  std::optional<Malformed> response(std::string_view block, bool to_head, ResponseHead& out);

  // Of the message whose head was parsed last.
  Framing framing() const { return framing_; }
  uint64_t length() const { return length_; }  // if kLength

  // Chunked bodies (framing() == kChunked), in turns: frames() eats framing until data is due or the
  // body has ended; took() says which bytes of data were taken.
  struct Frames {
    size_t consumed = 0;
    bool need_more = false;  // call again with more bytes (and the same beginning)
    bool malformed = false;
  };
  Frames frames(std::string_view bytes);
  uint64_t chunk_left() const { return chunk_left_; }  // bytes of data due now
  bool chunks_ended() const { return chunks_ended_; }
  // REQUIRES: 0 < data.size() <= chunk_left().
  void took(std::string_view data);
  const Headers& trailers() const { return trailers_; }

 private:
  struct Impl;
  template <bool kIsRequest>
  friend class Machine;
  std::optional<Malformed> run(std::string_view block, bool request);
  std::unique_ptr<Impl> impl_;
  Framing framing_ = Framing::kNone;
  uint64_t length_ = 0;
  uint64_t chunk_left_ = 0;
  bool chunks_ended_ = false;
  Headers trailers_;
};

}  // namespace drumlin::http
