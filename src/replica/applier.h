// Applier: the state machine of one shard on this node. Takes committed and durable entries in order,
// makes their effects on the kv and the bodies in one batch each, and answers queries from the state
// so far.
//
// Calls try the reactor first. What would block for the disk runs again, whole, in an offload job;
// until that has ended the shard takes nothing else (locked()).
#pragma once

#include <string>

#include "raft/types.h"
#include "replica/services.h"
#include "replica/wire.h"
#include "shard/shard.h"

namespace drumlin::replica {

class Applier {
 public:
  // Reads where the shard stands from the kv: in an offload job. kCorrupt, kIo.
  static Result<std::unique_ptr<Applier>> open(Services& services, uint32_t shard);

  LogIndex applied() const { return shard_.applied(); }
  bool locked() const { return busy_.locked(); }

  // The entry after applied(). Never yields. kWouldBlock: nothing has changed, use apply().
  // REQUIRES: !locked(). Halts the node if the kv is damaged or broken.
  Status try_apply(const raft::Entry& entry, std::string& reply);
  // The same, in an offload job. Yields.
  void apply(const raft::Entry& entry, std::string& reply);

  // At the state that is applied when it runs. May yield. Errors of shard::Shard::query; kCorrupt if
  // the body's bytes are damaged; kTimeout at the deadline, if it has not begun by then: reads that need
  // the disk run one after the other.
  Result<QueryReply> query(const QueryRequest& request, Instant deadline);

  // Of the whole state. Blocks for the disk; for checkers and tests.
  Result<uint64_t> digest() { return shard_.digest(*services_.kv.snapshot(kv::Access::kBlocking)); }

 private:
  Applier(Services& services, uint32_t shard)
      : services_(services),
        group_(shard),
        shard_(shard, kGeneration),
        busy_(services.runtime.scheduler(), services.runtime.clock()) {}
  Status apply_on(const kv::View& view, kv::Access access, const raft::Entry& entry,
                  std::string& reply);
  Result<QueryReply> query_on(const kv::View& view, const QueryRequest& request) const;
  [[noreturn]] void broken(const Status& why);
  Result<QueryReply> or_broken(Result<QueryReply> reply);

  // A snapshot will fill a new generation of the shard and flip it; until then there is one.
  static constexpr uint32_t kGeneration = 1;
  Services& services_;
  const GroupId group_;
  shard::Shard shard_;
  Mutex busy_;  // held while an offload job uses shard_
};

}  // namespace drumlin::replica
