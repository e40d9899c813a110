// Server: HTTP/1.1 on a listener. One fiber per connection reads a request, calls the handler with
// an Exchange and goes on with the next; pipelined requests are answered in order.
//
// Requests that HTTP itself refuses (malformed, too large, too slow, over the connection limit)
// never reach the handler: the error responder words the answer, then the connection is closed.
// What counts as malformed: http/parser.h.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "observe/observer.h"
#include "runtime/runtime.h"

namespace drumlin::http {

class Server {
 public:
  // Runs on the connection's fiber and may yield. If it returns without a response, 500 is
  // answered.
  using Handler = std::function<void(Exchange&)>;
  // Fills headers and body for `status`; `reason` is for people. Must not yield.
  using ErrorResponder = std::function<void(int status, std::string_view reason, ResponseHead& head,
                                            std::string& body)>;

  Server(Runtime& runtime, observe::Observer observer, std::unique_ptr<Listener> listener,
         Limits limits, Handler handler, ErrorResponder error_responder);
  // Its fibers must be gone: drain() has returned, or the domain was killed.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Begins to accept. Once; does not yield.
  void start();
  // Accepts no more and closes the connections that wait for a request; those in an exchange finish
  // it and are closed then. Does not yield. Idempotent.
  void stop();
  // stop(), then waits until the last connection has ended. OK, or kTimeout if some have not: these
  // go on. Yields.
  Status settle(Instant deadline);
  // settle(); at the deadline the rest is cut off and their handlers waited for, however long they
  // take: make what they wait for end first. OK, or kTimeout if some had to be cut. Yields.
  Status drain(Instant deadline);

  Endpoint local() const { return listener_->local(); }
  size_t connections() const { return connections_.size(); }
  uint64_t requests() const { return requests_; }  // handed to the handler so far

 private:
  struct Connection;
  enum class Next : unsigned char { kRequest, kLinger, kClose };
  void accept_loop();
  void serve(std::unique_ptr<Stream> stream, bool refused);
  Next serve_request(Connection& connection);
  Next read_head(Connection& connection);
  Next answer_error(Connection& connection, int status, std::string_view reason);
  void give_error(Exchange& exchange, int status, std::string_view reason);
  void linger(Stream& stream);

  Runtime& runtime_;
  observe::Observer observer_;
  std::unique_ptr<Listener> listener_;
  const Limits limits_;
  Handler handler_;
  ErrorResponder error_responder_;
  observe::Gauge& open_gauge_;
  observe::Counter& request_counter_;
  observe::Counter& refused_counter_;
  std::map<uint64_t, Connection*> connections_;  // by order of arrival
  uint64_t next_connection_ = 0;
  uint64_t requests_ = 0;
  size_t serving_ = 0;   // connections within the limit, from their acceptance on
  size_t refusing_ = 0;  // fibers that tell a connection over the limit so
  bool started_ = false;
  bool stopping_ = false;
  WaitGroup fibers_;
};

}  // namespace drumlin::http
