// What the replicas of a node share: the disk below them, and the loop around them.
#pragma once

#include <cstdint>

#include "kv/api/kv.h"
#include "observe/observer.h"
#include "raft/raft.h"
#include "replica/observer.h"
#include "runtime/runtime.h"
#include "runtime/sync.h"
#include "segment/api/body_store.h"
#include "wal/hardstate.h"
#include "wal/wal.h"

namespace drumlin::replica {

class Group;

struct Options {
  NodeId self;
  Duration tick = 50ms;
  uint32_t heartbeat_ticks = 2;
  uint32_t election_ticks_min = 8;
  uint32_t election_ticks_max = 16;
  uint32_t disk_stall_ticks = 4;  // a write of the log that takes longer: the disk hangs. 0: never
  size_t log_cache_bytes = 1u << 20;
  size_t uncommitted_bytes = 64u << 20;         // a group
  size_t uncommitted_bytes_total = 512u << 20;  // all groups of the node
  size_t append_bytes = 1u << 20;
  size_t append_inflight_bytes = 32u << 20;
  size_t append_inflight_messages = 256;
  Duration request_timeout = 10s;             // the longest that a peer may ask us to wait
  uint64_t kv_flush_wal_bytes = 64u << 20;    // flush the kv after so many bytes of log
  size_t snapshot_part_bytes = 1u << 20;      // one row may exceed it
  uint64_t snapshot_bytes_per_s = 64u << 20;  // sent by the node, all transfers together; 0: any
  uint64_t wal_retain_bytes = 128u << 20;     // the newest files stay, though the kv has it all
  uint64_t wal_max_bytes = 1u << 30;          // and more for followers that are behind
};

struct Services {
  Runtime& runtime;
  observe::Observer observer;
  wal::Wal& wal;
  wal::HardStateStore& hard_states;
  kv::Kv& kv;
  segment::BodyStore& bodies;
  ReplicaObserver* watch;  // simulation only; may be null
  Options options;
  size_t uncommitted_bytes = 0;  // of all groups that lead; kept by Group
  Instant snapshot_next{};       // when the next part may be sent; kept by Snapshots
};

// How a group reaches its loop (ReplicaSet). Nothing yields that does not say so.
class Loop {
 public:
  virtual ~Loop() = default;
  // The group has something to do: its turn comes soon.
  virtual void wake(Group& group) = 0;
  virtual void wake(GroupId group) = 0;
  // One for each snapshot that is being sent: it pins a state of the kv.
  virtual Semaphore& snapshot_turns() = 0;
  // A request to another node: as rpc::Peer::call(), which yields.
  virtual Result<std::string> call(NodeId to, uint8_t kind, std::string payload,
                                   Instant deadline) = 0;
  // `append` of the group lies in the WAL at `lsn`; Group::appended() follows once that is durable.
  virtual void await_append(Group& group, Lsn lsn, uint64_t append, LogIndex last, Term term) = 0;
};

}  // namespace drumlin::replica
