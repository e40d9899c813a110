#include "sim/runtime/file_image.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace drumlin::sim {
namespace {

// What a power cut does to the waiting changes of one file. Drawn per file first, because with many
// changes independent draws alone would hardly ever lose, or keep, all of them.
enum class Mood : uint8_t { kAllVanish, kAllSurvive, kEachItsOwn };

Mood draw_mood(Rng& rng) {
  const uint64_t roll = rng.below(8);
  if (roll == 0) return Mood::kAllVanish;
  if (roll == 1) return Mood::kAllSurvive;
  return Mood::kEachItsOwn;
}

}  // namespace

// -- Pages

void Pages::read(uint64_t offset, std::span<char> into) const {
  while (!into.empty()) {
    const size_t page = offset / kPageBytes;
    const size_t at = offset % kPageBytes;
    const size_t n = std::min(into.size(), kPageBytes - at);
    if (page < pages_.size() && pages_[page] != nullptr) {
      std::memcpy(into.data(), pages_[page]->data() + at, n);
    } else {
      std::memset(into.data(), 0, n);
    }
    into = into.subspan(n);
    offset += n;
  }
}

void Pages::write(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t page = offset / kPageBytes;
    const size_t at = offset % kPageBytes;
    const size_t n = std::min(bytes.size(), kPageBytes - at);
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (pages_[page] == nullptr) pages_[page] = std::make_unique<Page>();  // zeros
    std::memcpy(pages_[page]->data() + at, bytes.data(), n);
    bytes.remove_prefix(n);
    offset += n;
  }
}

void Pages::cut(uint64_t size) {
  const size_t whole = size / kPageBytes;
  const size_t rest = size % kPageBytes;
  if (whole < pages_.size() && rest > 0 && pages_[whole] != nullptr)
    std::memset(pages_[whole]->data() + rest, 0, kPageBytes - rest);
  const size_t keep = whole + (rest > 0 ? 1 : 0);
  if (keep < pages_.size()) pages_.resize(keep);
}

void Pages::copy_from(const Pages& other) {
  pages_.resize(other.pages_.size());
  for (size_t i = 0; i < pages_.size(); ++i) {
    if (other.pages_[i] == nullptr) {
      pages_[i] = nullptr;
    } else if (pages_[i] == nullptr) {
      pages_[i] = std::make_unique<Page>(*other.pages_[i]);
    } else {
      *pages_[i] = *other.pages_[i];
    }
  }
}

// -- FileImage

size_t FileImage::read(uint64_t offset, std::span<char> into) const {
  if (offset >= size_) return 0;
  const size_t n = std::min<uint64_t>(into.size(), size_ - offset);
  cache_.read(offset, into.first(n));
  return n;
}

size_t FileImage::platter_read(uint64_t offset, std::span<char> into) const {
  if (offset >= platter_size_) return 0;
  const size_t n = std::min<uint64_t>(into.size(), platter_size_ - offset);
  platter_.read(offset, into.first(n));
  return n;
}

void FileImage::write(uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  cache_.write(offset, bytes);
  size_ = std::max(size_, offset + bytes.size());
  remember(Kind::kWrite, offset, bytes);
}

void FileImage::truncate(uint64_t size) {
  if (size < size_) cache_.cut(size);
  size_ = size;
  remember(Kind::kTruncate, size, {});
}

void FileImage::extend(uint64_t size) {
  if (size <= size_) return;
  size_ = size;
  remember(Kind::kExtend, size, {});
}

void FileImage::remember(Kind kind, uint64_t offset, std::string_view bytes) {
  waiting_.push_back({kind, ++last_change_, offset, std::string(bytes)});
  if (waiting_.size() <= kMaxWaiting) return;
  apply(waiting_.front());
  waiting_.pop_front();
}

void FileImage::apply(const Change& change) {
  switch (change.kind) {
    case Kind::kWrite:
      platter_.write(change.offset, change.bytes);
      platter_size_ = std::max(platter_size_, change.offset + change.bytes.size());
      break;
    case Kind::kTruncate:
      if (change.offset < platter_size_) platter_.cut(change.offset);
      platter_size_ = change.offset;
      break;
    case Kind::kExtend:
      platter_size_ = std::max(platter_size_, change.offset);
      break;
  }
}

void FileImage::make_durable(uint64_t mark) {
  while (!waiting_.empty() && waiting_.front().id <= mark) {
    apply(waiting_.front());
    waiting_.pop_front();
  }
}

void FileImage::fail_sync(uint64_t mark, Rng& rng) {
  const auto clean = [&](const Change& change) { return change.id <= mark && rng.chance(1, 2); };
  const auto kept = std::remove_if(waiting_.begin(), waiting_.end(), clean);
  if (kept == waiting_.end()) return;
  waiting_.erase(kept, waiting_.end());
  diverged_ = true;
}

