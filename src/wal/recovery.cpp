#include "wal/recovery.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace drumlin::wal {
namespace {

Status corrupt(const std::string& path, uint64_t offset, const std::string& why) {
  return {Code::kCorrupt,
          "wal corrupt: " + path + " at offset " + std::to_string(offset) + ": " + why};
}

}  // namespace

// Reads a file through a buffer that holds the piece last looked at.
class Recovery::Window {
 public:
  Window(std::unique_ptr<File> file, uint64_t size) : file_(std::move(file)), size_(size) {}

  uint64_t size() const { return size_; }
  File& file() { return *file_; }
  std::unique_ptr<File> take_file() { return std::move(file_); }

  // Up to n bytes from the offset, fewer at the end of the file; good until the next call. Yields.
  Result<std::string_view> view(uint64_t offset, uint64_t n) {
    DRUMLIN_CHECK_LE(offset, size_);
    n = std::min(n, size_ - offset);
    if (offset < start_ || offset + n > start_ + buffer_.size()) {
      const uint64_t want = std::min(std::max<uint64_t>(n, kReadBytes), size_ - offset);
      buffer_.resize(want);
      start_ = offset;
      DRUMLIN_ASSIGN(const size_t got, file_->read_at(offset, buffer_));
      if (got != want) return Status(Code::kIo, "the log file became shorter while it was read");
    }
    return std::string_view(buffer_).substr(offset - start_, n);
  }

 private:
  static constexpr uint64_t kReadBytes = 4 << 20;
  std::unique_ptr<File> file_;
  uint64_t size_;
  std::string buffer_;
  uint64_t start_ = 0;
};

Result<Recovered> Recovery::run() {
  DRUMLIN_TRY(files_.create_directory());
  DRUMLIN_ASSIGN(const std::vector<Lsn> found, files_.list());
  for (size_t i = 0; i < found.size(); ++i) {
    DRUMLIN_TRY(read_file(found[i], i + 1 == found.size()));
  }
  if (files_.empty()) {
    DRUMLIN_TRY(make_first());
  } else if (end_.tail == nullptr) {
    // The newest file was never finished and is gone: the one before it goes on.
    const std::string& path = files_.last().path;
    DRUMLIN_ASSIGN(end_.tail, runtime_.disk().open(path, OpenMode::kReadWrite));
    DRUMLIN_ASSIGN(end_.tail_bytes, end_.tail->size());
    end_.tail_size = end_.tail_bytes;
  }
  DRUMLIN_TRY(check_base());
  // What was cut or removed might come back: all of it counts once it is synced, and only then is anything
  // appended. Files before the last one were synced before the last one was made.
  DRUMLIN_TRY(end_.tail->sync());
  DRUMLIN_TRY(runtime_.disk().sync_dir(files_.directory()));
  return std::move(end_);
}

Status Recovery::check_base() {
  const Lsn first = files_[files_.oldest()].header.first;
  if (first <= end_.base) return {};
  return corrupt(files_.directory(), 0,
                 "the log begins with record " + first.to_string() + ", but record " +
                     end_.base.to_string() + " must be there: a log file is missing");
}

Status Recovery::make_first() {
  if (options_.must_exist) {
    return {Code::kCorrupt,
            "wal corrupt: " + files_.directory() + " holds no log, but there was one"};
  }
  DRUMLIN_ASSIGN(end_.tail, files_.create(Lsn(1)));
  end_.tail_bytes = end_.tail_size = kFileHeaderBytes;
  return {};
}

