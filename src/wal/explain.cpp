#include "wal/explain.h"

#include <fmt/format.h>

#include "base/codec.h"
#include "wal/format.h"

namespace drumlin::wal {
namespace {

std::string shown(const Record& record) {
  const std::string group = fmt::format("group {:<4}", record.group.value());
  if (record.kind == kMark && record.index == LogIndex() && record.data.size() == 8) {
    return fmt::format("{} mark: its log begins after index {}, of term {}", group,
                       load_le<uint64_t>(record.data.view().data()), record.term.value());
  }
  const std::string kind = record.kind == 1   ? "no-op of a new leader"
                           : record.kind == 2 ? "command"
                                              : fmt::format("kind {}", record.kind);
  return fmt::format("{} index {:<8} term {:<5} {}, {} bytes", group, record.index.value(),
                     record.term.value(), kind, record.data.size());
}

// One file of the log.
class LogFile {
 public:
  LogFile(std::string_view bytes, const ExplainOptions& options, const Lines& line)
      : bytes_(bytes), options_(options), line_(line) {}

  Status run() {
    DRUMLIN_ASSIGN(const FileHeader header, decode_file_header(bytes_));
    salt_ = header.salt;
    next_ = header.first;
    line_(fmt::format("log file: begins with record {}, salt {:016x}, {} bytes",
                      header.first.value(), header.salt, bytes_.size()));
    size_t offset = kFileHeaderBytes;
    while (offset < bytes_.size()) {
      DRUMLIN_ASSIGN(const size_t length, batch(offset));
      if (length == 0) break;
      offset += length;
    }
    line_(fmt::format("end: {} batches, {} records, the next is record {}", batches_, records_,
                      next_.value()));
    if (!damaged_) return {};
    return {Code::kCorrupt, "bytes that were written once are damaged, or a write was cut short"};
  }

 private:
  // The bytes that the batch takes; 0: the rest was said.
  Result<size_t> batch(size_t offset) {
    const std::string_view here = bytes_.substr(offset);
    auto header = decode_batch_header(here, salt_);
    if (header.is(Code::kUnsupported)) return header.status();
    std::string why = header.status().message();
    if (header.ok() && header->length > here.size()) why = "the file ends inside the batch";
    if (why.empty()) why = check_batch(here.substr(0, header->length), salt_).message();
    if (why.empty() && header->lsn != next_)
      why = fmt::format("record {} comes next", next_.value());
    if (!why.empty()) return bad(offset, why);
    ++batches_;
    line_(
        fmt::format("@{:<9} batch: records {}..{}, {} bytes, boot {}; durable up to {}; files from "
                    "record {} on",
                    offset, header->lsn.value(), header->next().value() - 1, header->length,
                    header->epoch, header->durable.value(), header->base.value()));
    if (header->records == 0) line_("            marker: all before it is durable");
    DRUMLIN_TRY(records(offset, *header));
    next_ = header->next();
    return header->length;
  }

  Status records(size_t offset, const BatchHeader& header) {
    size_t at = offset + header.header_bytes();
    for (uint32_t i = 0; i < header.records; ++i, ++records_) {
      DRUMLIN_ASSIGN(const Record record, decode_record(bytes_.substr(at), salt_, header.lsn));
      if (options_.records) line_(fmt::format("  @{:<9} {}", at, shown(record)));
      at += record_bytes(record);
    }
    return {};
  }

  // Goes on with the next batch that is whole: a header that follows says whether this one was durable.
  Result<size_t> bad(size_t offset, const std::string& why) {
    const size_t data = bytes_.find_first_not_of('\0', offset);
    if (data == std::string_view::npos) {
      line_(fmt::format("@{:<9} {} bytes of zeros: space taken ahead", offset,
                        bytes_.size() - offset));
      return size_t{0};
    }
    damaged_ = true;
    for (size_t at = offset + kBatchAlignment; at < bytes_.size(); at += kBatchAlignment) {
      if (!starts_batch(bytes_.substr(at))) continue;
      const auto header = decode_batch_header(bytes_.substr(at), salt_);
      if (!header.ok() || header->lsn <= next_) continue;
      line_(fmt::format("@{:<9} DAMAGED up to {}: {}", offset, at, why));
      next_ = header->lsn;
      return at - offset;
    }
    line_(fmt::format("@{:<9} DAMAGED or never finished, to the end: {}", offset, why));
    return size_t{0};
  }

  std::string_view bytes_;
  const ExplainOptions& options_;
  const Lines& line_;
  uint64_t salt_ = 0;
  Lsn next_;
  uint64_t batches_ = 0;
  uint64_t records_ = 0;
  bool damaged_ = false;
};

}  // namespace

Status explain_log(std::string_view bytes, const ExplainOptions& options, const Lines& line) {
  return LogFile(bytes, options, line).run();
}

Status explain(std::string_view bytes, const ExplainOptions& options, const Lines& line) {
  const std::string_view magic = bytes.substr(0, 4);
  if (magic == "DrWF") return explain_log(bytes, options, line);
  if (magic == "DrHF") return explain_hard_state(bytes, line);
  if (magic == "DrSB") return explain_superblock(bytes, line);
  return {Code::kInvalidArgument,
          "neither a file of the log (wal/*.log), nor hardstate.a or .b, nor a superblock"};
}

}  // namespace drumlin::wal
