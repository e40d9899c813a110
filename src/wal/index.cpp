#include "wal/index.h"

#include "base/check.h"

namespace drumlin::wal {

void Index::put(GroupId group, LogIndex index, Packed entry) {
  GroupLog& log = groups_[group];
  const size_t size = log.entries.size();
  if (index < log.first || index > log.first + size) {
    log.entries.clear();
    log.first = index;
  } else {
    log.entries.resize(index - log.first);
  }
  log.entries.push_back(entry);
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
}

uint32_t Index::add_batch(Batch batch) {
  DRUMLIN_CHECK_LT(batches_.size(), size_t{kQueued});
  batches_.push_back(batch);
  return static_cast<uint32_t>(batches_.size() - 1);
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
