// Server: accepts the connections that other nodes dial and hands their frames to a Handler.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

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
  Duration hello_timeout = 2s;      // from the connection's arrival to the dialer's Hello
  Duration handshake_timeout = 5s;  // the whole handshake
  Duration write_timeout = 10s;
  // Of dialers that have not proven the secret yet. One more drops the oldest, preferably one that
  // has not even sent its Hello. Proven peers are not counted: a peer has one connection a lane,
  // and a new one ends the one before.
  size_t max_handshakes = 64;
  // Of one peer, over all of its connections, the former ones included whose requests still run. Beyond
  // either a request is answered with kUnavailable, unread by the handler, and reading goes on: entries
  // share the lane. One request is always taken. It counts until its reply is written.
  size_t peer_requests = 512;
  size_t peer_request_bytes = 256u << 20;             // frames of those requests
  size_t max_reply_bytes_per_connection = 64u << 20;  // not yet written; beyond it requests wait
  // Of one connection, replies without a request that counts: to pings, and refusals. A peer that lets so
  // many of them pile up reads nothing, and is cut off soon; until then it is not read either.
  size_t max_small_replies_per_connection = 4096;
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
  struct Load;
  class Admission;
  class Arrival;
  // A connection whose dialer has proven nothing yet.
  struct Stranger {
    Stream* stream = nullptr;
    bool greeted = false;  // its Hello was fit for this node
  };
  void accept_loop();
  void serve(std::unique_ptr<Stream> stream);
  void make_room_for_a_stranger();
  void converse(const std::shared_ptr<Connection>& connection);
  void read_frames(const std::shared_ptr<Connection>& connection);
  bool await_reader_of_replies(Connection& connection) const;
  void take_request(const std::shared_ptr<Connection>& connection, Frame frame);
  std::shared_ptr<Admission> admit(NodeId peer, size_t bytes);
  bool crowded();
  void refuse(Connection& connection, const Frame& request);
  static void reply(Connection& connection, Frame frame, std::shared_ptr<Admission> admission);
  void run_request(Connection& connection, Frame& request, std::shared_ptr<Admission> admission);
  void write_replies(Connection& connection);

  Runtime& runtime_;
  observe::Observer observer_;
  const Identity& self_;
  Membership& membership_;
  Handler& handler_;
  std::unique_ptr<Listener> listener_;
  ServerOptions options_;
  std::map<uint64_t, Stream*> streams_;                              // all, by order of arrival
  std::map<uint64_t, Stranger> strangers_;                           // of those, the unproven
  std::map<std::pair<NodeId, uint8_t>, Connection*> conversations_;  // by peer and lane
  std::map<NodeId, std::shared_ptr<Load>> loads_;
  observe::Counter& refused_;
  uint64_t next_connection_ = 0;
  Instant crowded_until_{};  // crowded()
  Instant next_crowd_{};
  bool stopping_ = false;
};

}  // namespace drumlin::rpc
