// The bytes of the write-ahead log. Little-endian; every batch begins at a multiple of 8.
//
// File `wal-<first LSN, 16 hex digits>.log` = file header, batches.
//
// File header, 32 bytes
//    0 "DrWF"            4 u32 crc32c of [8, 32)   8 u32 version = 2   12 u32 zero
//   16 u64 first LSN    24 u64 salt: drawn for each file; seeds the checksums below. So no bytes of
//                          another file, and none that a client stores, are ever taken for a batch.
//
// Batch
//    0 "DrW1"
//    4 u32 crc32c of [8, length)               seeded with s = crc32c(salt)
//    8 u32 crc32c of [12, 64 + 4 * groups)     seeded with s: the header is readable on its own
//   12 u16 version = 2  14 u16 zero
//   16 u64 length of the batch, a multiple of 8
//   24 u64 LSN of the first record             32 u64 durable LSN when this was written
//   40 u64 epoch (boot counter)                48 u32 records    52 u32 groups
//   56 u64 base: LSN before which the log may have no files any more
//   64 u32 group, for each group with a record here, ascending
//   .. records, then zeros up to a multiple of 8
// A batch takes max(1, records) LSNs: one without records is a marker that states the durable LSN.
//
// Record, 29 bytes + data, packed
//    0 u32 crc32c of [4, 29 + length)          seeded with crc32c(batch's LSN, s)
//    4 u32 group   8 u8 kind   9 u64 term   17 u64 index   25 u32 length   29 data
// Its own checksum lets one record be read without its batch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "wal/record.h"

namespace drumlin::wal {

inline constexpr size_t kFileHeaderBytes = 32;
inline constexpr size_t kBatchFixedBytes = 64;
inline constexpr size_t kRecordFixedBytes = 29;
inline constexpr size_t kBatchAlignment = 8;
inline constexpr uint64_t kMaxBatchBytes = uint64_t{1} << 30;
inline constexpr uint32_t kMaxBatchGroups = 1 << 16;

struct FileHeader {
  Lsn first;
  uint64_t salt = 0;
};

std::string encode(const FileHeader& header);
// kCorrupt with the reason; kUnsupported if intact but of another version.
Result<FileHeader> decode_file_header(std::string_view bytes);

struct BatchHeader {
  uint64_t length = 0;
  Lsn lsn;
  Lsn durable;
  Lsn base;
  uint64_t epoch = 0;
  uint32_t records = 0;
  std::vector<GroupId> groups;

  size_t header_bytes() const { return kBatchFixedBytes + 4 * groups.size(); }
  Lsn next() const { return lsn + (records == 0 ? 1 : records); }
};

// The records of a batch yet to be encoded, and what follows from them alone.
struct BatchPlan {
  explicit BatchPlan(std::vector<const Record*> batch_records);
  std::vector<const Record*> records;
  std::vector<GroupId> groups;
  uint64_t length = 0;
};

struct EncodedBatch {
  std::string bytes;
  std::vector<uint32_t> offsets;  // of each record, in the batch
};

// What a batch says of the log at the time it was written.
struct LogState {
  Lsn durable;
  Lsn base{1};
  uint64_t epoch = 0;
};

EncodedBatch encode(const BatchPlan& plan, uint64_t salt, Lsn lsn, const LogState& log);

// Whether a batch may begin here: nothing but the magic number is looked at.
bool starts_batch(std::string_view bytes);
// The header alone; `bytes` begins at the batch and may end anywhere. kCorrupt with the reason,
// kUnsupported if intact but of another version.
Result<BatchHeader> decode_batch_header(std::string_view bytes, uint64_t salt);
// The checksum of a whole batch.
Status check_batch(std::string_view batch, uint64_t salt);

inline size_t record_bytes(const Record& record) {
  return kRecordFixedBytes + record.data.size();
}
// The record that `bytes` begin with. kCorrupt with the reason.
Result<Record> decode_record(std::string_view bytes, uint64_t salt, Lsn batch_lsn);

}  // namespace drumlin::wal