Status Recovery::read_file(Lsn first, bool is_last) {
  const std::string path = files_.path_of(first);
  DRUMLIN_ASSIGN(std::unique_ptr<File> file, runtime_.disk().open(path, OpenMode::kReadWrite));
  // The cache may hold, as clean, what a sync that failed in an earlier life never brought to the disk: no
  // later sync would write it. So it is the disk that is read. Files before the last one were synced well.
  if (is_last) {
    DRUMLIN_TRY(file->sync().with_context(path));
    DRUMLIN_TRY(file->drop_cache().with_context(path));
  }
  DRUMLIN_ASSIGN(const uint64_t size, file->size());
  Window window(std::move(file), size);
  Result<FileHeader> header = read_header(window, first);
  if (!header.ok()) {
    // The header is durable before any batch follows: without one the file was never finished.
    if (header.is(Code::kCorrupt) && is_last && size <= kFileHeaderBytes) {
      runtime_.probe("wal.unfinished_file_removed");
      observer_.log.warn("wal", "removed a log file whose making was cut short",
                         {{"file", path}, {"bytes", size}});
      return runtime_.disk().remove(path);
    }
    if (header.is(Code::kCorrupt)) return corrupt(path, 0, header.status().message());
    return header.status().with_context(path);
  }
  if (files_.empty()) end_.last = first - 1;
  if (first != next()) {
    return corrupt(path, 0,
                   "the file begins with record " + first.to_string() + ", but record " +
                       next().to_string() + " comes next: a log file is missing");
  }
  // It was made once all before it was durable.
  end_.claimed = std::max(end_.claimed, end_.last);
  end_.uncovered = false;
  const uint32_t position = files_.add(Files::Entry{path, *header});
  DRUMLIN_TRY(read_batches(window, position, is_last));
  if (is_last) end_.tail = window.take_file();
  return {};
}

Result<FileHeader> Recovery::read_header(Window& window, Lsn first) {
  DRUMLIN_ASSIGN(const std::string_view bytes, window.view(0, kFileHeaderBytes));
  DRUMLIN_ASSIGN(FileHeader header, decode_file_header(bytes));
  if (header.first != first) {
    return Status(Code::kCorrupt, "the header is that of the file beginning with record " +
                                      header.first.to_string());
  }
  return header;
}

Status Recovery::read_batches(Window& window, uint32_t position, bool is_last) {
  const std::string& path = files_[position].path;
  uint64_t offset = kFileHeaderBytes;
  end_.tail_size = window.size();
  while (offset < window.size()) {
    DRUMLIN_ASSIGN(const Attempt batch, read_batch(window, position, offset));
    if (!batch.why.empty()) {
      if (!is_last) return corrupt(path, offset, batch.why);
      DRUMLIN_TRY(cut(window, position, offset, batch.why));
      break;
    }
    DRUMLIN_TRY(accept(batch, position, offset));
    offset += batch.header.length;
  }
  end_.tail_bytes = offset;
  files_.set_last_bytes(offset - kFileHeaderBytes);
  return {};
}

Result<Recovery::Attempt> Recovery::read_batch(Window& window, uint32_t position, uint64_t offset) {
  const Files::Entry& file = files_[position];
  Attempt batch;
  const auto bad = [&](std::string why) {
    batch.why = std::move(why);
    return batch;
  };
  DRUMLIN_ASSIGN(const std::string_view start,
                 window.view(offset, kBatchFixedBytes + 4 * kMaxBatchGroups));
  Result<BatchHeader> header = decode_batch_header(start, file.header.salt);
  if (header.is(Code::kUnsupported)) return header.status().with_context(file.path);
  if (!header.ok()) return bad(header.status().message());
  batch.header = std::move(*header);
  if (batch.header.lsn != next()) {
    return bad("the batch begins with record " + batch.header.lsn.to_string() + " instead of " +
               next().to_string());
  }
  if (batch.header.epoch > options_.epoch) {
    return corrupt(file.path, offset,
                   "the batch was written by boot " + std::to_string(batch.header.epoch) +
                       ", but this is boot " + std::to_string(options_.epoch) +
                       ": the superblock is older than the log");
  }
  if (batch.header.epoch < epoch_)
    return bad("the batch is of an earlier boot than the one before");
  if (batch.header.length > window.size() - offset) return bad("the file ends inside the batch");
  DRUMLIN_ASSIGN(batch.bytes, window.view(offset, batch.header.length));
  const Status sound = check_batch(batch.bytes, file.header.salt);
  if (!sound.ok()) return bad(sound.message());
  return batch;
}

