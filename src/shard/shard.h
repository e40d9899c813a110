// Shard: the deterministic state machine of one shard. An entry and the state before it make a batch of
// changes, effects on bodies, and a reply; nothing else goes in, so every replica comes out the same.
// Time is the leader's, carried in the entry, and made monotonic here.
//
// Pure: what it reads it gets as a View, what it writes it puts into a Batch. It keeps counters,
// sessions, outcomes and some bucket rows in memory, which change only at commit_applied(); so the views that
// it is given must be of applied().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/probe.h"
#include "base/status.h"
#include "base/strong_id.h"
#include "kv/api/kv.h"
#include "shard/command.h"
#include "shard/keys.h"
#include "shard/outcomes.h"
#include "shard/query.h"
#include "shard/rows.h"
#include "shard/sessions.h"
#include "shard/types.h"

namespace drumlin::shard {

struct BodyEffect {
  bool put = false;  // else: drop
  BodyId id;
  std::string_view bytes;  // put: a view into the command
  uint64_t size = 0;       // of the body
};

struct Applied {
  std::string reply;  // encode(Reply)
  std::vector<BodyEffect> bodies;
};

// Which generation of its rows a shard is: the last snapshot that was installed. Where there is none it is 1.
struct Installed {
  uint32_t generation = 1;
  LogIndex index;  // the last entry that was in the snapshot
  Term term;       // of that entry
};
std::string encode(const Installed& installed);
Result<Installed> decode_installed(std::string_view bytes);

class Shard {
 public:
  Shard(uint32_t shard, uint32_t generation) : shard_(shard), keys_(shard, generation) {}
  // May be null, as it begins.
  void set_probes(ProbeSink* probes) { probes_ = probes; }

  // Reads counters, sessions and outcomes. kCorrupt, kIo, kWouldBlock.
  Status load(const kv::View& view);

  // The entry at applied() + 1; an empty command is a no-op. Fills `batch`, which also carries the
  // applied index. kWouldBlock, kCorrupt, kIo, kUnsupported: nothing has happened, drop the batch.
  // Refusals of the command itself are OK here and stand in the reply.
  Result<Applied> apply(const kv::View& view, kv::Batch& batch, LogIndex index,
                        std::string_view command);
  // The batch of the last apply() has been written.
  void commit_applied();

  // The reply's bytes (see query.h). kWouldBlock, kCorrupt, kIo, kUnsupported.
  Result<std::string> query(const kv::View& view, std::string_view query) const;

  LogIndex applied() const { return state_.applied; }
  // A hash of everything that the shard holds: equal on all replicas at the same applied().
  Result<uint64_t> digest(const kv::View& view) const;

 private:
  // The meta record.
  struct State {
    LogIndex applied;
    WallTime log_time{};
    uint64_t last_delete = 0;
  };
  // One apply: what the handlers of the commands read and write.
  struct Context {
    const kv::View& view;
    kv::Batch& batch;
    State& state;
    std::vector<BodyEffect>& bodies;
  };
  Result<Reply> execute(Context& c, const Put& put);
  Result<Reply> execute(Context& c, const Delete& del);
  Result<Reply> execute(Context& c, const PutIf& put);
  Result<Reply> execute(Context& c, const DeleteIf& del);
  Result<Reply> execute(Context& c, const CreateBucket& create);
  Result<Reply> execute(Context& c, const ActivateBucket& activate);
  Result<Reply> execute(Context& c, const BeginDelete& begin);
  Result<Reply> execute(Context& c, const DecideDelete& decide);
  Result<Reply> execute(Context& c, const FinishRemove& finish);
  Result<Reply> execute(Context& c, const FinishReopen& finish);
  Result<Reply> execute(Context& c, const InstallRow& install);
  Result<Reply> execute(Context& c, const CloseRowIfEmpty& close);
  Result<Reply> execute(Context& c, const ReopenRow& reopen);
  Result<Reply> execute(Context& c, const RemoveRow& remove);
  Result<Reply> execute(Context& c, const CreateOwnedBucket& create);
  Result<Reply> execute(Context& c, const BeginOwnedDelete& begin);
  Result<Reply> execute(Context& c, const CreateCountedBucket& create);
  Result<Reply> execute(Context& c, const CreateUser& create);
  Result<Reply> execute(Context& c, const DeleteUser& remove);
  Result<Reply> execute(Context& c, const SetUserState& set);
  Result<Reply> execute(Context& c, const CreateKey& create);
  Result<Reply> execute(Context& c, const DeleteKey& remove);
  Result<Reply> execute(Context& c, const SetKeyState& set);

  Result<std::string> answer(const kv::View& view, const GetObject& get) const;
  Result<std::string> answer(const kv::View& view, const ListPartition& list) const;
  Result<std::string> answer(const kv::View& view, const GetBucket& get) const;
  Result<std::string> answer(const kv::View& view, const ListBuckets& list) const;
  Result<std::string> answer(const kv::View& view, const GetUsers& get) const;

  Result<std::optional<BucketRow>> row(const kv::View& view, const std::string& bucket) const;
  Result<std::optional<BucketRecord>> record(const kv::View& view, const std::string& name) const;
  Result<std::optional<ObjectRecord>> object(const kv::View& view, uint64_t incarnation,
                                             std::string_view key) const;
  // kNone if the row admits a write of a sender who knows (incarnation, epoch).
  Result<Detail> refuse_write(const kv::View& view, const std::string& bucket, uint64_t incarnation,
                              uint64_t epoch) const;
  Reply put_object(Context& c, const Put& put, const std::optional<ObjectRecord>& before);
  Reply delete_object(Context& c, const Delete& del, const std::optional<ObjectRecord>& before);
  Result<std::string> perform(Context& c, const Command& command);
  Result<bool> user_exists(const kv::View& view, uint64_t id) const;
  Result<std::optional<std::string>> owned_bucket(const kv::View& view, uint64_t user) const;
  // `most`: nothing for a sender who does not bound them.
  Result<Reply> create_bucket(Context& c, const CreateOwnedBucket& create,
                              std::optional<uint64_t> most);
  Result<BucketCount> bucket_count(const kv::View& view, uint64_t owner) const;
  void put_count(Context& c, uint64_t owner, const BucketCount& count);
  Result<Reply> users_changed(Context& c, int users);  // `users`: how many more there are
  void put_row(Context& c, const std::string& bucket, const BucketRow& row);
  void put_record(Context& c, const BucketRecord& record);

  uint32_t shard_;
  Keys keys_;
  State state_;
  State staged_;
  Sessions sessions_;
  mutable Rows rows_;  // a query fills it too
  Outcomes outcomes_;
  ProbeSink* probes_ = nullptr;
};

// The object that an answer to GetObject tells of. kCorrupt if it is no such answer.
Result<std::optional<ObjectRecord>> object_in_reply(std::string_view reply);

}  // namespace drumlin::shard
