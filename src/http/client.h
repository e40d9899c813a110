// Client: HTTP/1.1 requests to one endpoint over one connection, which is made when first needed,
// kept over requests and made again after trouble. One request at a time.
//
// What an error says about the request:
//   kUnavailable      nothing of it was sent: known not to have been done
//   kOutcomeUnknown   it was sent, at least in part, and no whole answer came: may have been done
//   kTooLarge         it was answered, with more than max_response_bytes
//   kInvalidArgument  method or target cannot be put on a request line; nothing was sent
// A server may close an idle connection just as we use it. So GET and HEAD that die on a reused
// connection before any byte of the answer are sent once more, on a fresh one (RFC 9110, 9.2.2);
// others are not, the caller knows better whether they may be.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"
#include "runtime/runtime.h"

namespace drumlin::http {

struct ClientLimits {
  size_t head_bytes = 32 << 10;  // of a response
  Duration connect_timeout = 5s;
  Duration continue_timeout = 1s;  // wait for "100 Continue" before sending the body regardless
};

class Client {
 public:
  // Makes a connection: Network::connect, or what puts TLS on top of it.
  using Connect =
      std::function<Result<std::unique_ptr<Stream>>(const Endpoint& endpoint, Instant deadline)>;
  struct Response {
    ResponseHead head;
    std::string body;
  };

  // Without `connect`: by runtime.network().
  Client(Runtime& runtime, Endpoint endpoint, ClientLimits limits = {}, Connect connect = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Any status is a success. Adds Host (unless given) and Content-Length. With head.expect_continue
  // the body is held back until the server asks for it; if it answers at once, the body is never
  // sent. `body` must live until the return. Yields; one fiber at a time.
  Result<Response> request(const RequestHead& head, std::string_view body, Instant deadline,
                           size_t max_response_bytes);

  // Closes the connection; a request under way fails. The next one connects anew. Does not yield.
  void close();
  bool connected() const;
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  struct Connection;
  struct Attempt;
  Result<Response> attempt(Attempt& attempt);
  Result<std::shared_ptr<Connection>> connect(Instant deadline);
  Status exchange(Attempt& attempt, Response& response);
  std::string compose(const Attempt& attempt) const;
  static Status send(Connection& connection, std::string_view first, std::string_view second);
  void send_aside(const Attempt& attempt);
  Status await_continue(Attempt& attempt, Response& response);
  static Status read_head(Attempt& attempt, Response& response);
  static Status read_body(const Attempt& attempt, Response& response);

  Runtime& runtime_;
  const Endpoint endpoint_;
  const ClientLimits limits_;
  const Connect connect_;
  std::shared_ptr<Connection> connection_;
  uint64_t closes_ = 0;  // calls of close()
  bool busy_ = false;
};

}  // namespace drumlin::http
