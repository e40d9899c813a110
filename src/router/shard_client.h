// ShardClient: asks a shard, wherever it is led. Follows leaders, retries what fails, and gives every
// write one number for all of its attempts, so that the shard applies it at most once however often it
// arrives.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "observe/observer.h"
#include "replica/replica_set.h"
#include "router/patience.h"
#include "rpc/peer.h"
#include "runtime/runtime.h"
#include "shard/command.h"

namespace drumlin::router {

// Who the writes of this node's life come from: sessions are (node, boot).
struct Origin {
  NodeId node;
  uint64_t boot = 0;
};

class ShardClient {
 public:
  // replicas_of[s]: the nodes that hold shard s. All references must outlive it.
  ShardClient(Runtime& runtime, observe::Observer observer, Origin origin,
              const std::vector<std::vector<NodeId>>& replicas_of, replica::ReplicaSet& local,
              std::map<NodeId, rpc::Peer*> peers);

  // Fills in the session. Yields. The shard's own answer, refusals included, or kUnavailable (not
  // applied, and never will be), kOutcomeUnknown, kExhausted.
  Result<shard::Reply> write(uint32_t shard, shard::Command command, Instant deadline);
  // Linearizable. Yields. kUnavailable when no leader answered in time, and what the query itself
  // fails with.
  Result<replica::QueryReply> read(replica::QueryRequest request, Instant deadline);

  // Ends retries: calls return soon.
  void stop() { stopping_.cancel(); }
  uint32_t shards() const { return static_cast<uint32_t>(replicas_of_.size()); }

 private:
  // The numbers of a session with one shard.
  struct Numbers {
    uint64_t next = 1;
    std::set<uint64_t> outstanding;
    uint64_t low_water() const { return (outstanding.empty() ? next : *outstanding.begin()) - 1; }
  };
  class Search;
  Patience& patience_of(NodeId node, bool write);
  template <typename T, typename Attempt>
  Result<T> search(uint32_t shard, Instant deadline, bool write, Attempt&& attempt);
  Result<std::string> propose_at(NodeId node, uint32_t shard, const std::string& command,
                                 Instant deadline);
  Result<replica::QueryReply> query_at(NodeId node, const replica::QueryRequest& request,
                                       Instant deadline);

  Runtime& runtime_;
  observe::Observer observer_;
  Origin origin_;
  const std::vector<std::vector<NodeId>>& replicas_of_;
  replica::ReplicaSet& local_;
  std::map<NodeId, rpc::Peer*> peers_;
  std::vector<NodeId> leaders_;  // who answered last; 0: nobody yet
  std::vector<Numbers> numbers_;
  std::map<std::pair<NodeId, bool>, Patience>
      patience_;  // true: with writes, which wait for a disk
  Rng jitter_;
  Cancellation stopping_;
  observe::Counter& retries_;
};

}  // namespace drumlin::router
