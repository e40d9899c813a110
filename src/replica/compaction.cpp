#include "replica/compaction.h"

#include <algorithm>

#include "replica/recovery.h"

namespace drumlin::replica {

Compaction::Compaction(Services& services, Groups& groups)
    : services_(services),
      groups_(groups),
      wanted_(services.runtime.scheduler(), services.runtime.clock()) {}

void Compaction::log_grew() {
  if (services_.wal.bytes_appended() - flushed_at_bytes_ >= services_.options.kv_flush_wal_bytes) {
    wanted_.notify_one();
  }
}

void Compaction::run(Cancellation& stop) {
  while (!stop.cancelled()) {
    if (wanted_.wait(kNever, &stop) != Wake::kNotified) return;
    const uint64_t bytes = services_.wal.bytes_appended();
    if (bytes - flushed_at_bytes_ < services_.options.kv_flush_wal_bytes) continue;
    flushed_at_bytes_ = bytes;
    // Entries reach the kv only once they are durable in the log, so it can never be ahead of it.
    std::map<GroupId, LogIndex> applied;
    for (const auto& [id, group] : groups_)
      applied.emplace(id, group->applied());
    flush();
    if (stop.cancelled()) return;
    if (!services_.kv.durable()) continue;
    cut(applied);
    move_stragglers();
  }
}

void Compaction::flush() {
  Status flushed;
  services_.runtime.offload([&] { flushed = services_.kv.flush(); });
  if (!flushed.ok()) {
    services_.runtime.halt("the key-value store cannot be flushed: " + flushed.to_string());
  }
}

void Compaction::cut(const std::map<GroupId, LogIndex>& kept_by_kv) {
  const bool pressed = services_.wal.retained_bytes() > services_.options.wal_max_bytes;
  for (const auto& [id, index] : services_.wal.older_than(services_.options.wal_retain_bytes)) {
    const auto group = groups_.find(id);
    if (group != groups_.end()) {
      group->second->compact(std::min(index, kept_by_kv.at(id)), pressed);
    }
  }
  // All of them each time: marks of before lie in files that may go now.
  std::vector<wal::Record> marks;
  for (const auto& [id, group] : groups_) {
    const raft::Log& log = group->core().log();
    if (log.start() == LogIndex()) continue;
    marks.push_back(mark_of(id, log.start(), log.term_at(log.start())));
    services_.wal.cut(id, log.start());
  }
  if (marks.empty()) return;
  const Status reclaimed = services_.wal.reclaim(std::move(marks));
  if (reclaimed.ok() || reclaimed.is(Code::kCancelled)) return;
  services_.runtime.halt("the log cannot be shortened: " + reclaimed.to_string());
}

// The files they leave go with the next cut: its marks come after what was moved, and so become durable
// after it.
void Compaction::move_stragglers() {
  for (const auto& [id, index] : services_.wal.older_than(services_.options.wal_max_bytes)) {
    const auto group = groups_.find(id);
    if (group != groups_.end()) group->second->rewrite_log();
  }
}

}  // namespace drumlin::replica
