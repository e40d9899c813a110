// The payload, after the copy's header: 16 bytes cluster id, u64 node, u64 incarnation, u64 boot
// counter, u8 clean, u8 admitted, then with u32 lengths: boot id, kv engine, shard table; u32
// number of peers and for each, ascending, u64 node, u64 incarnation.
#include "wal/superblock.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/codec.h"
#include "base/digest.h"
#include "wal/explain.h"

namespace drumlin::wal {
namespace {

constexpr std::string_view kMagic = "DrSB";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 32;
constexpr size_t kSector = 4096;

struct Copy {
  uint64_t sequence = 0;
  uint32_t version = 0;
  std::string payload;
  bool operator==(const Copy&) const = default;
};

std::string encode_payload(const Superblock& s) {
  std::string bytes;
  Writer out(bytes);
  out.raw(as_view(s.cluster_id));
  out.u64(s.node.value());
  out.u64(s.incarnation);
  out.u64(s.boot_counter);
  out.u8(s.clean ? 1 : 0);
  out.u8(s.admitted ? 1 : 0);
  out.bytes(s.boot_id);
  out.bytes(s.kv_engine);
  out.bytes(s.shard_table);
  out.u32(static_cast<uint32_t>(s.peers.size()));
  for (const auto& [node, incarnation] : s.peers) {
    out.u64(node.value());
    out.u64(incarnation);
  }
  return bytes;
}

Result<Superblock> decode_payload(std::string_view bytes) {
  Reader in(bytes);
  Superblock s;
  const std::string_view id = in.raw(s.cluster_id.size());
  std::copy(id.begin(), id.end(), s.cluster_id.begin());
  s.node = NodeId(in.u64());
  s.incarnation = in.u64();
  s.boot_counter = in.u64();
  s.clean = in.u8() != 0;
  s.admitted = in.u8() != 0;
  s.boot_id = in.bytes();
  s.kv_engine = in.bytes();
  s.shard_table = in.bytes();
  const uint32_t peers = in.u32();
  for (uint32_t i = 0; i < peers && in.ok(); ++i) {
    const NodeId node(in.u64());
    s.peers[node] = in.u64();
  }
  if (!in.done()) return Status(Code::kCorrupt, "superblock: its content does not parse");
  return s;
}

// Padded to whole sectors.
std::string encode_copy(uint32_t number, uint64_t sequence, std::string_view payload) {
  std::string bytes(kMagic);
  Writer out(bytes);
  out.u32(0);
  out.u32(kVersion);
  out.u32(number);
  out.u64(sequence);
  out.u32(static_cast<uint32_t>(payload.size()));
  out.u32(0);
  out.raw(payload);
  store_le(bytes.data() + 4, crc32c(std::string_view(bytes).substr(8)));
  bytes.resize((bytes.size() + kSector - 1) / kSector * kSector, '\0');
  return bytes;
}

std::optional<Copy> decode_copy(std::string_view bytes, uint32_t number) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  Reader in(bytes);
  if (in.raw(4) != kMagic) return std::nullopt;
  const uint32_t crc = in.u32();
  Copy copy;
  copy.version = in.u32();
  const uint32_t own_number = in.u32();
  copy.sequence = in.u64();
  const uint32_t length = in.u32();
  if (own_number != number || length > bytes.size() - kHeaderBytes) return std::nullopt;
  if (crc != crc32c(bytes.substr(8, kHeaderBytes - 8 + length))) return std::nullopt;
  copy.payload = bytes.substr(kHeaderBytes, length);
  return copy;
}

using Copies = std::array<std::optional<Copy>, SuperblockStore::kCopies>;

// What the disk holds: what an earlier life could not sync may look clean in the cache.
Result<Copies> read_copies(File& file) {
  DRUMLIN_TRY(file.sync());
  DRUMLIN_TRY(file.drop_cache());
  Copies copies;
  std::string bytes(SuperblockStore::kCopyBytes, '\0');
  for (uint32_t i = 0; i < SuperblockStore::kCopies; ++i) {
    DRUMLIN_ASSIGN(const size_t got, file.read_at(i * SuperblockStore::kCopyBytes, bytes));
    copies[i] = decode_copy(std::string_view(bytes).substr(0, got), i);
  }
  return copies;
}

// The copy of the highest sequence that two or more slots agree on.
Result<Copy> choose(const Copies& copies) {
  const Copy* best = nullptr;
  size_t sound = 0;
  for (const std::optional<Copy>& copy : copies) {
    if (!copy) continue;
    ++sound;
    const auto equal = std::count(copies.begin(), copies.end(), copy);
    if (equal >= 2 && (best == nullptr || copy->sequence > best->sequence)) best = &*copy;
  }
  if (best == nullptr) {
    return Status(Code::kCorrupt, "superblock: no two of its 4 copies agree (" +
                                      std::to_string(sound) + " have a good checksum)");
  }
  if (best->version != kVersion) {
    return Status(Code::kUnsupported, "superblock version " + std::to_string(best->version) +
                                          "; this build reads version 1");
  }
  return *best;
}

}  // namespace

