// The part of History about conditional writes and retries under a client's own id.
#include <fmt/format.h>

#include <algorithm>

#include "shard/outcomes.h"
#include "sim/check/history.h"

namespace drumlin::sim {
namespace {

bool met_by(const shard::Precondition& when, const std::optional<History::Value>& value,
            bool is_put) {
  if (!value) return is_put ? !when.present && when.etags.empty() : !when.present;
  if (when.absent) return false;
  return when.etags.empty() ||
         std::find(when.etags.begin(), when.etags.end(), value->etag) != when.etags.end();
}

}  // namespace

void History::deleted(const Start& start, std::string_view bucket, std::string_view key,
                      Outcome outcome) {
  writes_.push_back({std::string(bucket), std::string(key), std::nullopt, outcome, 0,
                     window(start, shard_of(bucket, key))});
}

void History::wrote_if(const Start& start, std::string_view bucket, std::string_view key,
                       std::optional<Value> value, Demand demand, Outcome outcome,
                       uint64_t version) {
  wrote(start, bucket, key, std::move(value), outcome, version);
  writes_.back().demand = std::move(demand);
}

// What the client asked for, whatever the entry in the log says of it.
void History::check_demand(const Write& write, const std::string& what) {
  verdict_.evaluated("condition");
  const auto* states = timeline(write.bucket, write.key);
  if (states == nullptr) return;  // told by check_version()
  const auto state = states->lower_bound(LogIndex(write.version));
  const std::optional<Value> met =
      state == states->begin() ? std::nullopt : std::prev(state)->second;
  if (write.demand->met_by(met, !write.value)) return;
  verdict_.safety(
      "condition",
      fmt::format("{} took effect at version {} upon {}, which is not what it asked for", what,
                  write.version, met ? met->id : "nothing"));
}

void History::refused(const Start& start, std::string_view bucket, std::string_view key,
                      std::optional<Value> value, Demand demand, uint64_t version) {
  check_floor(start, bucket, key, version, /*write=*/false);
  refusals_.push_back({std::string(bucket), std::string(key), std::move(value), std::move(demand),
                       version, window(start, shard_of(bucket, key))});
}

void History::answered_again(const Start& start, std::string_view bucket, std::string_view key,
                             std::string first, std::string again) {
  repetitions_.push_back({std::string(bucket), std::string(key), std::move(first), std::move(again),
                          window(start, shard_of(bucket, key))});
}

// A request under an id that the shard has answered not long ago: it must be answered the same, and is
// no effect. Keeps the log's time, too.
bool History::told_before(uint32_t shard, LogIndex index, const shard::Command& command,
                          const shard::Reply& reply, const std::string& bytes) {
  auto& times = log_times_[shard];
  const WallTime before = times.empty() ? WallTime{} : times.rbegin()->second;
  const WallTime now = std::max(before, command.log_time);
  times[index] = now;
  const shard::RequestDigest request = shard::request_of(command.payload);
  if (!request) return false;
  const auto known = told_.find({shard, request});
  if (known == told_.end() || now - known->second.log_time > shard::Outcomes::kKeep) {
    if (reply.code != Code::kAborted) told_[{shard, request}] = {bytes, now};
    return false;
  }
  verdict_.evaluated("retry");
  if (bytes != known->second.reply) {
    verdict_.safety("retry", fmt::format("shard {}, index {}: a request that was answered before "
                                         "is answered otherwise",
                                         shard, index.value()));
  }
  return true;
}

// The state that an entry meets is the last one so far: timelines are built in the log's order.
void History::check_condition(uint32_t shard, LogIndex index, const shard::Command& command,
                              const shard::Reply& reply) {
  const auto* put = std::get_if<shard::PutIf>(&command.payload);
  const auto* del = std::get_if<shard::DeleteIf>(&command.payload);
  if ((put == nullptr && del == nullptr) || reply.code == Code::kAborted) return;
  verdict_.evaluated("condition");
  const auto* states =
      put != nullptr ? timeline(put->bucket, put->key) : timeline(del->bucket, del->key);
  const std::optional<Value> met =
      states == nullptr || states->empty() ? std::nullopt : states->rbegin()->second;
  const bool holds = met_by(put != nullptr ? put->when : del->when, met, put != nullptr);
  if (holds != (reply.code == Code::kOk)) {
    verdict_.safety("condition",
                    fmt::format("shard {}, index {}: a conditional write of {} met {} and {}",
                                shard, index.value(), put != nullptr ? put->key : del->key,
                                met ? met->id : "nothing", holds ? "was refused" : "took effect"));
  }
}

// False if the log's time has moved so far that a shard may have forgotten what it answered.
bool History::remembers(uint32_t shard, Window window) const {
  const auto& times = log_times_[shard];
  const auto at = [&](LogIndex index) {
    const auto after = times.upper_bound(index);
    return after == times.begin() ? WallTime{} : std::prev(after)->second;
  };
  if (times.empty()) return true;
  const WallTime from = std::max(at(window.low), times.begin()->second);
  return at(window.high) - from <= shard::Outcomes::kKeep;
}

void History::check_refusal(const Refusal& refusal) {
  verdict_.evaluated("condition");
  const std::string name = fmt::format("{}/{}", refusal.bucket, refusal.key);
  const uint32_t shard = shard_of(refusal.bucket, refusal.key);
  if (!remembers(shard, refusal.window)) return;
  const auto effects = refusal.value ? effects_.find(refusal.value->id) : effects_.end();
  if (effects != effects_.end()) {
    verdict_.safety("retry", fmt::format("the put of {} to {} was refused and took effect",
                                         refusal.value->id, name));
  }
  const auto* states = timeline(refusal.bucket, refusal.key);
  if (held<std::optional<Value>>(states, std::nullopt, refusal.window, [&](const auto& value) {
        return !refusal.demand.met_by(value, !refusal.value);
      })) {
    return;
  }
  verdict_.safety(
      "condition",
      fmt::format("a write of {} was refused, version {}: its condition held at every "
                  "index in [{}, {}]",
                  name, refusal.version, refusal.window.low.value(), refusal.window.high.value()));
}

void History::check_repetition(const Repetition& repetition) {
  verdict_.evaluated("retry");
  if (repetition.first == repetition.again) return;
  if (!remembers(shard_of(repetition.bucket, repetition.key), repetition.window)) return;
  verdict_.safety(
      "retry", fmt::format("a request for {}/{} was answered \"{}\", and under the same "
                           "id again \"{}\"",
                           repetition.bucket, repetition.key, repetition.first, repetition.again));
}

}  // namespace drumlin::sim
