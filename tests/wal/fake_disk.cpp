#include "fake_disk.h"

#include <algorithm>
#include <utility>

namespace drumlin::wal::test {
namespace {

constexpr size_t kSector = 512;

std::string parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

void write_into(std::string& content, uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
  content.replace(offset, bytes.size(), bytes);
}

void apply(std::string& content, const FakeDisk::Inode::Change& change, size_t fate) {
  if (fate == 0) return;
  if (change.truncate) {
    content.resize(change.offset, '\0');
    return;
  }
  // The end of the write's first sector, and of its middle one.
  const uint64_t end = change.offset + change.bytes.size();
  const uint64_t first = std::min((change.offset / kSector + 1) * kSector, end);
  const uint64_t middle =
      std::min(std::max(first, (change.offset + end) / 2 / kSector * kSector), end);
  const std::string_view bytes = change.bytes;
  if (fate == 1) write_into(content, change.offset, bytes);
  if (fate == 2) write_into(content, change.offset, bytes.substr(0, middle - change.offset));
  if (fate == 3) write_into(content, first, bytes.substr(first - change.offset));
  if (fate == 4) write_into(content, change.offset, std::string(bytes.size(), '\xdb'));
}

// Each sector that the write touches on its own: 0 lost, 1 kept, 2 garbage.
void apply_by_sectors(std::string& content, const FakeDisk::Inode::Change& change,
                      const Choose& choose) {
  if (change.truncate) return apply(content, change, choose(2));
  const std::string_view bytes = change.bytes;
  for (size_t at = 0; at < bytes.size();) {
    const size_t n = std::min<size_t>(bytes.size() - at, kSector - (change.offset + at) % kSector);
    const size_t fate = choose(3);
    if (fate == 1) write_into(content, change.offset + at, bytes.substr(at, n));
    if (fate == 2) write_into(content, change.offset + at, std::string(n, '\xdb'));
    at += n;
  }
}

}  // namespace

class FakeFile : public File {
 public:
  FakeFile(FakeDisk& disk, FakeDisk::InodePtr inode) : disk_(disk), inode_(std::move(inode)) {}

  Result<size_t> read_at(uint64_t offset, std::span<char> into) override {
    disk_.yield();
    if (offset >= inode_->now.size()) return size_t{0};
    return inode_->now.copy(into.data(), into.size(), offset);
  }
  Status write_at(uint64_t offset, std::string_view bytes) override {
    ++disk_.writes;
    if (disk_.fail_write) return {Code::kIo, "injected"};
    change({false, offset, std::string(bytes)});
    return {};
  }
  Status sync() override {
    ++disk_.syncs;
    if (disk_.begin()) disk_.power_cut();
    if (disk_.fail_sync) {
      inode_->pending.clear();  // readers still see it, and no later sync will write it
      return {Code::kIo, "injected"};
    }
    // Only what was there when the sync began.
    std::vector<FakeDisk::Inode::Change> done = std::move(inode_->pending);
    inode_->pending.clear();
    for (const auto& c : done)
      apply(inode_->platter, c, 1);
    return {};
  }
  Status truncate(uint64_t size) override {
    change({true, size, {}});
    return {};
  }
  Status drop_cache() override {
    inode_->now = inode_->platter;
    for (const auto& c : inode_->pending)
      apply(inode_->now, c, 1);
    return {};
  }
  Status preallocate(uint64_t size) override {
    if (inode_->now.size() < size) change({true, size, {}});
    return {};
  }
  Result<uint64_t> size() override { return inode_->now.size(); }

