#include "shard/outcomes.h"

#include <utility>

#include "base/codec.h"
#include "shard/codec.h"

namespace drumlin::shard {

void Outcomes::remember(uint64_t index, Outcome outcome) {
  by_request_[outcome.request] = index;
  by_index_[index] = std::move(outcome);
}

Status Outcomes::load(const kv::View& view, const Keys& keys) {
  by_index_.clear();
  by_request_.clear();
  const std::string prefix = keys.outcomes();
  const auto cursor = view.cursor(prefix, Keys::after_prefix(prefix));
  for (; cursor->valid(); cursor->next()) {
    Reader key(cursor->key().substr(prefix.size()));
    Reader value(cursor->value());
    const uint64_t index = key.u64_be();
    const uint8_t version = value.u8();
    Outcome outcome;
    outcome.time = WallTime(Duration(value.i64()));
    outcome.request.high = value.u64();
    outcome.request.low = value.u64();
    outcome.reply = value.bytes();
    if (!key.done() || !value.done() || version != kFormatVersion) {
      return {Code::kCorrupt, "malformed outcome"};
    }
    remember(index, std::move(outcome));
  }
  return cursor->status();
}

std::optional<std::string> Outcomes::answered(RequestDigest request, WallTime log_time) const {
  if (!request) return std::nullopt;
  const auto known = by_request_.find(request);
  if (known == by_request_.end()) return std::nullopt;
  const Outcome& outcome = by_index_.at(known->second);
  if (log_time - outcome.time > kKeep) return std::nullopt;
  return outcome.reply;
}

void Outcomes::purge(WallTime log_time, const Keys& keys, kv::Batch& batch) {
  for (const auto& [index, outcome] : by_index_) {
    if (log_time - outcome.time <= kKeep || staged_removals_.size() == kPurge) break;
    staged_removals_.push_back(index);
    batch.remove(keys.outcome(index));
  }
}

void Outcomes::record(RequestDigest request, const std::string& reply, uint64_t index,
                      WallTime log_time, const Keys& keys, kv::Batch& batch) {
  if (!request) return;
  // One comes, so one goes at most: the table is never above its bound.
  if (by_index_.size() >= kMax && staged_removals_.empty()) {
    staged_removals_.push_back(by_index_.begin()->first);
    batch.remove(keys.outcome(by_index_.begin()->first));
  }
  std::string value;
  Writer writer(value);
  writer.u8(kFormatVersion);
  writer.i64(unix_nanos(log_time));
  writer.u64(request.high);
  writer.u64(request.low);
  writer.bytes(reply);
  batch.put(keys.outcome(index), std::move(value));
  staged_.emplace(index, Outcome{request, log_time, reply});
}

void Outcomes::commit() {
  for (const uint64_t index : staged_removals_) {
    const auto old = by_index_.find(index);
    // The request may have been recorded again under a later index.
    const auto request = by_request_.find(old->second.request);
    if (request != by_request_.end() && request->second == index) by_request_.erase(request);
    by_index_.erase(old);
  }
  if (staged_) remember(staged_->first, std::move(staged_->second));
  discard();
}

void Outcomes::discard() {
  staged_removals_.clear();
  staged_.reset();
}

}  // namespace drumlin::shard
