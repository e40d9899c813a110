// What the write-ahead log holds: records of the node's Raft groups, one after the other.
#pragma once

#include <cstdint>
#include <string>

#include "base/blob.h"
#include "base/strong_id.h"

namespace drumlin::wal {

// The kind of a record that says where a group's log begins, beside those of raft::EntryKind: see
// replica/recovery.h. Here because the inspector shows it.
inline constexpr uint8_t kMark = 3;

// One entry of one group's log. The WAL gives no meaning to `kind` and `data`. Group ids fit in 32
// bits. `index` >= 1 places the record in its group's log; a record with index 0 is kept and
// replayed in order but cannot be read by index.
struct Record {
  GroupId group;
  uint8_t kind = 0;
  Term term;
  LogIndex index;
  Blob data;
  bool operator==(const Record&) const = default;
};

// Where a record lies: the whole batch (header and all of its records) that carries it. If these
// bytes are on the platter the record is durable.
struct Location {
  std::string file;     // relative to the node's data directory
  uint64_t offset = 0;  // of the batch, in bytes
  uint64_t length = 0;  // of the batch, in bytes
  Lsn lsn;              // of the batch's first record
  bool operator==(const Location&) const = default;
};

}  // namespace drumlin::wal
