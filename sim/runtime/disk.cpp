#include "sim/runtime/disk.h"

#include <algorithm>

#include "base/check.h"

namespace drumlin::sim {
namespace {

Status bad_path(std::string_view path) {
  return {Code::kInvalidArgument, "not a path: '" + std::string(path) + "'"};
}

Status not_found(std::string_view path) {
  return {Code::kNotFound, "no such file or directory: " + std::string(path)};
}

// Calls body(part) for each part; false if the path is not one of ours or body says so.
template <typename Body>
bool for_parts(std::string_view path, const Body& body) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    if (!body(part)) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
    if (path.empty()) return false;
  }
  return true;
}

uint64_t bytes_below(const Inode& inode) {
  uint64_t sum = inode.file.size();
  for (const auto& [name, child] : inode.dir.entries())
    sum += bytes_below(*child);
  return sum;
}

uint64_t waiting_below(const Inode& inode) {
  uint64_t sum = inode.file.waiting() + inode.dir.waiting();
  for (const auto& [name, child] : inode.dir.entries())
    sum += waiting_below(*child);
  return sum;
}

void cut_below(Inode& inode, Rng& rng, bool garbage, FaultCounters& counters) {
  if (!inode.is_directory) {
    inode.file.power_cut(rng, garbage, counters);
    return;
  }
  inode.dir.power_cut(rng, counters);
  for (const auto& [name, child] : inode.dir.entries())
    cut_below(*child, rng, garbage, counters);
}

std::shared_ptr<Inode> make_directory() {
  auto inode = std::make_shared<Inode>();
  inode->is_directory = true;
  return inode;
}

}  // namespace

std::string_view io_name(IoKind kind) {
  switch (kind) {
    case IoKind::kRead:
      return "disk.read";
    case IoKind::kWrite:
      return "disk.write";
    case IoKind::kSync:
      return "disk.sync";
    case IoKind::kTruncate:
      return "disk.truncate";
    case IoKind::kPreallocate:
      return "disk.preallocate";
    case IoKind::kSize:
      return "disk.size";
    case IoKind::kOpen:
      return "disk.open";
    case IoKind::kRename:
      return "disk.rename";
    case IoKind::kRemove:
      return "disk.remove";
    case IoKind::kCreateDir:
      return "disk.create_dir";
    case IoKind::kSyncDir:
      return "disk.sync_dir";
    case IoKind::kList:
      return "disk.list";
    case IoKind::kFree:
      return "disk.free";
    case IoKind::kDropCache:
      return "disk.drop_cache";
  }
  DRUMLIN_UNREACHABLE();
}

// What a path stands for, in the page cache.
struct SimDisk::Place {
  std::shared_ptr<Inode> parent;  // null for the root
  std::string_view name;          // in `parent`
  std::shared_ptr<Inode> inode;   // null if there is none
};

SimDisk::SimDisk(const DiskModel& model, Rng rng, FaultCounters& counters)
    : model_(model),
      rng_(rng),
      sync_rng_(rng.stream("failed sync")),
      counters_(counters),
      root_(make_directory()) {}

SimDisk::~SimDisk() = default;

Result<SimDisk::Place> SimDisk::locate(std::string_view path) const {
  Place place{nullptr, {}, root_};
  bool lost = false;
  const bool good = for_parts(path, [&](std::string_view part) {
    lost = place.inode == nullptr || !place.inode->is_directory;
    if (lost) return false;
    const auto& entries = place.inode->dir.entries();
    const auto it = entries.find(part);
    std::shared_ptr<Inode> child = it == entries.end() ? nullptr : it->second;
    place = {std::move(place.inode), part, std::move(child)};
    return true;
  });
  if (lost) return not_found(path);
  if (!good) return bad_path(path);
  return place;
}

const Inode* SimDisk::find_on_platter(std::string_view path) const {
  const Inode* inode = root_.get();
  const bool found = for_parts(path, [&](std::string_view part) {
    const auto& entries = inode->dir.platter();
    const auto it = entries.find(part);
    if (it == entries.end()) return false;
    inode = it->second.get();
    return true;
  });
  return found ? inode : nullptr;
}

// -- Oracles

bool SimDisk::durable(std::string_view path, uint64_t offset, uint64_t length) const {
  const Inode* inode = root_.get();
  const bool reachable = for_parts(path, [&](std::string_view part) {
    if (!inode->dir.durable(part)) return false;
    inode = inode->dir.entries().find(part)->second.get();
    return true;
  });
  return reachable && inode->file.durable(offset, length);
}

