// What a start finds on its disk: the log, hard states, the superblock; sound, damaged, or not ours
// at all. tests/wal's machine has the disk in its memory.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "tests/wal/machine.h"
#include "wal/format.h"
#include "wal/hardstate.h"
#include "wal/superblock.h"
#include "wal/wal.h"

namespace drumlin::fuzz {
namespace {

using wal::HardStateStore;
using wal::Record;
using wal::Superblock;
using wal::SuperblockStore;
using wal::test::Image;
using wal::test::Machine;

bool is_verdict(const Status& status) {
  return status.is(Code::kCorrupt) || status.is(Code::kUnsupported) ||
         status.is(Code::kFailedPrecondition);
}

// Runs on a fiber of the machine, to its end.
template <typename Body>
void run(Machine& machine, Body&& body) {
  DRUMLIN_CHECK(machine.run(std::forward<Body>(body)), machine.halted());
}

// --- the log ---

Record record(Source& source, uint64_t index) {
  return {GroupId(source.below(3)), source.byte(), Term(source.number()), LogIndex(index),
          Blob(source.string(100))};
}

void one_batch_as_made(Source source) {
  const uint64_t salt = source.number();
  const uint64_t epoch = source.number();
  const Lsn lsn(1 + source.number() % 1000);
  const size_t bend = source.number();
  const auto mask = static_cast<char>(source.byte() | 1);
  std::vector<Record> records;
  while (!source.empty() && records.size() < 10)
    records.push_back(record(source, source.number()));
  std::vector<const Record*> pointers;
  for (const Record& r : records)
    pointers.push_back(&r);
  const wal::BatchPlan plan(pointers);
  wal::EncodedBatch made = wal::encode(plan, salt, lsn, {lsn - 1, Lsn(1), epoch});
  DRUMLIN_CHECK_EQ(made.bytes.size(), plan.length);
  const auto header = wal::decode_batch_header(made.bytes, salt);
  DRUMLIN_CHECK_OK(header.status());
  DRUMLIN_CHECK(header->lsn == lsn && header->durable == lsn - 1 && header->epoch == epoch);
  DRUMLIN_CHECK(header->length == plan.length && header->records == records.size());
  DRUMLIN_CHECK(header->groups == plan.groups);
  DRUMLIN_CHECK_OK(wal::check_batch(made.bytes, salt));
  for (size_t i = 0; i < records.size(); ++i) {
    const std::string_view at = std::string_view(made.bytes).substr(made.offsets[i]);
    const auto back = wal::decode_record(at, salt, lsn);
    DRUMLIN_CHECK_OK(back.status());
    DRUMLIN_CHECK(*back == records[i]);
    DRUMLIN_CHECK(!wal::decode_record(at, salt + 1, lsn).ok());
    DRUMLIN_CHECK(!wal::decode_record(at, salt, lsn + 1).ok());
  }
  char& byte = made.bytes[bend % made.bytes.size()];
  byte = static_cast<char>(byte ^ mask);
  DRUMLIN_CHECK(!wal::decode_batch_header(made.bytes, salt).ok() ||
                !wal::check_batch(made.bytes, salt).ok());
}

void batch_as_found(std::string_view bytes) {
  constexpr uint64_t kSalt = 7;
  if (const auto file = wal::decode_file_header(bytes); file.ok())
    DRUMLIN_CHECK_EQ(wal::encode(*file).substr(16), bytes.substr(16, 16));
  if (const auto found = wal::decode_record(bytes, kSalt, Lsn(1)); found.ok())
    DRUMLIN_CHECK_LE(wal::record_bytes(*found), bytes.size());
  const auto header = wal::decode_batch_header(bytes, kSalt);
  if (!header.ok()) {
    DRUMLIN_CHECK(is_verdict(header.status()));
    return;
  }
  DRUMLIN_CHECK_LE(header->header_bytes(), header->length);
  DRUMLIN_CHECK_LE(header->header_bytes(), bytes.size());
  if (header->length <= bytes.size() &&
      wal::check_batch(bytes.substr(0, header->length), kSalt).ok()) {
    size_t at = header->header_bytes();
    for (uint32_t i = 0; i < header->records; ++i) {
      const auto found = wal::decode_record(bytes.substr(at), kSalt, header->lsn);
      if (!found.ok()) return;
      at += wal::record_bytes(*found);
    }
  }
}

// A log as the writer leaves it, and how much of it each part vouches for.
struct Log {
  struct Claim {
    std::string file;
    size_t begin = 0;  // the bytes that say it
    size_t end = 0;
    uint64_t durable = 0;
  };
  Image image;
  std::vector<Record> records;
  std::vector<Claim> claims;
  std::vector<std::string> files;
};

std::string file_name(uint64_t first) {
  char name[40];
  std::snprintf(name, sizeof(name), "wal/wal-%016llx.log",
                static_cast<unsigned long long>(first));  // NOLINT(google-runtime-int)
  return name;
}

Log written_log(Source& source) {
  Log log;
  log.image.dirs = {"wal"};
  std::map<uint64_t, uint64_t> last;  // group -> index
  uint64_t next = 1;
  bool new_file = true;
  for (size_t batches = source.below(12); batches > 0 || log.files.empty(); --batches) {
    if (new_file || source.below(5) == 4) {
      if (!log.files.empty() && file_name(next) == log.files.back()) break;
      log.files.push_back(file_name(next));
      log.image.files[log.files.back()] = wal::encode(wal::FileHeader{Lsn(next), next * 77});
      log.claims.push_back({log.files.back(), 0, wal::kFileHeaderBytes, next - 1});
      new_file = false;
      if (batches == 0) break;
    }
    std::string& file = log.image.files[log.files.back()];
    std::vector<Record> records;
    for (size_t n = source.below(4); n > 0; --n) {
      Record made = record(source, 0);
      made.index = LogIndex(++last[made.group.value()]);
      records.push_back(std::move(made));
    }
    std::vector<const Record*> pointers;
    for (const Record& r : records)
      pointers.push_back(&r);
    const uint64_t salt = wal::decode_file_header(file)->salt;
    const auto batch = wal::encode(wal::BatchPlan(pointers), salt, Lsn(next),
                                   {Lsn(next - 1), Lsn(1), /*epoch=*/1});
    log.claims.push_back(
        {log.files.back(), file.size(), file.size() + batch.bytes.size(), next - 1});
    file += batch.bytes;
    // A marker takes a number, too; it is no record.
    next += std::max<size_t>(1, records.size());
    if (records.empty()) records.push_back({});
    log.records.insert(log.records.end(), records.begin(), records.end());
  }
  return log;
}

// Bends a byte or cuts the end off. What vouched with these bytes does so no more.
void damage(Log& log, Source& source) {
  const std::string name = log.files[source.below(log.files.size())];
  std::string& file = log.image.files[name];
  if (file.empty()) return;
  const size_t at = (source.byte() * size_t{256} + source.byte()) % file.size();
  const auto mask = static_cast<char>(source.byte());
  size_t end = at + 1;
  if (mask == 0) {
    end = file.size();
    file.resize(at);
  } else {
    file[at] = static_cast<char>(file[at] ^ mask);
  }
  std::erase_if(log.claims, [&](const Log::Claim& claim) {
    return claim.file == name && claim.begin < end && at < claim.end;
  });
}

struct Opened {
  Status status;
  std::vector<Record> found;
  Image image;
};

Opened open_log(const Image& image) {
  Opened out;
  Machine machine(image);
  wal::Wal::Options options;
  options.epoch = 2;
  options.idle_marker = Duration::max();
  run(machine, [&] {
    auto log = wal::Wal::open(machine, machine.observer(), options,
                              [&](const Record& found, const wal::Location&) {
                                out.found.push_back(found);
                                return Status();
                              });
    out.status = log.status();
  });
  out.image = machine.disk().image();
  return out;
}

// --- hard states and the superblock ---

constexpr uint32_t kGroups = 3;

struct Votes {
  Status status;
  std::vector<HardStateStore::Slot> slots;
};

Votes open_votes(Machine& machine, const std::vector<std::pair<uint64_t, uint64_t>>& puts) {
  Votes out;
  run(machine, [&] {
    HardStateStore::Options options;
    options.must_exist = puts.empty();
    auto store = HardStateStore::open(machine, machine.observer(), options, kGroups);
    out.status = store.status();
    if (!store.ok()) return;
    for (const auto& [group, term] : puts) {
      (*store)->put(GroupId(group % kGroups), {Term(term), NodeId(term % 5)});
      machine.sleep_for(1ms).ignore();
    }
    if (!puts.empty()) DRUMLIN_CHECK_OK((*store)->close());
    for (uint64_t g = 0; g < kGroups; ++g)
      out.slots.push_back((*store)->get(GroupId(g)));
  });
  return out;
}

Superblock content(Source& source) {
  Superblock out;
  out.node = NodeId(source.number());
  out.incarnation = source.number();
  out.boot_id = source.string();
  out.clean = source.flag();
  out.shard_table = source.string();
  for (size_t n = source.below(5); n > 0; --n)
    out.peers[NodeId(source.number())] = source.number();
  return out;
}

// What a start makes of the file, and the next one after it.
Result<Superblock> start_twice(const Image& image) {
  Machine machine(image);
  Result<Superblock> out = Status(Code::kNotFound, "nothing");
  run(machine, [&] {
    const auto seen = SuperblockStore::read(machine);
    auto store = SuperblockStore::open(machine, machine.observer());
    if (!store.ok()) {
      out = store.status();
      DRUMLIN_CHECK(!seen.ok() && seen.code() == store.code());
      return;
    }
    DRUMLIN_CHECK(seen.ok() && seen->has_value() && **seen == (*store)->get());
    out = (*store)->get();
  });
  if (!out.ok()) {
    DRUMLIN_CHECK(is_verdict(out.status()), out.status().to_string());
    return out;
  }
  Machine next(machine.disk().image());
  run(next, [&] {
    const auto again = SuperblockStore::open(next, next.observer());
    DRUMLIN_CHECK_OK(again.status());
    DRUMLIN_CHECK((*again)->get() == *out);
  });
  return out;
}

}  // namespace

void wal_format(std::string_view input) {
  Source source(input);
  if (source.flag()) return one_batch_as_made(source);
  batch_as_found(source.rest());
}

// A log is written, then damaged in some places. It opens, or it is called corrupt; what is found are
// its first records, all that sound bytes say were durable among them; and it opens again the same.
void wal_recovery(std::string_view input) {
  Source source(input);
  Log log = written_log(source);
  const size_t places = source.below(4);
  for (size_t i = 0; i < places; ++i)
    damage(log, source);
  const Opened first = open_log(log.image);
  if (!first.status.ok()) {
    DRUMLIN_CHECK(is_verdict(first.status), first.status.to_string());
    DRUMLIN_CHECK(places > 0, first.status.to_string());
    return;
  }
  // Markers are not seen by the visitor: the records without them.
  std::vector<Record> wanted;
  uint64_t vouched = 0;
  for (const Log::Claim& claim : log.claims)
    vouched = std::max(vouched, claim.durable);
  size_t least = 0;
  for (size_t i = 0; i < log.records.size(); ++i) {
    if (log.records[i] == Record()) continue;
    wanted.push_back(log.records[i]);
    if (i + 1 <= vouched) least = wanted.size();
  }
  DRUMLIN_CHECK_LE(first.found.size(), wanted.size());
  DRUMLIN_CHECK(std::equal(first.found.begin(), first.found.end(), wanted.begin()));
  DRUMLIN_CHECK_GE(first.found.size(), places == 0 ? wanted.size() : least);
  const Opened second = open_log(first.image);
  DRUMLIN_CHECK_OK(second.status);
  DRUMLIN_CHECK(second.found == first.found);
}

// Bit 0: two files as they are in the input; else a store's own files, one of them damaged anyhow.
void hardstate(std::string_view input) {
  Source source(input);
  if (source.flag()) {
    Image image;
    if (source.flag()) image.files["hardstate.a"] = source.string();
    image.files["hardstate.b"] = source.rest();
    Machine machine(image);
    const Votes found = open_votes(machine, {});
    if (!found.status.ok()) {
      DRUMLIN_CHECK(is_verdict(found.status), found.status.to_string());
      return;
    }
    Machine next(machine.disk().image());
    const Votes again = open_votes(next, {});
    DRUMLIN_CHECK_OK(again.status);
    DRUMLIN_CHECK(again.slots == found.slots);
    return;
  }
  std::vector<std::pair<uint64_t, uint64_t>> puts = {{0, 1}};
  for (size_t n = source.below(6); n > 0; --n)
    puts.emplace_back(source.byte(), source.number());
  Machine machine;
  const Votes made = open_votes(machine, puts);
  DRUMLIN_CHECK_OK(made.status);
  Image image = machine.disk().image();
  std::string& file = image.files.at(source.flag() ? "hardstate.a" : "hardstate.b");
  for (size_t at = source.byte(); !source.empty(); at += source.byte()) {
    if (at >= file.size()) break;
    file[at] = static_cast<char>(source.byte());
  }
  Machine next(image);
  const Votes found = open_votes(next, {});
  if (found.status.ok()) DRUMLIN_CHECK(found.slots == made.slots);
  // A number of groups or a version that was forged is seen as such; nothing else is lost.
  if (!found.status.ok()) DRUMLIN_CHECK(is_verdict(found.status), found.status.to_string());
}

// Bit 0: four copies as they are in the input; else a store's own file, of which some copies are
// damaged: as long as two are whole they are what counts.
void superblock(std::string_view input) {
  Source source(input);
  Image image;
  std::string& file = image.files[SuperblockStore::kPath];
  if (source.flag()) {
    for (uint32_t i = 0; i < SuperblockStore::kCopies && !source.empty(); ++i) {
      file.resize(i * SuperblockStore::kCopyBytes, '\0');
      file += i == 3 ? source.rest() : source.text();
    }
    (void)start_twice(image);
    return;
  }
  Superblock last = content(source);
  Machine machine;
  run(machine, [&] {
    auto store = SuperblockStore::format(machine, machine.observer(), last);
    DRUMLIN_CHECK_OK(store.status());
    for (size_t n = source.below(3); n > 0; --n) {
      last = content(source);
      DRUMLIN_CHECK_OK((*store)->update(last));
    }
  });
  file = machine.disk().image().files.at(SuperblockStore::kPath);
  const size_t one = source.below(4);
  const size_t two = source.below(4);
  while (!source.empty()) {
    const size_t copy = source.flag() ? one : two;
    const size_t at = copy * SuperblockStore::kCopyBytes + source.number() % 4096;
    if (at < file.size()) file[at] = static_cast<char>(source.byte());
  }
  const Result<Superblock> found = start_twice(image);
  DRUMLIN_CHECK_OK(found.status());
  DRUMLIN_CHECK(*found == last);
}

}  // namespace drumlin::fuzz
