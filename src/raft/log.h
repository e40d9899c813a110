// Log: a group's log as the core sees it: the term of every entry, and the newest entries themselves.
//
// It begins after start(): what was before is applied, durable in the state machine and not needed any
// more, or came as a snapshot. Of start() itself the term is known, so the first entry after it can be
// checked like any other.
//
// Terms are kept as runs, a few bytes for each change of leader, so any index can be compared however
// long the log is. Entries beyond the cache are read back from the write-ahead log by whoever needs
// them. Pure; nothing here is durable.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/status.h"
#include "raft/types.h"

namespace drumlin::raft {

class Log {
 public:
  // What evict() may drop is cached up to `cache_bytes`; no entry at all if the last is larger.
  explicit Log(size_t cache_bytes) : cache_bytes_(cache_bytes) {}

  LogIndex start() const { return start_; }  // 0 while nothing was cut off
  LogIndex last_index() const { return last_; }
  Term last_term() const { return term_at(last_); }
  Term term_at(LogIndex index) const;  // 0 for index 0. REQUIRES: start() <= index <= last_index()
  bool matches(LogIndex index, Term term) const {
    return index >= start_ && index <= last_ && term_at(index) == term;
  }
  // The last index at or before `index` whose term is at most `term`. Not before start(), unless `index`
  // is: what lies there is committed, so it is equal everywhere.
  LogIndex last_at_most(LogIndex index, Term term) const;

  // REQUIRES: entry.index == last_index() + 1, its term not below last_term().
  void append(Entry entry);
  void truncate_from(LogIndex first);  // drops `first` and all after it. REQUIRES: first > start()

  // The log begins after `index` from now on. REQUIRES: start() <= index <= last_index().
  void compact(LogIndex index);
  // Nothing is left: the log begins, empty, after an entry of that term.
  void reset(LogIndex index, Term term);

  // Recovery, entry by entry as the write-ahead log has them: one at or before the last replaces the
  // rest. kCorrupt if the entry cannot follow, or lies at or before start().
  Status restore(Entry entry);
  // Recovery: the log is known to begin after `index`. If it has that entry, of that term, what follows
  // stays, else nothing does. One before start() says nothing new.
  void restore_start(LogIndex index, Term term);
  void set_start_term(Term term) { start_term_ = term; }  // recovery: it was not known

  std::optional<Entry> cached(LogIndex index) const;
  bool is_cached(LogIndex index) const { return index <= last_ && index + cache_.size() > last_; }
  // Consecutive entries from `first` on, at least one, until their data exceeds max_bytes. Empty if
  // `first` is not cached.
  std::vector<Entry> entries(LogIndex first, size_t max_bytes) const;
  // Drops the oldest cached entries up to and with `limit` while the cache is over its size, the last
  // entry included.
  void evict(LogIndex limit);
  size_t cached_bytes() const { return bytes_; }

 private:
  struct Run {
    LogIndex first;
    Term term;
  };
  static size_t cost(const Entry& entry) { return entry.data.size() + sizeof(Entry); }
  std::vector<Run> runs_;
  std::deque<Entry> cache_;  // ends at last_
  size_t bytes_ = 0;
  size_t cache_bytes_;
  LogIndex start_;
  Term start_term_;
  LogIndex last_;
};

}  // namespace drumlin::raft