std::string SimDisk::platter_read(std::string_view path, uint64_t offset, size_t n) const {
  const Inode* inode = find_on_platter(path);
  if (inode == nullptr || offset >= inode->file.platter_size()) return {};
  std::string out(std::min<uint64_t>(n, inode->file.platter_size() - offset), '\0');
  out.resize(inode->file.platter_read(offset, out));
  return out;
}

std::string SimDisk::cache_read(std::string_view path, uint64_t offset, size_t n) const {
  const auto place = locate(path);
  if (!place.ok() || place.value().inode == nullptr) return {};
  const FileImage& file = place.value().inode->file;
  if (offset >= file.size()) return {};
  std::string out(std::min<uint64_t>(n, file.size() - offset), '\0');
  out.resize(file.read(offset, out));
  return out;
}

uint64_t SimDisk::unsynced_changes() const {
  return waiting_below(*root_);
}

// -- Faults

void SimDisk::set_slowdown(uint32_t factor) {
  DRUMLIN_CHECK_GE(factor, 1u);
  slowdown_ = factor;
  slowdown_felt_ = factor == 1;
  if (factor > 1) counters_.injected("slow_disk");
}

void SimDisk::stall_until(Instant until) {
  stalled_until_ = until;
  stall_felt_ = false;
  counters_.injected("stalled_disk");
}

void SimDisk::limit_free(uint64_t bytes) {
  if (bytes == kNoLimit) {
    limit_ = kNoLimit;
    return;
  }
  used_ = bytes_below(*root_);
  limit_ = used_ + bytes;
  counters_.injected("full_disk");
}

void SimDisk::power_cut() {
  Rng rng = rng_.stream("power cut/" + std::to_string(power_cuts_++));
  cut_below(*root_, rng, model_.garbage, counters_);
}

bool SimDisk::flip_bit(std::string_view path, uint64_t offset, unsigned bit) {
  const auto place = locate(path);
  if (!place.ok() || place.value().inode == nullptr) return false;
  FileImage& file = place.value().inode->file;
  if (offset >= file.size()) return false;
  file.flip_bit(offset, bit);
  return true;
}

// -- Effects

Result<std::shared_ptr<Inode>> SimDisk::open(std::string_view path, OpenMode mode) {
  DRUMLIN_ASSIGN(Place place, locate(path));
  const bool may_make = mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
  if (place.inode != nullptr) {
    if (mode == OpenMode::kCreateNew) return {Code::kAlreadyExists, std::string(path)};
    if (place.inode->is_directory) return {Code::kIo, "is a directory: " + std::string(path)};
    return std::move(place.inode);
  }
  if (!may_make) return not_found(path);
  auto inode = std::make_shared<Inode>();
  place.parent->dir.change({{std::string(place.name), inode}});
  return inode;
}

Status SimDisk::rename(std::string_view from, std::string_view to) {
  DRUMLIN_ASSIGN(const Place source, locate(from));
  DRUMLIN_ASSIGN(const Place target, locate(to));
  if (source.inode == nullptr) return not_found(from);
  if (source.parent == nullptr || target.parent == nullptr) return bad_path("");
  if (source.inode == target.inode) return {};
  if (to.size() > from.size() && to.substr(0, from.size()) == from && to[from.size()] == '/')
    return bad_path(to);
  if (target.inode != nullptr && (target.inode->is_directory != source.inode->is_directory ||
                                  !target.inode->dir.entries().empty())) {
    return {Code::kAlreadyExists, std::string(to)};
  }
  const std::string old_name(source.name);
  const std::string new_name(target.name);
  if (source.parent == target.parent) {
    source.parent->dir.change({{old_name, nullptr}, {new_name, source.inode}});
    return {};
  }
  for (DirImage* dir : {&target.parent->dir, &source.parent->dir}) {
    dir->change({dir == &target.parent->dir ? std::pair(new_name, source.inode)
                                            : std::pair(old_name, std::shared_ptr<Inode>())});
    dir->make_durable(dir->mark());
  }
  return {};
}

Status SimDisk::remove(std::string_view path) {
  DRUMLIN_ASSIGN(const Place place, locate(path));
  if (place.inode == nullptr) return not_found(path);
  if (place.parent == nullptr) return bad_path(path);
  if (!place.inode->dir.entries().empty())
    return {Code::kAlreadyExists, "directory not empty: " + std::string(path)};
  place.parent->dir.change({{std::string(place.name), nullptr}});
  return {};
}

