#include "wal/hardstate.h"

#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/codec.h"
#include "base/digest.h"
#include "wal/explain.h"

namespace drumlin::wal {
namespace {

constexpr size_t kSlotBytes = 64;
constexpr std::string_view kFileMagic = "DrHF";
constexpr std::string_view kSlotMagic = "DrHS";
constexpr uint32_t kVersion = 1;

struct Versioned {
  HardStateStore::Slot slot;
  uint64_t sequence = 0;
  bool operator==(const Versioned&) const = default;
};

uint64_t offset_of(size_t group) {
  return (group + 1) * kSlotBytes;
}

std::string sealed(std::string bytes) {
  DRUMLIN_CHECK_LE(bytes.size(), kSlotBytes);
  bytes.resize(kSlotBytes, '\0');
  store_le(bytes.data() + 4, crc32c(std::string_view(bytes).substr(8)));
  return bytes;
}

bool sound(std::string_view bytes, std::string_view magic) {
  return bytes.starts_with(magic) && load_le<uint32_t>(bytes.data() + 4) == crc32c(bytes.substr(8));
}

std::string encode_header(uint32_t groups) {
  std::string bytes(kFileMagic);
  Writer out(bytes);
  out.u32(0);
  out.u32(kVersion);
  out.u32(groups);
  return sealed(std::move(bytes));
}

std::string encode_slot(size_t group, const Versioned& value) {
  std::string bytes(kSlotMagic);
  Writer out(bytes);
  out.u32(0);
  out.u32(static_cast<uint32_t>(group));
  out.u32(0);
  out.u64(value.slot.term.value());
  out.u64(value.slot.vote.value());
  out.u64(value.sequence);
  return sealed(std::move(bytes));
}

std::optional<Versioned> decode_slot(std::string_view bytes, size_t group) {
  if (!sound(bytes, kSlotMagic) || load_le<uint32_t>(bytes.data() + 8) != group) {
    return std::nullopt;
  }
  Versioned value;
  value.slot.term = Term(load_le<uint64_t>(bytes.data() + 16));
  value.slot.vote = NodeId(load_le<uint64_t>(bytes.data() + 24));
  value.sequence = load_le<uint64_t>(bytes.data() + 32);
  return value;
}

// One of the two files as found: empty slots are damaged or missing.
struct Copy {
  bool exists = false;
  bool header_good = false;
  std::vector<std::optional<Versioned>> slots;
};

}  // namespace

Status explain_hard_state(std::string_view bytes, const Lines& line) {
  if (bytes.size() < kSlotBytes || !sound(bytes.substr(0, kSlotBytes), kFileMagic)) {
    return {Code::kCorrupt, "the header of a hard-state file is damaged"};
  }
  const auto version = load_le<uint32_t>(bytes.data() + 8);
  if (version != kVersion) {
    return {Code::kUnsupported, "hard-state file of version " + std::to_string(version)};
  }
  const auto groups = load_le<uint32_t>(bytes.data() + 12);
  line("hard state: term and vote of " + std::to_string(groups) +
       " groups; the other file has the same, or one change less or more");
  size_t damaged = 0;
  for (size_t group = 0; group < groups; ++group) {
    const uint64_t offset = offset_of(group);
    const std::string_view slot =
        bytes.size() < offset + kSlotBytes ? std::string_view() : bytes.substr(offset, kSlotBytes);
    const auto value = slot.empty() ? std::nullopt : decode_slot(slot, group);
    const std::string where = "@" + std::to_string(offset) + " group " + std::to_string(group);
    if (!value) {
      ++damaged;
      line(where + ": DAMAGED");
    } else if (value->sequence == 0) {
      line(where + ": never written");
    } else {
      const NodeId vote = value->slot.vote;
      line(where + ": term " + value->slot.term.to_string() +
           (vote == NodeId() ? ", no vote" : ", vote for node " + vote.to_string()) + ", change " +
           std::to_string(value->sequence));
    }
  }
  if (damaged == 0) return {};
  return {Code::kCorrupt, std::to_string(damaged) + " slots are damaged"};
}

struct HardStateStore::State {
  State(Runtime& node_runtime, observe::Observer node_observer, Options store_options,
        uint32_t groups)
      : runtime(node_runtime),
        observer(node_observer),
        options(std::move(store_options)),
        values(groups),
        work(runtime.scheduler(), runtime.clock()),
        ended(runtime.scheduler(), runtime.clock()) {}