Status Recovery::accept(const Attempt& batch, uint32_t position, uint64_t offset) {
  const BatchHeader& header = batch.header;
  const Files::Entry& file = files_[position];
  if (offset + header.length > std::numeric_limits<uint32_t>::max()) {
    return corrupt(file.path, offset, "the file is larger than a log file can be");
  }
  end_.last = header.next() - 1;
  end_.claimed = std::max(end_.claimed, header.durable);
  end_.base = std::max(end_.base, header.base);
  end_.uncovered = header.records != 0;
  end_.bytes += header.length;
  epoch_ = header.epoch;

  const Location location{file.path, offset, header.length, header.lsn};
  const uint32_t number = index_.add_batch(
      {header.lsn, position, static_cast<uint32_t>(offset), static_cast<uint32_t>(header.length)});
  size_t at = header.header_bytes();
  for (uint32_t i = 0; i < header.records; ++i) {
    Result<Record> record = decode_record(batch.bytes.substr(at), file.header.salt, header.lsn);
    if (!record.ok()) return corrupt(file.path, offset + at, record.status().message());
    const size_t bytes = record_bytes(*record);
    if (record->index.value() != 0) {
      index_.add(record->group, record->index, number, static_cast<uint32_t>(at),
                 static_cast<uint32_t>(bytes));
    }
    at += bytes;
    DRUMLIN_TRY(visitor_(*record, location));
  }
  return {};
}

Result<Lsn> Recovery::claimed_after(Window& window, uint32_t position, uint64_t offset) {
  Lsn claimed;
  for (; offset + kBatchFixedBytes <= window.size(); offset += kBatchAlignment) {
    DRUMLIN_ASSIGN(const std::string_view fixed, window.view(offset, kBatchFixedBytes));
    if (!starts_batch(fixed)) continue;
    DRUMLIN_ASSIGN(const std::string_view start,
                   window.view(offset, kBatchFixedBytes + 4 * kMaxBatchGroups));
    const Result<BatchHeader> header = decode_batch_header(start, files_[position].header.salt);
    if (header.ok() && header->lsn > next()) claimed = std::max(claimed, header->durable);
  }
  return claimed;
}

Result<bool> Recovery::only_zeros(Window& window, uint64_t offset) {
  constexpr uint64_t kPiece = 64 * 1024;
  while (offset < window.size()) {
    DRUMLIN_ASSIGN(const std::string_view piece, window.view(offset, kPiece));
    if (piece.find_first_not_of('\0') != std::string_view::npos) return false;
    offset += piece.size();
  }
  return true;
}

Status Recovery::cut(Window& window, uint32_t position, uint64_t offset, const std::string& why) {
  const std::string& path = files_[position].path;
  DRUMLIN_ASSIGN(const bool zeros, only_zeros(window, offset));
  Lsn later;
  if (!zeros) {
    DRUMLIN_ASSIGN(later, claimed_after(window, position, offset));
  }
  const Lsn claimed = std::max(end_.claimed, later);
  if (claimed >= next()) {
    return corrupt(path, offset,
                   why + " (record " + next().to_string() +
                       " is damaged; the log was durable up to record " + claimed.to_string() +
                       ")");
  }
  if (zeros) return {};
  end_.tail_size = offset;
  runtime_.probe("wal.torn_tail_cut");
  observer_.log.warn("wal", "cut a torn tail",
                     {{"file", path},
                      {"offset", offset},
                      {"bytes", window.size() - offset},
                      {"durable", claimed},
                      {"why", why}});
  return window.file().truncate(offset);  // run() makes it durable before anything is appended
}

}  // namespace drumlin::wal
