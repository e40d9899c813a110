// NetStack: the network as one process sees it (runtime/network.h): listeners and the handshake.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "runtime/network.h"
#include "sim/runtime/network.h"
#include "sim/runtime/parked.h"

namespace drumlin::sim {

class Connection;
class Process;

class NetStack final : public Network {
 public:
  explicit NetStack(Process& process) : process_(process) {}

  // On the host's own address, every address ("0.0.0.0", "::") or its loopback ("127.0.0.1",
  // "::1").
  Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) override;
  Result<std::unique_ptr<Stream>> connect(const Endpoint& endpoint, Instant deadline) override;

 private:
  Process& process_;
};

// A port of a process. As long as it is open, SimNetwork finds it.
class SimListener final : public Listener {
 public:
  SimListener(Process& process, uint64_t id, Endpoint local, bool local_only);
  ~SimListener() override;

  Result<std::unique_ptr<Stream>> accept() override;
  void close() override;
  Endpoint local() const override { return local_; }

  // -- For the network.
  Process& process() const { return process_; }
  uint64_t id() const { return id_; }
  bool local_only() const { return local_only_; }
  bool has_room() const;
  void arrived(std::shared_ptr<Connection> connection);

 private:
  // What accept() waits on. Outlives the listener while a fiber still stands in it.
  struct Backlog {
    std::deque<std::shared_ptr<Connection>> connections;
    std::deque<Parked*> waiting;
    bool closed = false;
  };
  Process& process_;
  const uint64_t id_;
  const Endpoint local_;
  const bool local_only_;
  std::shared_ptr<Backlog> backlog_;
};

}  // namespace drumlin::sim
