// TLS as a Stream over a Stream: the one below carries what OpenSSL makes of the one above.
//
// Beyond what Stream says:
//   - The handshake is part of the first read or write; it fails every call with kRefused (and the
//     reason), or with kTimeout past its deadline. Until it is over both deadlines hold also for it.
//   - read_some returns 0 only after the other side's close_notify. A connection that ends without one
//     is cut short, by whomever: kClosed. What was read before it is genuine.
//   - shutdown_write() sends close_notify, from a fiber of its own that lives for 2 s at most; reading
//     goes on. close() sends nothing.
//   - A failed write is final for writing: part of a record may have left.
// While a read waits it lends the caller's memory to the stream below: bytes of `into` beyond those
// that it returns may change.
//
// A connection keeps about 64 KiB in each direction at most, and next to nothing while it is idle.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/network.h"
#include "runtime/runtime.h"
#include "tls/context.h"

namespace drumlin::tls {

// How a handshake ended.
struct Handshake {
  Status status;
  std::string_view version;  // "TLSv1.3"; empty if it failed
  std::string_view cipher;
};
// Must not yield.
using OnHandshake = std::function<void(const Endpoint& peer, const Handshake& handshake)>;

struct StreamOptions {
  Instant handshake_deadline = kNever;
  // Permits of handshakes that may be offloaded at a time, if the context is heavy(). Null: none is.
  std::shared_ptr<Semaphore> offloads;
  OnHandshake on_handshake;
};

// The accepting side. Does not yield.
std::unique_ptr<Stream> server_stream(Runtime& runtime, std::shared_ptr<const Context> context,
                                      std::unique_ptr<Stream> below, StreamOptions options);

// The connecting side; `address` is the server's, as its certificate must name it. Does not yield.
std::unique_ptr<Stream> client_stream(Runtime& runtime, std::shared_ptr<const Context> context,
                                      const std::string& address, std::unique_ptr<Stream> below,
                                      StreamOptions options);

}  // namespace drumlin::tls
