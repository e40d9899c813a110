// Server: accepts the connections that other nodes dial and hands their frames to a Handler.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "observe/observer.h"
#include "rpc/frame.h"
#include "rpc/handshake.h"
#include "rpc/identity.h"
#include "runtime/runtime.h"

namespace drumlin::rpc {

class Handler {
 public:
  virtual ~Handler() = default;
  // Runs on the connection's fiber, frame by frame in order; should not yield.
  virtual void on_message(NodeId from, uint8_t kind, std::string payload) = 0;
  // Runs on a fiber of its own and may yield. The reply is the value or the Status.
  virtual Result<std::string> on_request(NodeId from, uint8_t kind, std::string payload) = 0;
};

struct ServerOptions {
  Duration handshake_timeout = 5s;
  Duration write_timeout = 10s;
  size_t max_connections = 256;
  size_t max_requests_per_connection = 512;  // beyond it the connection is not read
};

class Server {
 public:
  Server(Runtime& runtime, observe::Observer observer, const Identity& self, Membership& membership,
         Handler& handler, std::unique_ptr<Listener> listener, ServerOptions options = {});
  ~Server();
  // Spawns the accepting fiber. stop() closes listener and connections; neither yields.
  void start();
  void stop();

 private:
  struct Connection;
  void accept_loop();
  void serve(std::unique_ptr<Stream> stream);
  void read_frames(const std::shared_ptr<Connection>& connection);
  void write_replies(Connection& connection);

  Runtime& runtime_;
  observe::Observer observer_;
  const Identity& self_;
  Membership& membership_;
  Handler& handler_;
  std::unique_ptr<Listener> listener_;
  ServerOptions options_;
  std::map<uint64_t, Stream*> streams_;
  uint64_t next_connection_ = 0;
  bool stopping_ = false;
};

}  // namespace drumlin::rpc