Status explain_superblock(std::string_view bytes, const Lines& line) {
  Copies copies;
  for (uint32_t i = 0; i < SuperblockStore::kCopies; ++i) {
    const uint64_t offset = i * SuperblockStore::kCopyBytes;
    if (offset < bytes.size()) {
      copies[i] = decode_copy(bytes.substr(offset, SuperblockStore::kCopyBytes), i);
    }
    const std::string where = "@" + std::to_string(offset) + " copy " + std::to_string(i) + ": ";
    line(where + (copies[i] ? "change " + std::to_string(copies[i]->sequence) : "DAMAGED"));
  }
  DRUMLIN_ASSIGN(const Copy chosen, choose(copies));
  DRUMLIN_ASSIGN(const Superblock s, decode_payload(chosen.payload));
  line("superblock: change " + std::to_string(chosen.sequence) + ", in which two copies agree");
  line("  cluster      " + hex(s.cluster_id));
  line("  node         " + s.node.to_string() + (s.admitted ? "" : ", not admitted yet"));
  line("  incarnation  " + std::to_string(s.incarnation));
  line("  boots        " + std::to_string(s.boot_counter) + ", the last on the machine's boot " +
       s.boot_id + (s.clean ? ", stopped in order" : ", not stopped in order"));
  line("  kv engine    " + s.kv_engine);
  line("  shard table  " + std::to_string(s.shard_table.size()) + " bytes");
  for (const auto& [node, incarnation] : s.peers)
    line("  peer " + node.to_string() + " was last seen as incarnation " +
         std::to_string(incarnation));
  const bool whole = std::all_of(copies.begin(), copies.end(),
                                 [&](const auto& copy) { return copy && *copy == chosen; });
  if (whole) return {};
  return {Code::kCorrupt, "not all copies are sound and alike: the next start repairs them"};
}

namespace {

// Writes the slots of one half, copies 0 and 1 or copies 2 and 3, that `wanted` names, and syncs.
Status write_half(File& file, uint32_t half, uint64_t sequence, std::string_view payload,
                  const std::array<bool, SuperblockStore::kCopies>& wanted) {
  for (uint32_t i = 2 * half; i < 2 * half + 2; ++i) {
    if (!wanted[i]) continue;
    DRUMLIN_TRY(file.write_at(i * SuperblockStore::kCopyBytes, encode_copy(i, sequence, payload)));
  }
  return file.sync();
}

constexpr std::array<bool, SuperblockStore::kCopies> kAll{true, true, true, true};

}  // namespace

SuperblockStore::SuperblockStore(Runtime& runtime, std::unique_ptr<File> file, Superblock current,
                                 uint64_t sequence)
    : runtime_(runtime),
      file_(std::move(file)),
      mutex_(runtime.scheduler(), runtime.clock()),
      current_(std::move(current)),
      sequence_(sequence) {}

Result<std::optional<Superblock>> SuperblockStore::read(Runtime& runtime) {
  Result<std::unique_ptr<File>> file = runtime.disk().open(kPath, OpenMode::kRead);
  if (file.is(Code::kNotFound)) return std::optional<Superblock>();
  if (!file.ok()) return file.status().with_context(kPath);
  DRUMLIN_ASSIGN(const Copies copies, read_copies(**file));
  DRUMLIN_ASSIGN(const Copy chosen, choose(copies));
  DRUMLIN_ASSIGN(Superblock superblock, decode_payload(chosen.payload));
  return std::optional<Superblock>(std::move(superblock));
}

