// Index: where each entry of each group's log lies. 12 bytes a record, in memory only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/strong_id.h"

namespace drumlin::wal {

class Index {
 public:
  struct Batch {
    Lsn lsn;
    uint32_t file = 0;  // position in Files
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  // A record that is still queued is known by its LSN; a written one by its place.
  struct Entry {
    bool queued = false;
    Lsn lsn;              // if queued
    uint32_t batch = 0;   // else: see batch()
    uint32_t offset = 0;  // of the record in the batch
    uint32_t length = 0;  // of the record, its fixed part included
  };

  // The group's log now ends with `index`: what lay at or after it is dropped. An index that does
  // not follow the group's last one starts its log anew.
  void queue(GroupId group, LogIndex index, Lsn lsn);
  void add(GroupId group, LogIndex index, uint32_t batch, uint32_t offset, uint32_t length);
  // The record queued under `lsn` has been written; nothing happens if it was replaced meanwhile.
  void written(GroupId group, LogIndex index, Lsn lsn, uint32_t batch, uint32_t offset,
               uint32_t length);
  uint32_t add_batch(Batch batch);
  const Batch& batch(uint32_t number) const { return batches_[number]; }

  std::optional<Entry> find(GroupId group, LogIndex index) const;
  LogIndex last(GroupId group) const;  // 0 if none

 private:
  static constexpr uint32_t kQueued = UINT32_MAX;
  struct Packed {
    uint32_t batch;  // or kQueued: then the other two are the LSN, low half first
    uint32_t offset;
    uint32_t length;
  };
  struct GroupLog {
    LogIndex first{1};
    std::deque<Packed> entries;
  };
  void put(GroupId group, LogIndex index, Packed entry);
  std::map<GroupId, GroupLog> groups_;
  std::vector<Batch> batches_;
};

}  // namespace drumlin::wal
