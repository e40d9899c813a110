// Applier: the state machine of one shard on this node. Takes committed and durable entries in order,
// makes their effects on the kv and the bodies in one batch each, and answers queries from the state
// so far.
//
// Calls try the reactor first. What would block for the disk runs again, whole, in an offload job;
// until that has ended the shard takes nothing else (locked()).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "raft/types.h"
#include "replica/services.h"
#include "replica/wire.h"
#include "shard/shard.h"

namespace drumlin::replica {

class Applier {
 public:
  // Reads where the shard stands from the kv: in an offload job. kCorrupt, kIo.
  static Result<std::unique_ptr<Applier>> open(Services& services, uint32_t shard);

  LogIndex applied() const { return shard_->applied(); }
  bool locked() const { return busy_.locked(); }

  // The entry after applied(). Never yields. kWouldBlock: nothing has changed, use apply().
  // REQUIRES: !locked(). Halts the node if the kv is damaged or broken.
  Status try_apply(const raft::Entry& entry, std::string& reply);
  // The same, in an offload job. Yields. False if a snapshot that has the entry came first.
  bool apply(const raft::Entry& entry, std::string& reply);

  // At the state that is applied when it runs. May yield. Errors of shard::Shard::query; kCorrupt if
  // the body's bytes are damaged; kTimeout at the deadline, if it has not begun by then: reads that need
  // the disk run one after the other.
  Result<QueryReply> query(const QueryRequest& request, Instant deadline);

  // The whole state, as it is after entry `index`.
  struct Image {
    std::unique_ptr<kv::View> view;  // for offload jobs
    std::string prefix;              // of the shard's rows in it
    LogIndex index;
  };
  // Yields while a job works on the shard.
  Image image();

  // A snapshot from elsewhere is filled into a generation of the shard's rows of which nobody knows, and
  // then takes the place of the present one. Each of these yields, works in an offload job, and halts the
  // node if the kv fails.
  void begin_install();  // empties that generation
  void fill(const std::vector<SnapshotPart::Row>& rows);
  // The rows are the state after entry `index`: durable, and applied() from now on. False, and nothing has
  // happened, if applied() has come as far, or the rows are no such state.
  bool install(LogIndex index, Term term);
  // Removes the rows of earlier generations.
  void sweep();

  // The last snapshot that was installed; 0 if none ever was.
  LogIndex installed() const { return installed_; }
  Term installed_term() const { return installed_term_; }

  // Of the whole state. Blocks for the disk; for checkers and tests.
  Result<uint64_t> digest() {
    return shard_->digest(*services_.kv.snapshot(kv::Access::kBlocking));
  }

 private:
  Applier(Services& services, uint32_t shard)
      : services_(services),
        group_(shard),
        number_(shard),
        busy_(services.runtime.scheduler(), services.runtime.clock()) {}
  Status apply_on(const kv::View& view, kv::Access access, const raft::Entry& entry,
                  std::string& reply);
  Result<QueryReply> query_on(const kv::View& view, const QueryRequest& request) const;
  [[noreturn]] void broken(const Status& why);
  Result<QueryReply> or_broken(Result<QueryReply> reply);

  Status load(const kv::View& view);
  Status erase(std::string_view first, std::string_view end);
  std::string rows_of(uint32_t generation) const;
  void in_job(const std::function<Status()>& work);

  Services& services_;
  const GroupId group_;
  const uint32_t number_;  // of the shard
  uint32_t generation_ = 1;
  LogIndex installed_;
  Term installed_term_;
  std::unique_ptr<shard::Shard> shard_;
  Mutex busy_;  // held while an offload job uses shard_
};

}  // namespace drumlin::replica