 private:
  void change(FakeDisk::Inode::Change change) {
    const bool last = disk_.begin();
    apply(inode_->now, change, 1);
    inode_->pending.push_back(std::move(change));
    if (last) disk_.power_cut();
  }
  FakeDisk& disk_;
  FakeDisk::InodePtr inode_;
};

FakeDisk::FakeDisk(const Image& image) : dirs_(image.dirs), platter_dirs_(image.dirs) {
  for (const auto& [path, bytes] : image.files) {
    auto inode = std::make_shared<Inode>();
    inode->now = inode->platter = bytes;
    names_[path] = inode;
  }
  platter_names_ = names_;
}

bool FakeDisk::begin() {
  yield();
  return operations++ == stop_at;
}

void FakeDisk::change(DirChange change) {
  const bool last = begin();
  if (!change.from.empty()) names_.erase(change.from);
  if (change.inode == nullptr && !change.to.empty()) dirs_.insert(change.to);
  if (change.inode != nullptr && !change.to.empty()) names_[change.to] = change.inode;
  pending_.push_back(std::move(change));
  if (last) power_cut();
}

Result<std::unique_ptr<File>> FakeDisk::open(std::string_view path, OpenMode mode) {
  const std::string name(path);
  if (!parent(name).empty() && !dirs_.contains(parent(name))) return Status(Code::kNotFound, name);
  const bool there = names_.contains(name);
  if (mode == OpenMode::kCreateNew && there) return Status(Code::kAlreadyExists, name);
  if (!there) {
    if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) {
      return Status(Code::kNotFound, name);
    }
    change({"", name, std::make_shared<Inode>()});
  }
  return std::unique_ptr<File>(new FakeFile(*this, names_.at(name)));
}

Status FakeDisk::rename(std::string_view from, std::string_view to) {
  const auto it = names_.find(std::string(from));
  if (it == names_.end()) return {Code::kNotFound, std::string(from)};
  change({std::string(from), std::string(to), it->second});
  return {};
}

Status FakeDisk::remove(std::string_view path) {
  const auto it = names_.find(std::string(path));
  if (it == names_.end()) return {Code::kNotFound, std::string(path)};
  change({std::string(path), "", it->second});
  return {};
}

Status FakeDisk::create_dir(std::string_view path) {
  if (!dirs_.contains(std::string(path))) change({"", std::string(path), nullptr});
  return {};
}

Status FakeDisk::sync_dir(std::string_view path) {
  if (begin()) power_cut();
  std::vector<DirChange> others;
  for (DirChange& c : pending_) {
    if (parent(c.to.empty() ? c.from : c.to) != path) {
      others.push_back(std::move(c));
      continue;
    }
    if (!c.from.empty()) platter_names_.erase(c.from);
    if (c.inode == nullptr) platter_dirs_.insert(c.to);
    if (c.inode != nullptr && !c.to.empty()) platter_names_[c.to] = c.inode;
  }
  pending_ = std::move(others);
  return {};
}

Result<std::vector<DirEntry>> FakeDisk::list(std::string_view path) {
  std::vector<DirEntry> entries;
  for (const auto& [name, inode] : names_) {
    if (parent(name) != path) continue;
    entries.push_back({name.substr(path.empty() ? 0 : path.size() + 1), false, inode->now.size()});
  }
  return entries;
}

void FakeDisk::damage(const std::string& path, size_t offset) {
  Inode& inode = *names_.at(path);
  inode.now.at(offset) ^= 1;
  if (offset < inode.platter.size()) inode.platter[offset] ^= 1;
}

Image FakeDisk::image() const {
  Image image{{}, dirs_};
  for (const auto& [name, inode] : names_)
    image.files[name] = inode->now;
  return image;
}

Image FakeDisk::crash(const Choose& choose) const {
  return crash(choose, [&](std::string& content, const Inode::Change& c) {
    apply(content, c, choose(c.truncate ? 2 : 5));
  });
}

Image FakeDisk::crash_by_sectors(const Choose& choose) const {
  return crash(choose, [&](std::string& content, const Inode::Change& c) {
    apply_by_sectors(content, c, choose);
  });
}

Image FakeDisk::crash(const Choose& choose, const Write& write) const {
  Image image{{}, platter_dirs_};
  std::map<std::string, InodePtr> names = platter_names_;
  for (const DirChange& c : pending_) {
    if (choose(2) == 0) continue;
    if (!c.from.empty()) {
      const auto it = names.find(c.from);
      if (it != names.end() && it->second == c.inode) names.erase(it);
    }
    if (c.inode == nullptr) image.dirs.insert(c.to);
    if (c.inode != nullptr && !c.to.empty()) names[c.to] = c.inode;
  }
  for (const auto& [name, inode] : names) {
    if (const size_t slash = name.rfind('/');
        slash != std::string::npos && !image.dirs.contains(name.substr(0, slash))) {
      continue;  // its directory is gone
    }
    std::string content = inode->platter;
    for (const Inode::Change& c : inode->pending)
      write(content, c);
    image.files[name] = std::move(content);
  }
  return image;
}

}  // namespace drumlin::wal::test
