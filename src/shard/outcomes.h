// Outcomes: what the writes that carry a client's own id were told, so that a retry of the client gets
// its first answer and not a second try. Sessions do that for a node's attempts; this does it for a
// client's, over any node and any restart. Part of the replicated state.
//
// Kept for kKeep of log time, and no more than kMax of them in a shard: beyond it the oldest goes. Both
// are decided when an entry is applied, by the log alone. One takes about 200 bytes of memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "kv/api/kv.h"
#include "shard/keys.h"
#include "shard/types.h"

namespace drumlin::shard {

class Outcomes {
 public:
  static constexpr Duration kKeep = 15min;
  static constexpr size_t kMax = 4096;
  // Of what is too old, removed with one entry: an idle hour must not make a batch of thousands.
  static constexpr size_t kPurge = 16;

  Status load(const kv::View& view, const Keys& keys);

  // The reply to an earlier try of the request, unless it is too old.
  std::optional<std::string> answered(RequestDigest request, WallTime log_time) const;

  // purge(), then record() if there is an outcome, once each for an entry. They go to `batch` now, and
  // to memory at commit(). A request without an id is not recorded.
  void purge(WallTime log_time, const Keys& keys, kv::Batch& batch);
  void record(RequestDigest request, const std::string& reply, uint64_t index, WallTime log_time,
              const Keys& keys, kv::Batch& batch);
  void commit();
  void discard();

  size_t size() const { return by_index_.size(); }

 private:
  struct Outcome {
    RequestDigest request;
    WallTime time{};
    std::string reply;
  };
  void remember(uint64_t index, Outcome outcome);

  std::map<uint64_t, Outcome> by_index_;  // log time does not fall: also by age
  std::map<RequestDigest, uint64_t> by_request_;
  std::vector<uint64_t> staged_removals_;
  std::optional<std::pair<uint64_t, Outcome>> staged_;
};

}  // namespace drumlin::shard
