// History: what the clients asked and were told, and the checks of it against what the shards' logs
// say happened.
//
// A version is a position in a shard's log, so the commit order is a witness: linearizability needs no
// search (Gibbons and Korach's NP-hard problem), only that every answer fits one moment of its window:
// at or after all that was committed when the call began, at or before all that was when it ended.
//
//   floor        seen from outside alone: no answer is older than what anybody was told of the key before
//                the call, no write than what anybody was told of its shard
//   linearizable a read returns exactly what the log says the key held at an index of its window; an
//                acknowledged write is in the log once, at the version it was told, inside its window; a
//                write that was told "not done" is nowhere in the log
//   condition    a conditional write in the log took effect exactly if its condition held there: of N
//                that race to create a key one can win; and who was refused was so by a state that the
//                key had in the window
//   retry        who asks again under the same id is told the same, and nothing is done again
//   listing      every key of the page was there, and every key in between was not, at some index of
//                its shard in the window
//   bucket       an acknowledged create (delete) left the bucket visible (invisible) at an index of the
//                catalogue in its window; so for what HEAD saw
//   quota        in the log's order no owner has more buckets than it may, from their making to the end of
//                their removal; who was refused one had as many at an index of the window, and nobody is
//                refused with fewer
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "shard/command.h"
#include "sim/check/raft_checker.h"
#include "sim/check/verdict.h"

namespace drumlin::sim {

enum class Outcome : uint8_t {
  kDone,     // answered
  kNotDone,  // answered: nothing was or will be done; or the request never left
  kUnknown,  // no answer, or one that says so
};

class History {
 public:
  History(Verdict& verdict, const RaftChecker& raft, uint32_t shards,
          uint64_t buckets_per_user = UINT64_MAX)
      : verdict_(verdict),
        raft_(raft),
        shards_(shards),
        floor_(shards),
        buckets_per_user_(buckets_per_user),
        log_times_(shards) {}

  // Taken when a call begins, handed back when it ends.
  struct Start {
    std::vector<LogIndex> floor;      // per shard: told to somebody
    std::vector<LogIndex> committed;  // per shard
    uint64_t key_floor = 0;           // of the key: told to somebody
  };
  Start begin(std::string_view bucket = {}, std::string_view key = {}) const;

  // What an object is: `id` travels in its user metadata and is unique in the run.
  struct Value {
    std::string id;
    std::string etag;
    uint64_t size = 0;
    bool operator==(const Value&) const = default;
  };
  // A write; no value: a delete. `version` as answered.
  void wrote(const Start& start, std::string_view bucket, std::string_view key,
             std::optional<Value> value, Outcome outcome, uint64_t version);
  // One key of a DeleteObjects, whose answer tells no version.
  void deleted(const Start& start, std::string_view bucket, std::string_view key, Outcome outcome);
  // What a conditional write asked for. Both empty: that there be something.
  struct Demand {
    bool absent = false;
    std::string etag;
    bool met_by(const std::optional<Value>& value, bool is_delete) const {
      if (absent) return !value;
      if (!value) return is_delete && !etag.empty();
      return etag.empty() || value->etag == etag;
    }
  };
  // A conditional write that was not refused, as wrote().
  void wrote_if(const Start& start, std::string_view bucket, std::string_view key,
                std::optional<Value> value, Demand demand, Outcome outcome, uint64_t version);
  // A conditional write that was refused: 412, or 404 for a put that found nothing to match. The value
  // that it would have written, if any; the version as answered. All tries under one id are one call.
  void refused(const Start& start, std::string_view bucket, std::string_view key,
               std::optional<Value> value, Demand demand, uint64_t version);
  // The same request under the same id was answered twice; each answer in words.
  void answered_again(const Start& start, std::string_view bucket, std::string_view key,
                      std::string first, std::string again);
  // A GET or HEAD: what came, or nothing for 404 NoSuchKey.
  void read(const Start& start, std::string_view bucket, std::string_view key,
            std::optional<Value> value, uint64_t version);
  // An answer that told no more than version and size (416).
  void read_size(const Start& start, std::string_view bucket, std::string_view key, uint64_t size,
                 uint64_t version);
  struct Listed {
    std::string key;
    std::string etag;
    uint64_t size = 0;
  };
  // A page of the keys that begin with `prefix` and come after `after`; those with the delimiter behind the
  // prefix stand for one another, as the common prefix that ends with it.
  struct Page {
    std::string prefix;
    std::string delimiter;
    std::string after;
    bool after_is_prefix = false;  // `after` and all that begins with it are behind us
    std::vector<Listed> items;
    std::vector<std::string> prefixes;
    bool truncated = false;

    // Empty: the key stands for itself.
    std::string common_prefix(std::string_view key) const;
    bool before_page(std::string_view key) const;
    // Of what the page holds. REQUIRES: it holds something.
    std::pair<std::string, bool> last() const;
    // This is what is asked for next.
    void goes_on_after(const Page& page);
  };
  void listed(const Start& start, std::string_view bucket, Page page);
  // The Last-Modified that came with a version: log time, which never goes back in a shard's order.
  void saw_time(std::string_view bucket, std::string_view key, uint64_t version, WallTime time);
  // An answer that says whether the bucket is (was made, was deleted) visible.
  void saw_bucket(const Start& start, std::string_view bucket, bool visible);
  // A creation that was refused: its owner has as many as it may.
  void refused_bucket(const Start& start, std::string_view bucket);

