// Index: where each entry of each group's log lies, and how many that still count each file holds: one
// that holds none may go. 12 bytes a record, in memory only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

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
  // Empty if its file is gone.
  std::optional<Batch> batch(uint32_t number) const;

  // Entries up to and with `last` do not count any more.
  void cut(GroupId group, LogIndex last);
  // Written entries of all groups that lie in the file and count.
  uint64_t live(uint32_t file) const;
  // The file is gone. REQUIRES: it is the oldest, and nothing in it counts.
  void drop_file(uint32_t file);
  // Of each group with entries in files before `file`: the last index of these.
  std::map<GroupId, LogIndex> before(uint32_t file) const;

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
  void count(const Packed& entry, int by);
  const Batch& batch_of(const Packed& entry) const;
  std::map<GroupId, GroupLog> groups_;
  // Numbered one after the other, modulo 2^32 without kQueued; the first one here has first_batch_.
  std::deque<Batch> batches_;
  uint32_t first_batch_ = 0;
  std::map<uint32_t, uint64_t> live_;  // by file; none: 0
};

}  // namespace drumlin::wal