  std::string path(size_t which) const { return options.path + (which == 0 ? ".a" : ".b"); }
  Status open();
  Result<Copy> read(size_t which);
  Status make(size_t which);
  Status merge(const std::array<Copy, 2>& copies);
  Status repair(size_t which, const Copy& copy);
  void run();
  void write(const std::map<GroupId, Slot>& batch);
  void must(const Status& status, size_t which) {
    if (!status.ok()) runtime.halt(path(which) + ": " + status.to_string());
  }

  Runtime& runtime;
  observe::Observer observer;
  Options options;
  std::array<std::unique_ptr<File>, 2> files;
  std::vector<Versioned> values;  // durable, by group
  std::map<GroupId, Slot> pending;
  std::function<void(GroupId, Slot)> on_durable;
  WaitQueue work;
  WaitQueue ended;
  bool closing = false;
  bool abandoned = false;
  bool done = false;
};

// Made aside and renamed: a file under its own name is complete.
Status HardStateStore::State::make(size_t which) {
  const std::string aside = path(which) + ".new";
  std::string bytes = encode_header(static_cast<uint32_t>(values.size()));
  for (size_t g = 0; g < values.size(); ++g)
    bytes += encode_slot(g, values[g]);
  Disk& disk = runtime.disk();
  DRUMLIN_ASSIGN(const std::unique_ptr<File> file, disk.open(aside, OpenMode::kCreate));
  DRUMLIN_TRY(file->truncate(0));
  DRUMLIN_TRY(file->write_at(0, bytes));
  DRUMLIN_TRY(file->sync());
  return disk.rename(aside, path(which));
}

Result<Copy> HardStateStore::State::read(size_t which) {
  Copy copy;
  copy.slots.resize(values.size());
  Result<std::unique_ptr<File>> file = runtime.disk().open(path(which), OpenMode::kReadWrite);
  if (file.is(Code::kNotFound)) return copy;
  if (!file.ok()) return file.status().with_context(path(which));
  copy.exists = true;
  // What an earlier life could not sync may look clean in the cache: the disk is asked.
  DRUMLIN_TRY((*file)->sync().with_context(path(which)));
  DRUMLIN_TRY((*file)->drop_cache().with_context(path(which)));
  std::string bytes(offset_of(values.size()), '\0');
  DRUMLIN_ASSIGN(const size_t got, (*file)->read_at(0, bytes));
  const std::string_view header = std::string_view(bytes).substr(0, kSlotBytes);
  if (got >= kSlotBytes && sound(header, kFileMagic)) {
    const auto version = load_le<uint32_t>(header.data() + 8);
    if (version != kVersion) {
      return Status(Code::kUnsupported, path(which) + ": hard state version " +
                                            std::to_string(version) +
                                            "; this build reads version 1");
    }
    const auto groups = load_le<uint32_t>(header.data() + 12);
    if (groups != values.size()) {
      return Status(Code::kFailedPrecondition, path(which) + " holds " + std::to_string(groups) +
                                                   " groups; this node has " +
                                                   std::to_string(values.size()));
    }
    copy.header_good = true;
  }
  for (size_t g = 0; g < values.size() && offset_of(g + 1) <= got; ++g) {
    copy.slots[g] = decode_slot(std::string_view(bytes).substr(offset_of(g), kSlotBytes), g);
  }
  files[which] = std::move(*file);
  return copy;
}

Status HardStateStore::State::open() {
  std::array<Copy, 2> copies;
  for (size_t which = 0; which < 2; ++which) {
    DRUMLIN_ASSIGN(copies[which], read(which));
  }
  if (!copies[0].exists && !copies[1].exists) {
    if (options.must_exist) {
      return {Code::kCorrupt,
              path(0) + " and " + path(1) + " are missing, but this node has voted before"};
    }
  } else {
    DRUMLIN_TRY(merge(copies));
  }
  for (size_t which = 0; which < 2; ++which) {
    if (!copies[which].exists) {
      DRUMLIN_TRY(make(which));
      DRUMLIN_ASSIGN(files[which], runtime.disk().open(path(which), OpenMode::kReadWrite));
    } else {
      DRUMLIN_TRY(repair(which, copies[which]));
    }
  }
  // Also for files that were there: a killed process may have renamed them and gone no further.
  const size_t slash = options.path.rfind('/');
  return runtime.disk().sync_dir(slash == std::string::npos ? "" : options.path.substr(0, slash));
}

// The newest sound copy of each slot.
Status HardStateStore::State::merge(const std::array<Copy, 2>& copies) {
  for (size_t g = 0; g < values.size(); ++g) {
    const std::optional<Versioned>& a = copies[0].slots[g];
    const std::optional<Versioned>& b = copies[1].slots[g];
    if (!a && !b) {
      return {Code::kCorrupt, "the slot of group " + std::to_string(g) + " at offset " +
                                  std::to_string(offset_of(g)) + " is damaged in both " + path(0) +
                                  " and " + path(1)};
    }
    if (a && b && a->sequence == b->sequence && *a != *b) {
      return {Code::kCorrupt, "the slots of group " + std::to_string(g) + " in " + path(0) +
                                  " and " + path(1) + " contradict each other"};
    }
    values[g] = !b || (a && a->sequence > b->sequence) ? *a : *b;
  }
  return {};
}

// Writes what is bad or old, and makes durable also what was read from the page cache only. File a
// is whole and durable before b is touched.
Status HardStateStore::State::repair(size_t which, const Copy& copy) {
  uint64_t repaired = 0;
  if (!copy.header_good) {
    ++repaired;
    DRUMLIN_TRY(files[which]->write_at(0, encode_header(static_cast<uint32_t>(values.size()))));
  }
  for (size_t g = 0; g < values.size(); ++g) {
    if (copy.slots[g] == values[g]) continue;
    if (!copy.slots[g]) ++repaired;
    DRUMLIN_TRY(files[which]->write_at(offset_of(g), encode_slot(g, values[g])));
  }
  if (repaired > 0) {
    runtime.probe("hardstate.repaired");
    observer.log.warn("wal", "repaired damaged hard state from its other copy",
                      {{"file", path(which)}, {"slots", repaired}});
  }
  return files[which]->sync();
}

// The writer fiber.
void HardStateStore::State::run() {
  while (!abandoned) {
    if (!pending.empty()) {
      write(std::exchange(pending, {}));
    } else if (closing) {
      break;
    } else {
      work.wait();
    }
  }
  done = true;
  ended.notify_all();
}

// One write from the first slot to the last: the slots between are written as they are. Should the
// write tear, the other file has them all. When a node dies, a third of all groups vote at once.
void HardStateStore::State::write(const std::map<GroupId, Slot>& batch) {
  std::vector<Versioned> next = values;
  for (const auto& [group, slot] : batch)
    next[group.value()] = Versioned{slot, values[group.value()].sequence + 1};
  const size_t first = batch.begin()->first.value();
  const size_t last = batch.rbegin()->first.value();
  std::string bytes;
  for (size_t g = first; g <= last; ++g)
    bytes += encode_slot(g, next[g]);
  for (size_t which = 0; which < 2; ++which) {
    runtime.buggify_delay("hardstate.pause_before_write", 30ms);
    must(files[which]->write_and_sync(offset_of(first), bytes), which);
  }
  values = std::move(next);
  for (const auto& [group, slot] : batch) {
    observer.trace("hardstate.durable", group.value(), slot.term.value());
  }
  for (const auto& [group, slot] : batch) {
    if (on_durable) on_durable(group, slot);
  }
}

HardStateStore::HardStateStore(std::shared_ptr<State> state) : state_(std::move(state)) {}

HardStateStore::~HardStateStore() {
  state_->abandoned = true;
  state_->on_durable = nullptr;
  state_->work.notify_all();
}

Result<std::unique_ptr<HardStateStore>> HardStateStore::open(Runtime& runtime,
                                                             observe::Observer observer,
                                                             Options options, uint32_t groups) {
  auto state = std::make_shared<State>(runtime, observer, std::move(options), groups);
  DRUMLIN_TRY(state->open());
  runtime.spawn("hardstate", [state] { state->run(); });
  return std::unique_ptr<HardStateStore>(new HardStateStore(std::move(state)));
}

HardStateStore::Slot HardStateStore::get(GroupId group) const {
  DRUMLIN_CHECK_LT(group.value(), state_->values.size());
  return state_->values[group.value()].slot;
}

void HardStateStore::put(GroupId group, Slot slot) {
  DRUMLIN_CHECK_LT(group.value(), state_->values.size());
  DRUMLIN_CHECK(!state_->closing, "put to a closed store");
  state_->pending[group] = slot;
  state_->work.notify_one();
}

void HardStateStore::set_on_durable(std::function<void(GroupId, Slot)> callback) {
  state_->on_durable = std::move(callback);
}

Status HardStateStore::close() {
  const std::shared_ptr<State> s = state_;
  s->closing = true;
  s->work.notify_all();
  while (!s->done)
    s->ended.wait();
  return {};
}

}  // namespace drumlin::wal
