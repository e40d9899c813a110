// Sessions: which numbered commands of which router have been applied, and what each was told. Part of
// the replicated state: every replica decides the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/status.h"
#include "kv/api/kv.h"
#include "shard/command.h"
#include "shard/keys.h"

namespace drumlin::shard {

class Sessions {
 public:
  static constexpr size_t kMaxReplies = 4096;  // of one session, not yet below its low water

  Status load(const kv::View& view, const Keys& keys);

  // What to answer without applying the command: its first reply, or a refusal. Nothing: apply it.
  std::optional<std::string> answered(const Session& session) const;

  // Notes that the command was applied. Goes to `batch` now, and to memory at commit().
  void record(const Session& session, const std::string& reply, const Keys& keys, kv::Batch& batch);
  void commit();
  void discard() { staged_.reset(); }

 private:
  struct State {
    uint64_t boot = 0;
    uint64_t low_water = 0;
    std::map<uint64_t, std::string> replies;
  };
  struct Staged {
    Session session;
    std::string reply;
  };
  std::map<uint64_t, State> sessions_;  // by node
  std::optional<Staged> staged_;
};

}  // namespace drumlin::shard
