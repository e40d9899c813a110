// Node: the composition root. One configuration and one runtime in, a running node out. The same code
// runs in the daemon (server/ joins it with host/) and in the simulator (sim/ joins it with itself).
//
// Start: superblock -> hard state -> kv -> write-ahead log (streamed) -> replicas -> peers -> listeners.
// Stop: listeners -> requests under way -> replicas -> kv flush -> clean mark in the superblock.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "node/config.h"
#include "observe/observer.h"
#include "replica/observer.h"
#include "runtime/runtime.h"

namespace drumlin::kv {
class Kv;
struct RocksOptions;
}  // namespace drumlin::kv

namespace drumlin::node {

struct Hooks {
  observe::LogSink log;
  // A whole file of the machine by its path, for tls.certificate and tls.key. May block: it is called
  // in an offload job. Errors name the file. Needed with TLS only.
  std::function<Result<std::string>(const std::string& path)> read_file;
  observe::TraceSink* trace = nullptr;           // simulation only
  replica::ReplicaObserver* replicas = nullptr;  // simulation only
  // In place of kv::open_rocksdb, with its contract: the same engine on a simulated disk.
  std::function<Result<std::unique_ptr<kv::Kv>>(const kv::RocksOptions&)> open_rocksdb;
};

class Node {
 public:
  // `config` must have been validated.
  Node(Runtime& runtime, Config config, Hooks hooks);
  ~Node();

  // Starts, serves until `stop` is cancelled, stops in order. On the domain's first fiber. Returns why
  // it could not start, or OK after a stop. A node that meets a broken invariant or a failed sync
  // while running does not return: it halts.
  Status run(Cancellation& stop);

  // Reads certificate and key again, from a fiber of its own; new connections get them. If they are
  // not good the log says why, and the old ones stay in use. While run() runs; does not yield.
  void reload();

  // For checkers and tests.
  struct Parts;
  Parts& parts() { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace drumlin::node
