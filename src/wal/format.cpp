#include "wal/format.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/codec.h"
#include "base/digest.h"

namespace drumlin::wal {
namespace {

constexpr std::string_view kFileMagic = "DrWF";
constexpr std::string_view kBatchMagic = "DrW1";
constexpr uint32_t kFileVersion = 2;
constexpr uint16_t kBatchVersion = 2;

uint32_t chained(uint64_t value, uint32_t seed = 0) {
  char bytes[8];
  store_le(bytes, value);
  return crc32c({bytes, sizeof bytes}, seed);
}
uint32_t batch_seed(uint64_t salt) {
  return chained(salt);
}
uint32_t record_seed(uint64_t salt, Lsn lsn) {
  return chained(lsn.value(), batch_seed(salt));
}

void put_record(Writer& out, std::string& bytes, const Record& record, uint32_t seed) {
  const size_t start = bytes.size();
  out.u32(0);  // checksum, below
  out.u32(static_cast<uint32_t>(record.group.value()));
  out.u8(record.kind);
  out.u64(record.term.value());
  out.u64(record.index.value());
  out.bytes(record.data.view());
  store_le(bytes.data() + start, crc32c(std::string_view(bytes).substr(start + 4), seed));
}

Status corrupt(std::string why) {
  return {Code::kCorrupt, std::move(why)};
}

}  // namespace

std::string encode(const FileHeader& header) {
  std::string bytes(kFileMagic);
  Writer out(bytes);
  out.u32(0);
  out.u32(kFileVersion);
  out.u32(0);
  out.u64(header.first.value());
  out.u64(header.salt);
  DRUMLIN_CHECK_EQ(bytes.size(), kFileHeaderBytes);
  store_le(bytes.data() + 4, crc32c(std::string_view(bytes).substr(8)));
  return bytes;
}

Result<FileHeader> decode_file_header(std::string_view bytes) {
  if (bytes.size() < kFileHeaderBytes) return corrupt("the file ends inside its header");
  bytes = bytes.substr(0, kFileHeaderBytes);
  Reader in(bytes);
  if (in.raw(4) != kFileMagic) return corrupt("not the header of a log file");
  if (in.u32() != crc32c(bytes.substr(8))) return corrupt("checksum of the file's header");
  const uint32_t version = in.u32();
  if (version != kFileVersion) {
    return Status(Code::kUnsupported,
                  "log file version " + std::to_string(version) + "; this build reads version 2");
  }
  in.u32();
  FileHeader header;
  header.first = Lsn(in.u64());
  header.salt = in.u64();
  return header;
}

BatchPlan::BatchPlan(std::vector<const Record*> batch_records) : records(std::move(batch_records)) {
  for (const Record* record : records) {
    groups.push_back(record->group);
    length += record_bytes(*record);
  }
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  length += kBatchFixedBytes + 4 * groups.size();
  length = (length + kBatchAlignment - 1) / kBatchAlignment * kBatchAlignment;
}

EncodedBatch encode(const BatchPlan& plan, uint64_t salt, Lsn lsn, const LogState& log) {
  EncodedBatch batch;
  std::string& bytes = batch.bytes;
  bytes.reserve(plan.length);
  batch.offsets.reserve(plan.records.size());
  Writer out(bytes);
  out.raw(kBatchMagic);
  out.u32(0);  // both checksums, below
  out.u32(0);
  out.u16(kBatchVersion);
  out.u16(0);
  out.u64(plan.length);
  out.u64(lsn.value());
  out.u64(log.durable.value());
  out.u64(log.epoch);
  out.u32(static_cast<uint32_t>(plan.records.size()));
  out.u32(static_cast<uint32_t>(plan.groups.size()));
  out.u64(log.base.value());
  for (const GroupId group : plan.groups)
    out.u32(static_cast<uint32_t>(group.value()));
  const uint32_t seed = batch_seed(salt);
  store_le(bytes.data() + 8, crc32c(std::string_view(bytes).substr(12), seed));

  const uint32_t each = record_seed(salt, lsn);
  for (const Record* record : plan.records) {
    batch.offsets.push_back(static_cast<uint32_t>(bytes.size()));
    put_record(out, bytes, *record, each);
  }
  bytes.resize(plan.length, '\0');
  store_le(bytes.data() + 4, crc32c(std::string_view(bytes).substr(8), seed));
  return batch;
}

bool starts_batch(std::string_view bytes) {
  return bytes.starts_with(kBatchMagic);
}

Result<BatchHeader> decode_batch_header(std::string_view bytes, uint64_t salt) {
  if (bytes.size() < kBatchFixedBytes) return corrupt("the file ends inside a batch header");
  Reader in(bytes);
  if (in.raw(4) != kBatchMagic) return corrupt("no batch begins here");
  in.u32();
  const uint32_t crc = in.u32();
  const uint16_t version = in.u16();
  in.u16();
  BatchHeader header;
  header.length = in.u64();
  header.lsn = Lsn(in.u64());
  header.durable = Lsn(in.u64());
  header.epoch = in.u64();
  header.records = in.u32();
  const uint32_t groups = in.u32();
  header.base = Lsn(in.u64());
  if (groups > kMaxBatchGroups || groups * size_t{4} > in.remaining()) {
    return corrupt("the list of groups does not fit");
  }
  const size_t end = kBatchFixedBytes + 4 * groups;
  if (crc != crc32c(bytes.substr(12, end - 12), batch_seed(salt))) {
    return corrupt("checksum of the batch's header");
  }
  if (version != kBatchVersion) {
    return Status(Code::kUnsupported,
                  "batch version " + std::to_string(version) + "; this build reads version 2");
  }
  header.groups.reserve(groups);
  for (uint32_t i = 0; i < groups; ++i)
    header.groups.emplace_back(in.u32());
  if (header.length < end || header.length > kMaxBatchBytes ||
      header.length % kBatchAlignment != 0 || header.durable >= header.lsn ||
      header.base == Lsn() || header.base > header.lsn) {
    return corrupt("impossible batch header");
  }
  return header;
}

Status check_batch(std::string_view batch, uint64_t salt) {
  DRUMLIN_CHECK_GE(batch.size(), kBatchFixedBytes);
  if (load_le<uint32_t>(batch.data() + 4) != crc32c(batch.substr(8), batch_seed(salt))) {
    return corrupt("checksum of the batch");
  }
  return {};
}

Result<Record> decode_record(std::string_view bytes, uint64_t salt, Lsn batch_lsn) {
  Reader in(bytes);
  const uint32_t crc = in.u32();
  Record record;
  record.group = GroupId(in.u32());
  record.kind = in.u8();
  record.term = Term(in.u64());
  record.index = LogIndex(in.u64());
  const std::string_view data = in.bytes();
  if (!in.ok()) return corrupt("a record ends outside its batch");
  if (crc != crc32c(bytes.substr(4, in.position() - 4), record_seed(salt, batch_lsn))) {
    return corrupt("checksum of a record");
  }
  record.data = Blob(std::string(data));
  return record;
}

}  // namespace drumlin::wal
