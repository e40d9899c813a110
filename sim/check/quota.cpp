// The part of History about how many buckets an owner has.
#include <fmt/format.h>

#include <algorithm>

#include "shard/placement.h"
#include "sim/check/history.h"

namespace drumlin::sim {

void History::refused_bucket(const Start& start, std::string_view bucket) {
  refused_buckets_.push_back({std::string(bucket), window(start, shard::kCatalogueShard)});
}

// By births and deaths of records alone: what the shard counts is not asked.
void History::note_owner(LogIndex index, const shard::Command& command, const shard::Reply& reply) {
  if (const auto* finish = std::get_if<shard::FinishRemove>(&command.payload)) {
    const auto gone = owners_.find(finish->name);
    if (reply.code != Code::kOk || gone == owners_.end()) return;
    --owned_[gone->second];
    owners_.erase(gone);
    return;
  }
  const auto* create = std::get_if<shard::CreateCountedBucket>(&command.payload);
  if (create == nullptr) return;
  const uint64_t has = owned_[create->owner];
  const bool born =
      reply.code == Code::kOk && reply.bucket && reply.bucket->incarnation == index.value();
  const bool full = reply.code == Code::kTooLarge;
  if (!born && !full) return;
  verdict_.evaluated("quota");
  if (born != (has < buckets_per_user_)) {
    verdict_.safety("quota", fmt::format("index {} of the catalogue: {} was {} an owner of {} "
                                         "buckets, who may have {}",
                                         index.value(), create->name, born ? "made for" : "refused",
                                         has, buckets_per_user_));
  }
  if (full) full_[create->name].push_back(index);
  if (!born) return;
  owners_[create->name] = create->owner;
  ++owned_[create->owner];
}

void History::check_refused_bucket(const RefusedBucket& refused) {
  verdict_.evaluated("quota");
  const auto known = full_.find(refused.bucket);
  const auto within = [&](LogIndex index) {
    return index > refused.window.low && index <= refused.window.high;
  };
  if (known != full_.end() && std::any_of(known->second.begin(), known->second.end(), within)) {
    return;
  }
  verdict_.safety(
      "quota",
      fmt::format("{} was refused as one too many, and the log has no such refusal in "
                  "({}, {}]",
                  refused.bucket, refused.window.low.value(), refused.window.high.value()));
}

}  // namespace drumlin::sim
