#include "sim/runtime/disk_calls.h"

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "sim/runtime/machine.h"
#include "sim/runtime/parked.h"
#include "sim/runtime/process.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {
namespace {

Status dead() {
  return {Code::kIo, "the machine is dead"};
}

// The end of every call, in both faces: fault, effect, trace, and whatever waits for the k-th call.
// `failed` is the effect of a fault; Effect returns a Status or a Result.
template <typename Effect, typename Failed>
auto finish(Process& process, const IoCall& call, const Effect& effect, const Failed& failed)
    -> decltype(effect()) {
  Machine& machine = *process.machine();
  const Status fault = machine.disk().fault(call);
  if (process.dead()) return dead();  // the hook may kill
  if (!fault.ok()) {
    failed();
    process.world().event(&process.host(), "disk.error", call.offset, call.length, call.path);
    return fault;
  }
  auto result = effect();
  process.world().event(&process.host(), io_name(call.kind), call.offset, call.length, call.path,
                        call.content);
  if (result.ok()) machine.io_completed();
  return result;
}

// A call under way, on its fiber's stack: an event of the kernel's.
template <typename Body>
class Pending final : public Event {
 public:
  Pending(Process& process, const Body& body)
      : Event(nullptr), process_(process), body_(body), parked_(process.world(), process.host()) {}

  auto run(const IoCall& call) {
    World& world = process_.world();
    world.arm(*this, world.now() + process_.machine()->disk().latency(call, world.now()));
    (void)parked_.wait();
    return *std::move(result_);
  }

  void fire() override {
    if (process_.dead()) return;
    const Instant stalled_until = process_.machine()->disk().stalled_until();
    if (stalled_until > process_.world().now()) {
      process_.world().arm(*this, stalled_until);
      return;
    }
    result_.emplace(body_());
    parked_.wake();  // lost on a process that died in it
  }

 private:
  Process& process_;
  const Body& body_;
  Parked parked_;
  std::optional<decltype(std::declval<const Body&>()())> result_;
};

struct Yielding {
  using FileFace = File;
  template <typename Body>
  static auto call(Process& process, const IoCall& call, const Body& body) {
    process.require_alive();
    return Pending<Body>(process, body).run(call);
  }
};

struct Blocking {
  using FileFace = BlockingFile;
  template <typename Body>
  static auto call(Process& process, const IoCall& call, const Body& body) -> decltype(body()) {
    if (process.dead()) return dead();
    process.charge(process.machine()->disk().latency(call, process.busy_until()));
    auto result = body();
    if (process.dead()) return dead();  // it never hears of its last call
    return result;
  }
};

template <typename Face>
class SimFile final : public Face::FileFace {
 public:
  SimFile(Process& process, std::shared_ptr<Inode> inode, std::string_view path, bool writable)
      : process_(process), inode_(std::move(inode)), path_(path), writable_(writable) {}

  Result<size_t> read_at(uint64_t offset, std::span<char> into) override {
    return call({IoKind::kRead, path_, offset, into.size()},
                [&]() -> Result<size_t> { return inode_->file.read(offset, into); });
  }
  Status write_at(uint64_t offset, std::string_view bytes) override {
    if (!writable_) return read_only();
    return call(
        {IoKind::kWrite, path_, offset, bytes.size(), xxh3(bytes)},
        [&] { return disk().write(*inode_, offset, bytes); },
        [&] { disk().write_in_part(*inode_, offset, bytes); });
  }
  Status sync() override {
    const uint64_t mark = inode_->file.mark();
    return call(
        {IoKind::kSync, path_},
        [&] {
          inode_->file.make_durable(mark);
          return Status();
        },
        [&] { disk().fail_sync(*inode_, mark); });
  }
  Status truncate(uint64_t size) override {
    if (!writable_) return read_only();
    return call({IoKind::kTruncate, path_, size}, [&] { return disk().truncate(*inode_, size); });
  }
  Status preallocate(uint64_t size) override {
    if (!writable_) return read_only();
    return call({IoKind::kPreallocate, path_, size},
                [&] { return disk().preallocate(*inode_, size); });
  }
  Result<uint64_t> size() override {
    return call({IoKind::kSize, path_}, [&]() -> Result<uint64_t> { return inode_->file.size(); });
  }
  Status drop_cache() override {
    return call({IoKind::kDropCache, path_}, [&] {
      if (inode_->file.drop_cache()) process_.probe("disk.cache_differed");
      return Status();
    });
  }

 private:
  template <typename Effect>
  auto call(const IoCall& io, const Effect& effect) {
    return call(io, effect, [] {});
  }
  template <typename Effect, typename Failed>
  auto call(const IoCall& io, const Effect& effect, const Failed& failed) {
    return Face::call(process_, io, [&] { return finish(process_, io, effect, failed); });
  }
  SimDisk& disk() { return process_.machine()->disk(); }
  Status read_only() const { return {Code::kPermissionDenied, "open for reading: " + path_}; }

  Process& process_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
  bool writable_;
};

template <typename Face, typename DiskFace>
class Calls : public DiskFace {
 public:
  using FilePtr = std::unique_ptr<typename Face::FileFace>;

  explicit Calls(Process& process) : process_(process) {}

  Result<FilePtr> open(std::string_view path, OpenMode mode) override {
    return call({IoKind::kOpen, path}, [&]() -> Result<FilePtr> {
      DRUMLIN_ASSIGN(auto inode, disk().open(path, mode));
      return FilePtr(std::make_unique<SimFile<Face>>(process_, std::move(inode), path,
                                                     mode != OpenMode::kRead));
    });
  }
  Status rename(std::string_view from, std::string_view to) override {
    return call({IoKind::kRename, from}, [&] { return disk().rename(from, to); });
  }
  Status remove(std::string_view path) override {
    return call({IoKind::kRemove, path}, [&] { return disk().remove(path); });
  }
  Status create_dir(std::string_view path) override {
    return call({IoKind::kCreateDir, path}, [&] { return disk().create_dir(path); });
  }
  Status sync_dir(std::string_view path) override {
    // What was changed before the call began; a directory made since has nothing to sync.
    const auto before = disk().directory(path);
    const uint64_t mark = before.ok() ? before.value()->dir.mark() : 0;
    return call({IoKind::kSyncDir, path}, [&]() -> Status {
      if (!before.ok()) return before.status();
      before.value()->dir.make_durable(mark);
      return {};
    });
  }
  Result<std::vector<DirEntry>> list(std::string_view path) override {
    return call({IoKind::kList, path}, [&] { return disk().list(path); });
  }
  Result<uint64_t> free_bytes() override {
    return call({IoKind::kFree, ""}, [&]() -> Result<uint64_t> { return disk().free_bytes(); });
  }

 protected:
  Process& process_;

 private:
  template <typename Effect>
  auto call(const IoCall& io, const Effect& effect) {
    return Face::call(process_, io, [&] { return finish(process_, io, effect, [] {}); });
  }
  SimDisk& disk() { return process_.machine()->disk(); }
};

class FiberDisk final : public Calls<Yielding, Disk> {
 public:
  explicit FiberDisk(Process& process) : Calls(process), blocking_(process) {}
  BlockingDisk& blocking() override { return blocking_; }
  std::string root() const override { return process_.host().name; }

 private:
  Calls<Blocking, BlockingDisk> blocking_;
};

}  // namespace

DiskFaces::DiskFaces(Process& process) : disk_(std::make_unique<FiberDisk>(process)) {}

DiskFaces::~DiskFaces() = default;

Disk& DiskFaces::disk() {
  return *disk_;
}

}  // namespace drumlin::sim