Status SimDisk::create_dir(std::string_view path) {
  DRUMLIN_ASSIGN(const Place place, locate(path));
  if (place.inode != nullptr) {
    if (place.inode->is_directory) return {};
    return {Code::kAlreadyExists, "is a file: " + std::string(path)};
  }
  place.parent->dir.change({{std::string(place.name), make_directory()}});
  return {};
}

Result<std::shared_ptr<Inode>> SimDisk::directory(std::string_view path) const {
  DRUMLIN_ASSIGN(Place place, locate(path));
  if (place.inode == nullptr) return not_found(path);
  if (!place.inode->is_directory) return {Code::kIo, "not a directory: " + std::string(path)};
  return std::move(place.inode);
}

Result<std::vector<DirEntry>> SimDisk::list(std::string_view path) const {
  DRUMLIN_ASSIGN(const auto inode, directory(path));
  std::vector<DirEntry> out;
  for (const auto& [name, child] : inode->dir.entries())
    out.push_back({name, child->is_directory, child->file.size()});
  return out;
}

uint64_t SimDisk::free_bytes() const {
  return capacity() - std::min(capacity(), bytes_below(*root_));
}

Status SimDisk::full() {
  ++errors_;
  if (limit_ != kNoLimit) counters_.effective("full_disk");
  return {Code::kNoSpace, "disk full"};
}

Status SimDisk::reserve(uint64_t from, uint64_t to) {
  if (to <= from) return {};
  const uint64_t more = to - from;
  if (used_ + more > capacity()) used_ = bytes_below(*root_);
  if (used_ + more > capacity()) return full();
  used_ += more;
  return {};
}

Status SimDisk::write(Inode& inode, uint64_t offset, std::string_view bytes) {
  const Status room = reserve(inode.file.size(), offset + bytes.size());
  if (!room.ok()) {
    // As pwrite does: what fits is there, and the caller's next attempt at the rest fails.
    const uint64_t size = inode.file.size();
    const uint64_t end = std::max(size, offset) + free_bytes();
    if (offset <= size && end > offset) {
      const std::string_view part = bytes.substr(0, std::min<uint64_t>(bytes.size(), end - offset));
      DRUMLIN_TRY(reserve(size, offset + part.size()));
      inode.file.write(offset, part);
      counters_.both("short_write");
    }
    return room;
  }
  inode.file.write(offset, bytes);
  return {};
}

void SimDisk::write_in_part(Inode& inode, uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const std::string_view part = bytes.substr(0, sync_rng_.below(bytes.size()));
  if (part.empty() || !reserve(inode.file.size(), offset + part.size()).ok()) return;
  inode.file.write(offset, part);
  counters_.both("short_write");
}

Status SimDisk::preallocate(Inode& inode, uint64_t size) {
  DRUMLIN_TRY(reserve(inode.file.size(), size));
  inode.file.extend(size);
  return {};
}

Status SimDisk::truncate(Inode& inode, uint64_t size) {
  DRUMLIN_TRY(reserve(inode.file.size(), size));
  inode.file.truncate(size);
  return {};
}

Status SimDisk::fault(const IoCall& call) {
  if (!fault_hook_) return {};
  Status status = fault_hook_(call);
  if (!status.ok()) {
    ++errors_;
    counters_.both("disk_error");
  }
  return status;
}

Duration SimDisk::latency(const IoCall& call, Instant now) {
  Duration low = model_.entry_min;
  Duration high = model_.entry_max;
  uint64_t bytes = 0;
  switch (call.kind) {
    case IoKind::kRead:
      low = model_.read_min;
      high = model_.read_max;
      bytes = call.length;
      break;
    case IoKind::kWrite:
      low = model_.write_min;
      high = model_.write_max;
      bytes = call.length;
      break;
    case IoKind::kSync:
    case IoKind::kSyncDir:
      low = model_.sync_min;
      high = model_.sync_max;
      break;
    default:
      break;
  }
  Duration d = rng_.duration_between(low, high);
  d += Duration(static_cast<int64_t>(bytes * 1'000'000'000 / model_.bytes_per_second));
  if (rng_.chance(model_.slow_per_million, 1'000'000)) {
    d += rng_.duration_between(Duration(0), model_.slow_max);
    counters_.both("slow_disk");
  }
  if (slowdown_ > 1) {
    d *= slowdown_;
    if (!slowdown_felt_) counters_.effective("slow_disk");
    slowdown_felt_ = true;
  }
  if (now + d < stalled_until_) {
    d = stalled_until_ - now;
    if (!stall_felt_) counters_.effective("stalled_disk");
    stall_felt_ = true;
  }
  return d;
}

}  // namespace drumlin::sim
