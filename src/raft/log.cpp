#include "raft/log.h"

#include <algorithm>

namespace drumlin::raft {

Term Log::term_at(LogIndex index) const {
  DRUMLIN_CHECK_GE(index, start_);
  DRUMLIN_CHECK_LE(index, last_);
  if (index == start_) return start_term_;
  if (index == last_) return runs_.back().term;
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                      [](LogIndex i, const Run& run) { return i < run.first; });
  return (after - 1)->term;
}

LogIndex Log::last_at_most(LogIndex index, Term term) const {
  LogIndex end = std::min(index, last_);
  if (end <= start_) return end;
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->first <= end) {
      if (run->term <= term) return end;
      end = run->first - 1;
    }
  }
  return start_;
}

void Log::append(Entry entry) {
  DRUMLIN_CHECK_EQ(entry.index, last_ + 1);
  DRUMLIN_CHECK_GE(entry.term, last_term());
  if (runs_.empty() || runs_.back().term != entry.term) runs_.push_back({entry.index, entry.term});
  last_ = entry.index;
  bytes_ += cost(entry);
  cache_.push_back(std::move(entry));
}

void Log::truncate_from(LogIndex first) {
  DRUMLIN_CHECK_GT(first, start_);
  while (!runs_.empty() && runs_.back().first >= first)
    runs_.pop_back();
  while (!cache_.empty() && cache_.back().index >= first) {
    bytes_ -= cost(cache_.back());
    cache_.pop_back();
  }
  last_ = std::min(last_, first - 1);
}

void Log::compact(LogIndex index) {
  if (index == start_) return;
  start_term_ = term_at(index);
  start_ = index;
  // The run that holds the first entry left begins there now.
  auto kept = std::upper_bound(runs_.begin(), runs_.end(), start_ + 1,
                               [](LogIndex i, const Run& run) { return i < run.first; });
  if (kept != runs_.begin()) --kept;
  runs_.erase(runs_.begin(), kept);
  if (start_ == last_) {
    runs_.clear();
  } else {
    runs_.front().first = start_ + 1;
  }
  while (!cache_.empty() && cache_.front().index <= start_) {
    bytes_ -= cost(cache_.front());
    cache_.pop_front();
  }
}

void Log::reset(LogIndex index, Term term) {
  runs_.clear();
  cache_.clear();
  bytes_ = 0;
  start_ = last_ = index;
  start_term_ = term;
}

Status Log::restore(Entry entry) {
  if (entry.index <= start_ || entry.index > last_ + 1) {
    return {Code::kCorrupt,
            "the log has entry " + entry.index.to_string() + " after entry " + last_.to_string()};
  }
  if (entry.index <= last_) truncate_from(entry.index);
  if (entry.term < last_term()) {
    return {Code::kCorrupt, "the log has term " + entry.term.to_string() + " after term " +
                                last_term().to_string()};
  }
  append(std::move(entry));
  evict(last_);
  return {};
}

void Log::restore_start(LogIndex index, Term term) {
  if (index < start_) return;
  if (matches(index, term)) {
    compact(index);
  } else {
    reset(index, term);
  }
}

std::optional<Entry> Log::cached(LogIndex index) const {
  if (index == LogIndex() || !is_cached(index)) return std::nullopt;
  return cache_[cache_.size() - 1 - (last_ - index)];
}

std::vector<Entry> Log::entries(LogIndex first, size_t max_bytes) const {
  std::vector<Entry> out;
  if (first == LogIndex() || !is_cached(first)) return out;
  size_t bytes = 0;
  for (size_t i = cache_.size() - 1 - (last_ - first); i < cache_.size(); ++i) {
    bytes += cost(cache_[i]);
    if (!out.empty() && bytes > max_bytes) break;
    out.push_back(cache_[i]);
  }
  return out;
}

void Log::evict(LogIndex limit) {
  while (bytes_ > cache_bytes_ && !cache_.empty() && cache_.front().index <= limit) {
    bytes_ -= cost(cache_.front());
    cache_.pop_front();
  }
}

}  // namespace drumlin::raft
