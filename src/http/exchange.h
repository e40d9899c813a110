// Exchange: one request and its response, as a handler sees them. Made by Server, lives on the
// connection's fiber. Every call that moves bytes may yield and waits at most Limits::stall_timeout
// for progress, less for who falls below Limits::min_bytes_per_s (http/pace.h).
//
// The response is one of
//   respond(head, body)                                  all at once
//   begin(head, length), write() ..., finish()           exactly `length` bytes
//   begin_chunked(head), write() ..., finish()           unknown length (HTTP/1.0: until close)
// begin*() sends nothing: the head leaves with the first write(), flush() or finish(). Until then
// respond() or another begin*() replaces it, so what fails before the first byte can still become
// an error. Afterwards an unfinished response can only be broken off: a handler that returns
// without finish() closes the connection, and the client sees that it got less than it was
// promised.
//
// HEAD, 204, 304: write the same code as for GET; bytes of the body are accepted and dropped, and
// finish() does not insist on them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "http/message.h"
#include "http/reader.h"
#include "runtime/clock.h"
#include "runtime/network.h"

namespace drumlin::http {

struct Limits {
  size_t head_bytes = 32 << 10;  // request line and headers; also one run of trailers
  size_t max_headers = 128;
  size_t max_connections = 10000;
  size_t max_refusing = 64;      // connections over that limit that are told so at a time
  Duration head_timeout = 15s;   // from the first byte of a head to its last (slow loris)
  Duration idle_timeout = 60s;   // for the first byte of the next request
  Duration stall_timeout = 30s;  // without a byte of progress while a body is read or written
  // Of a body, either way; it may fall behind by stall_timeout. 0: any.
  uint64_t min_bytes_per_s = 1024;
  // A body that the handler does not want is read and thrown away up to here, to keep the
  // connection.
  size_t drain_bytes = 256 << 10;
  // Before a connection is closed, what still arrives is thrown away for this long, up to so many
  // bytes: closing on unread data makes TCP reset, and the reset can overtake our response.
  Duration linger_timeout = 2s;
  size_t linger_bytes = 16 << 20;
};

class Exchange {
 public:
  // `head` and all references outlive the exchange. `stopping`: the server wants connections
  // closed.
  Exchange(Stream& stream, MessageReader& reader, const Clock& clock, const Limits& limits,
           const RequestHead& head, const bool& stopping);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const RequestHead& head() const { return head_; }
  Endpoint peer() const { return stream_.peer(); }
  Instant started() const { return started_; }  // when the head was complete

  // At least one byte of the request's body, or 0 at its end. Sends "100 Continue" first if the
  // client waits for it, so a body that is not wanted need not be sent: answer without reading.
  // Read (some of) an expected body before the response begins. kTimeout when stalled, kClosed if
  // the client left, kInvalidArgument if the chunk framing is broken; errors are final.
  Result<size_t> read_body(std::span<char> into);
  // Bytes still to come; nothing if chunked and not at the end.
  std::optional<uint64_t> body_left() const { return reader_.body_left(); }
  const Headers& trailers() const { return reader_.trailers(); }  // after the end of a chunked body

  // Adds Content-Length, Connection and Date (unless given). kFailedPrecondition if responded().
  // In the answer to HEAD Content-Length is head.content_length if set, else the size of `body`.
  // An error of any call below is final for the response; the connection will be closed.
  Status respond(ResponseHead head, std::string_view body);
  Status begin(ResponseHead head, uint64_t content_length);
  Status begin_chunked(ResponseHead head);
  Status write(std::string_view bytes);  // kInvalidArgument beyond content_length
  Status flush();                        // the head, if it has not left yet
  Status finish();                       // kFailedPrecondition if bytes are missing

  // Part of the response has (or may have) left; no other can be given.
  bool responded() const { return sent_; }
  int status() const { return status_; }  // of the response; 0 before there is one
  uint64_t body_sent() const { return body_sent_; }

 private:
  friend class Server;
  enum class Phase : unsigned char { kWaiting, kBegun, kFinished, kBroken };
  Status compose(const ResponseHead& head, std::optional<uint64_t> length);
  void seal(bool body_is_over);
  Status send(std::span<std::string_view> pieces);
  Status broken(Code code, const char* message);
  bool rest_is_small();
  // After the handler: gets rid of the rest of the request's body. True if another request may
  // follow.
  bool settle();
  bool finished() const { return phase_ == Phase::kFinished; }

  Stream& stream_;
  MessageReader& reader_;
  const Clock& clock_;
  Pace reading_;
  Pace writing_;
  const Limits& limits_;
  const RequestHead& head_;
  const bool& stopping_;
  const Instant started_;
  std::string out_;  // the head until it leaves
  Phase phase_ = Phase::kWaiting;
  bool client_waits_;  // for "100 Continue"
  bool sent_ = false;
  bool bodyless_ = false;
  bool chunked_ = false;
  bool close_ = false;
  int status_ = 0;
  std::optional<uint64_t> left_;  // of content_length, if that is known
  uint64_t body_sent_ = 0;
};

}  // namespace drumlin::http