Result<std::unique_ptr<SuperblockStore>> SuperblockStore::open(Runtime& runtime,
                                                               observe::Observer observer) {
  DRUMLIN_ASSIGN(std::unique_ptr<File> file, runtime.disk().open(kPath, OpenMode::kReadWrite));
  DRUMLIN_ASSIGN(const Copies copies, read_copies(*file));
  DRUMLIN_ASSIGN(const Copy chosen, choose(copies));
  DRUMLIN_ASSIGN(Superblock superblock, decode_payload(chosen.payload));
  // The copies that differ are written by halves, so that two good ones are on the platter at any time.
  DRUMLIN_TRY(runtime.disk().sync_dir(""));
  std::array<bool, kCopies> differs{};
  uint64_t repaired = 0;
  for (uint32_t i = 0; i < kCopies; ++i) {
    differs[i] = copies[i] != chosen;
    repaired += differs[i] ? 1 : 0;
  }
  if (repaired > 0) {
    runtime.probe("superblock.repaired");
    observer.log.warn("wal", "repaired copies of the superblock", {{"copies", repaired}});
    for (uint32_t half = 0; half < 2; ++half) {
      DRUMLIN_TRY(write_half(*file, half, chosen.sequence, chosen.payload, differs));
    }
  }
  return std::unique_ptr<SuperblockStore>(
      new SuperblockStore(runtime, std::move(file), std::move(superblock), chosen.sequence));
}

Result<std::unique_ptr<SuperblockStore>> SuperblockStore::format(Runtime& runtime,
                                                                 observe::Observer observer,
                                                                 Superblock first) {
  Disk& disk = runtime.disk();
  const Result<std::unique_ptr<File>> existing = disk.open(kPath, OpenMode::kRead);
  if (existing.ok()) return Status(Code::kAlreadyExists, "superblock: there is one already");
  if (!existing.is(Code::kNotFound)) return existing.status().with_context(kPath);
  const std::string payload = encode_payload(first);
  if (payload.size() > kCopyBytes - kHeaderBytes) {
    return Status(Code::kTooLarge, "superblock: " + std::to_string(payload.size()) + " bytes");
  }
  // Made aside and renamed: a file under its own name is complete.
  const std::string aside = std::string(kPath) + ".new";
  DRUMLIN_ASSIGN(std::unique_ptr<File> file, disk.open(aside, OpenMode::kCreate));
  DRUMLIN_TRY(file->truncate(0));
  DRUMLIN_TRY(file->preallocate(kCopies * kCopyBytes));
  for (uint32_t half = 0; half < 2; ++half) {
    DRUMLIN_TRY(write_half(*file, half, 1, payload, kAll));
  }
  DRUMLIN_TRY(disk.rename(aside, kPath));
  DRUMLIN_TRY(disk.sync_dir(""));
  observer.log.info("wal", "made the superblock", {{"node", first.node}});
  return std::unique_ptr<SuperblockStore>(
      new SuperblockStore(runtime, std::move(file), std::move(first), 1));
}

Status SuperblockStore::update(Superblock next) {
  const Mutex::Guard guard(mutex_);
  return write(std::move(next));
}

Status SuperblockStore::change(const std::function<void(Superblock&)>& edit) {
  const Mutex::Guard guard(mutex_);
  Superblock next = current_;
  edit(next);
  return write(std::move(next));
}

Status SuperblockStore::write(Superblock next) {
  const std::string payload = encode_payload(next);
  if (payload.size() > kCopyBytes - kHeaderBytes) {
    return {Code::kTooLarge, "superblock: " + std::to_string(payload.size()) + " bytes"};
  }
  for (uint32_t half = 0; half < 2; ++half) {
    runtime_.buggify_delay("superblock.pause_between_halves", 30ms);
    const Status status = write_half(*file_, half, sequence_ + 1, payload, kAll);
    if (!status.ok()) runtime_.halt("superblock: " + status.to_string());
  }
  ++sequence_;
  current_ = std::move(next);
  return {};
}

}  // namespace drumlin::wal