bool FileImage::drop_cache() {
  if (!diverged_) return false;
  diverged_ = false;
  cache_.copy_from(platter_);
  size_ = platter_size_;
  for (const Change& change : waiting_) {
    switch (change.kind) {
      case Kind::kWrite:
        cache_.write(change.offset, change.bytes);
        size_ = std::max(size_, change.offset + change.bytes.size());
        break;
      case Kind::kTruncate:
        if (change.offset < size_) cache_.cut(change.offset);
        size_ = change.offset;
        break;
      case Kind::kExtend:
        size_ = std::max(size_, change.offset);
        break;
    }
  }
  return true;
}

bool FileImage::durable(uint64_t offset, uint64_t length) const {
  const uint64_t end = offset + length;
  if (end > size_ || end > platter_size_) return false;
  for (const Change& change : waiting_) {
    switch (change.kind) {
      case Kind::kWrite:
        if (change.offset < end && offset < change.offset + change.bytes.size()) return false;
        break;
      case Kind::kTruncate:
        if (change.offset < end) return false;
        break;
      case Kind::kExtend:
        break;
    }
  }
  if (!diverged_) return true;
  std::string cached(length, '\0');
  std::string stored(length, '\0');
  cache_.read(offset, cached);
  platter_.read(offset, stored);
  return cached == stored;
}

void FileImage::tear(const Change& change, Rng& rng, bool garbage) {
  const uint64_t end = change.offset + change.bytes.size();
  for (uint64_t at = change.offset; at < end;) {
    const uint64_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
    const std::string_view fresh =
        std::string_view(change.bytes).substr(at - change.offset, next - at);
    const uint64_t roll = rng.below(8);
    if (garbage && roll == 0) {
      std::string noise(fresh);
      for (char& c : noise)
        c = static_cast<char>(rng.next());
      platter_.write(at, noise);
      platter_size_ = std::max(platter_size_, next);
    } else if (roll < 4) {
      platter_.write(at, fresh);
      platter_size_ = std::max(platter_size_, next);
    }
    at = next;
  }
}

void FileImage::power_cut(Rng& rng, bool garbage, FaultCounters& counters) {
  if (waiting_.empty() && !diverged_) return;
  const Mood mood = draw_mood(rng);
  for (const Change& change : waiting_) {
    const uint64_t roll = mood == Mood::kEachItsOwn ? rng.below(8) : 0;
    const bool survives = mood == Mood::kAllSurvive || (mood == Mood::kEachItsOwn && roll < 3);
    if (survives) {
      apply(change);
    } else if (roll >= 6 && change.kind == Kind::kWrite) {
      tear(change, rng, garbage);
      counters.both("torn_write");
    } else {
      counters.both("lost_write");
    }
  }
  waiting_.clear();
  diverged_ = false;
  cache_.copy_from(platter_);
  size_ = platter_size_;
}

void FileImage::flip_bit(uint64_t offset, unsigned bit) {
  DRUMLIN_CHECK(offset < size_ && bit < 8);
  const auto flip = [&](char& c) { c = static_cast<char>(static_cast<unsigned>(c) ^ (1u << bit)); };
  for (Pages* pages : {&cache_, &platter_}) {
    if (pages == &platter_ && offset >= platter_size_) continue;
    char c = 0;
    pages->read(offset, {&c, 1});
    flip(c);
    pages->write(offset, {&c, 1});
  }
  for (Change& change : waiting_) {  // or a sync would mend it
    if (change.kind == Kind::kWrite && change.offset <= offset &&
        offset - change.offset < change.bytes.size()) {
      flip(change.bytes[offset - change.offset]);
    }
  }
}

// -- DirImage

void DirImage::apply(Entries& entries, const Change& change) {
  for (const auto& [name, inode] : change) {
    if (inode == nullptr) {
      entries.erase(name);
    } else {
      entries[name] = inode;
    }
  }
}

void DirImage::change(Change change) {
  apply(cache_, change);
  ++last_change_;
  waiting_.push_back(std::move(change));
}

void DirImage::make_durable(uint64_t mark) {
  while (!waiting_.empty() && last_change_ - waiting_.size() < mark) {
    apply(platter_, waiting_.front());
    waiting_.pop_front();
  }
}

bool DirImage::durable(std::string_view name) const {
  for (const Change& change : waiting_) {
    for (const auto& [changed, inode] : change) {
      if (changed == name) return false;
    }
  }
  return cache_.find(name) != cache_.end();
}

void DirImage::power_cut(Rng& rng, FaultCounters& counters) {
  if (waiting_.empty()) return;
  const uint64_t survive = rng.between(0, waiting_.size());
  make_durable(last_change_ - waiting_.size() + survive);
  for (size_t i = 0; i < waiting_.size(); ++i)
    counters.both("dir_loss");
  waiting_.clear();
  cache_ = platter_;
}

}  // namespace drumlin::sim
