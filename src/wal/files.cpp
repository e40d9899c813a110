#include "wal/files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/codec.h"
#include "base/digest.h"

namespace drumlin::wal {
namespace {

constexpr std::string_view kPrefix = "wal-";
constexpr std::string_view kSuffix = ".log";
constexpr size_t kDigits = 16;

std::optional<Lsn> parse_name(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size() || !name.starts_with(kPrefix) ||
      !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  const char* digits = name.data() + kPrefix.size();
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits, digits + kDigits, value, 16);
  if (error != std::errc() || end != digits + kDigits) return std::nullopt;
  return Lsn(value);
}

}  // namespace

Result<std::vector<Lsn>> Files::list() {
  DRUMLIN_ASSIGN(const std::vector<DirEntry> entries, runtime_.disk().list(directory_));
  std::vector<Lsn> found;
  for (const DirEntry& entry : entries) {
    const std::optional<Lsn> first = parse_name(entry.name);
    if (first && !entry.is_directory) found.push_back(*first);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string Files::path_of(Lsn first) const {
  std::array<unsigned char, 8> big_endian{};
  for (size_t i = 0; i < 8; ++i) {
    big_endian[i] = static_cast<unsigned char>(first.value() >> (8 * (7 - i)));
  }
  return directory_ + "/" + std::string(kPrefix) + hex(big_endian) + std::string(kSuffix);
}

uint32_t Files::add(Entry entry) {
  entries_.push_back(std::move(entry));
  return newest();
}

uint32_t Files::newest() const {
  DRUMLIN_CHECK(!entries_.empty());
  return oldest_ + static_cast<uint32_t>(entries_.size()) - 1;
}

const Files::Entry& Files::operator[](uint32_t position) const {
  DRUMLIN_CHECK_GE(position, oldest_);
  DRUMLIN_CHECK_LT(position - oldest_, entries_.size());
  return entries_[position - oldest_];
}

uint64_t Files::bytes() const {
  uint64_t out = 0;
  for (const Entry& entry : entries_)
    out += entry.bytes;
  return out;
}

uint32_t Files::holding(uint64_t bytes) const {
  uint32_t position = newest();
  uint64_t held = last().bytes;
  while (position > oldest_ && held < bytes) {
    --position;
    held += (*this)[position].bytes;
  }
  return position;
}

Status Files::remove_oldest() {
  DRUMLIN_CHECK_GT(entries_.size(), size_t{1});
  const std::string path = entries_.front().path;
  std::erase_if(readers_, [this](const auto& open) { return open.first == oldest_; });
  entries_.pop_front();
  ++oldest_;
  return runtime_.disk().remove(path).with_context(path);
}

Status Files::create_directory() {
  Disk& disk = runtime_.disk();
  DRUMLIN_TRY(disk.create_dir(directory_));
  const size_t slash = directory_.rfind('/');
  return disk.sync_dir(slash == std::string::npos ? "" : directory_.substr(0, slash));
}

Result<std::unique_ptr<File>> Files::create(Lsn first) {
  Disk& disk = runtime_.disk();
  std::array<char, 8> salt{};
  runtime_.secure_random(salt);
  Entry entry{path_of(first), FileHeader{first, load_le<uint64_t>(salt.data())}};
  DRUMLIN_ASSIGN(std::unique_ptr<File> file, disk.open(entry.path, OpenMode::kCreateNew));
  DRUMLIN_TRY(file->write_at(0, encode(entry.header)));
  DRUMLIN_TRY(file->sync());
  DRUMLIN_TRY(disk.sync_dir(directory_));
  add(std::move(entry));
  return file;
}

Result<std::shared_ptr<File>> Files::reader(uint32_t position) {
  const auto it = std::find_if(readers_.begin(), readers_.end(),
                               [&](const auto& open) { return open.first == position; });
  if (it != readers_.end()) {
    auto found = std::move(*it);
    readers_.erase(it);
    readers_.push_back(found);
    return found.second;
  }
  if (position < oldest_) return Status(Code::kNotFound, "the log file is gone");
  DRUMLIN_ASSIGN(std::unique_ptr<File> opened,
                 runtime_.disk().open((*this)[position].path, OpenMode::kRead));
  std::shared_ptr<File> file = std::move(opened);
  if (position < oldest_) return file;  // good for what is being read, and no longer
  // Another fiber may have opened it meanwhile: two handles do no harm.
  readers_.emplace_back(position, file);
  if (readers_.size() > kOpenReaders) readers_.pop_front();
  return file;
}

}  // namespace drumlin::wal
