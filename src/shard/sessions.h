// Sessions: which numbered commands of which router have been applied, and what each was told. Part of
// the replicated state: every replica decides the same.
//
// One write to the kv for a command. A reply's record also says how far its session had come (boot, low
// water), and both only grow: the highest of a session's records is where it stands, and that record
// stays until one as high takes its place. Records lie in numbered slots, not under the command's number,
// so that a new reply is written over one that is not needed any more.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

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
  struct Told {
    uint32_t slot = 0;
    std::string reply;
  };
  using Replies = std::map<uint64_t, Told>;
  struct State {
    uint64_t boot = 0;
    uint64_t low_water = 0;
    Replies replies;          // by number
    std::set<uint32_t> free;  // slots without a reply below the highest that had one
  };
  struct Staged {
    Session session;
    Told told;
  };
  // The end of those that nobody asks for again once `session` has come so far.
  static Replies::const_iterator forgotten(const State& state, const Session& session);
  static Status load_reply(State& state, uint32_t slot, std::string_view value);
  std::map<uint64_t, State> sessions_;  // by node
  std::optional<Staged> staged_;
};

}  // namespace drumlin::shard