  // After the run: all that needs the whole log.
  void check();

 private:
  // Indices of a shard's log between which an operation took its effect: (low, high] for writes,
  // [low, high] for reads.
  struct Window {
    LogIndex low;
    LogIndex high;
  };
  struct Write {
    std::string bucket, key;
    std::optional<Value> value;
    Outcome outcome;
    uint64_t version;
    Window window;
    std::optional<Demand> demand = std::nullopt;
  };
  struct Refusal {
    std::string bucket, key;
    std::optional<Value> value;
    Demand demand;
    uint64_t version;
    Window window;
  };
  struct Repetition {
    std::string bucket, key;
    std::string first, again;
    Window window;
  };
  // What a request under a client's own id was told, and when by the log.
  struct Told {
    std::string reply;
    WallTime log_time;
  };
  struct Read {
    std::string bucket, key;
    std::optional<Value> value;
    bool size_only;
    uint64_t version;
    Window window;
  };
  struct List {
    std::string bucket;
    Page page;
    std::vector<Window> windows;  // per shard
  };
  struct Seen {
    std::string bucket;
    bool visible;
    Window window;
  };
  struct RefusedBucket {
    std::string bucket;
    Window window;
  };
  // One key's (or bucket's) states: from each index on, what it holds.
  template <typename T>
  using Timeline = std::map<LogIndex, T>;

  uint32_t shard_of(std::string_view bucket, std::string_view key) const;
  Window window(const Start& start, uint32_t shard) const;
  void check_floor(const Start& start, std::string_view bucket, std::string_view key,
                   uint64_t version, bool write);
  void build_timelines();
  bool note_effect(uint32_t shard, LogIndex index, const RaftChecker::Applied& applied);
  void note_bucket(LogIndex index, const shard::Command& command, const shard::Reply& reply);
  void note_owner(LogIndex index, const shard::Command& command, const shard::Reply& reply);
  void check_refused_bucket(const RefusedBucket& refused);
  bool told_before(uint32_t shard, LogIndex index, const shard::Command& command,
                   const shard::Reply& reply, const std::string& bytes);
  void check_condition(uint32_t shard, LogIndex index, const shard::Command& command,
                       const shard::Reply& reply);
  bool remembers(uint32_t shard, Window window) const;
  void check_write(const Write& write);
  void check_version(const Write& write, const std::string& what);
  void check_demand(const Write& write, const std::string& what);
  void check_refusal(const Refusal& refusal);
  void check_repetition(const Repetition& repetition);
  void check_read(const Read& read);
  void check_listed(const List& list);
  void check_prefixes(const List& list);
  void check_list(const List& list);
  void check_seen(const Seen& seen);
  const Timeline<std::optional<Value>>* timeline(std::string_view bucket,
                                                 std::string_view key) const;
  // Did the key at some index of the window hold what `fits` accepts?
  template <typename T, typename Fits>
  static bool held(const Timeline<T>* timeline, const T& before, Window window, Fits&& fits);

  Verdict& verdict_;
  const RaftChecker& raft_;
  uint32_t shards_;
  std::vector<LogIndex> floor_;
  std::map<std::string, uint64_t, std::less<>> key_floor_;  // "bucket/key"
  std::vector<Write> writes_;
  std::vector<Refusal> refusals_;
  std::vector<Repetition> repetitions_;
  std::vector<Read> reads_;
  std::vector<List> lists_;
  std::vector<Seen> seen_;
  std::vector<RefusedBucket> refused_buckets_;
  uint64_t buckets_per_user_;
  std::map<std::string, uint64_t, std::less<>> owners_;  // of the buckets there are, in any state
  std::map<uint64_t, uint64_t> owned_;                   // how many, by owner
  std::map<std::string, std::vector<LogIndex>, std::less<>> full_;  // refused creations, by bucket
  std::map<uint32_t, std::map<uint64_t, WallTime>> times_;          // by shard and version
  std::map<std::string, Timeline<std::optional<Value>>, std::less<>> objects_;  // "bucket/key"
  std::map<std::string, Timeline<bool>, std::less<>> buckets_;                  // visible or not
  std::map<std::string, std::vector<LogIndex>> effects_;                        // by Value::id
  std::set<std::pair<std::pair<uint64_t, uint64_t>, std::pair<uint32_t, uint64_t>>> sessions_;
  std::map<std::pair<uint32_t, shard::RequestDigest>, Told> told_;
  std::vector<std::map<LogIndex, WallTime>> log_times_;  // per shard, as apply sees it
};

template <typename T, typename Fits>
bool History::held(const Timeline<T>* timeline, const T& before, Window window, Fits&& fits) {
  if (timeline == nullptr) return fits(before);
  auto state = timeline->upper_bound(window.low);  // from the state at the low end on
  if (state == timeline->begin()) {
    if (fits(before)) return true;
  } else {
    --state;
  }
  for (; state != timeline->end() && state->first <= window.high; ++state) {
    if (fits(state->second)) return true;
  }
  return false;
}

}  // namespace drumlin::sim
