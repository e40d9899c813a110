#include "wal/index.h"

#include "base/check.h"

namespace drumlin::wal {

void Index::count(const Packed& entry, int by) {
  if (entry.batch == kQueued) return;
  uint64_t& live = live_[batch_of(entry).file];
  DRUMLIN_CHECK(by > 0 || live > 0);
  live += static_cast<uint64_t>(by);
}

void Index::put(GroupId group, LogIndex index, Packed entry) {
  GroupLog& log = groups_[group];
  const bool follows = index >= log.first && index <= log.first + log.entries.size();
  if (!follows) {
    for (const Packed& old : log.entries)
      count(old, -1);
    log.entries.clear();
    log.first = index;
  }
  while (index < log.first + log.entries.size()) {
    count(log.entries.back(), -1);
    log.entries.pop_back();
  }
  log.entries.push_back(entry);
  count(entry, 1);
}

void Index::cut(GroupId group, LogIndex last) {
  const auto it = groups_.find(group);
  if (it == groups_.end()) return;
  GroupLog& log = it->second;
  while (!log.entries.empty() && log.first <= last) {
    count(log.entries.front(), -1);
    log.entries.pop_front();
    ++log.first;
  }
}

uint64_t Index::live(uint32_t file) const {
  const auto it = live_.find(file);
  return it == live_.end() ? 0 : it->second;
}

void Index::drop_file(uint32_t file) {
  DRUMLIN_CHECK_EQ(live(file), uint64_t{0});
  live_.erase(file);
  while (!batches_.empty() && batches_.front().file == file) {
    batches_.pop_front();
    ++first_batch_;
  }
}

std::map<GroupId, LogIndex> Index::before(uint32_t file) const {
  std::map<GroupId, LogIndex> out;
  for (const auto& [group, log] : groups_) {
    for (size_t i = 0; i < log.entries.size(); ++i) {
      const Packed& entry = log.entries[i];
      if (entry.batch == kQueued || batch_of(entry).file >= file) break;
      out[group] = log.first + i;
    }
  }
  return out;
}

void Index::queue(GroupId group, LogIndex index, Lsn lsn) {
  put(group, index,
      Packed{kQueued, static_cast<uint32_t>(lsn.value()),
             static_cast<uint32_t>(lsn.value() >> 32)});
}

void Index::add(GroupId group, LogIndex index, uint32_t batch, uint32_t offset, uint32_t length) {
  put(group, index, Packed{batch, offset, length});
}

void Index::written(GroupId group, LogIndex index, Lsn lsn, uint32_t batch, uint32_t offset,
                    uint32_t length) {
  const std::optional<Entry> entry = find(group, index);
  if (!entry || !entry->queued || entry->lsn != lsn) return;
  GroupLog& log = groups_[group];
  log.entries[index - log.first] = Packed{batch, offset, length};
  count(log.entries[index - log.first], 1);
}

uint32_t Index::add_batch(Batch batch) {
  DRUMLIN_CHECK_LT(batches_.size(), size_t{kQueued} / 2);
  if (first_batch_ + static_cast<uint32_t>(batches_.size()) == kQueued) batches_.push_back(batch);
  batches_.push_back(batch);
  return first_batch_ + static_cast<uint32_t>(batches_.size() - 1);
}

std::optional<Index::Batch> Index::batch(uint32_t number) const {
  const uint32_t position = number - first_batch_;  // modulo 2^32
  if (position >= batches_.size()) return std::nullopt;
  return batches_[position];
}

const Index::Batch& Index::batch_of(const Packed& entry) const {
  const uint32_t position = entry.batch - first_batch_;
  DRUMLIN_CHECK_LT(position, batches_.size());
  return batches_[position];
}

std::optional<Index::Entry> Index::find(GroupId group, LogIndex index) const {
  const auto it = groups_.find(group);
  if (it == groups_.end()) return std::nullopt;
  const GroupLog& log = it->second;
  if (index < log.first || index >= log.first + log.entries.size()) return std::nullopt;
  const Packed& packed = log.entries[index - log.first];
  Entry entry;
  if (packed.batch == kQueued) {
    entry.queued = true;
    entry.lsn = Lsn(packed.offset | uint64_t{packed.length} << 32);
  } else {
    entry.batch = packed.batch;
    entry.offset = packed.offset;
    entry.length = packed.length;
  }
  return entry;
}

LogIndex Index::last(GroupId group) const {
  const auto it = groups_.find(group);
  if (it == groups_.end() || it->second.entries.empty()) return LogIndex();
  return it->second.first + it->second.entries.size() - 1;
}

}  // namespace drumlin::wal
