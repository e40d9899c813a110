#include "wal/wal.h"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <utility>

#include "wal/files.h"
#include "wal/format.h"
#include "wal/index.h"
#include "wal/recovery.h"

namespace drumlin::wal {
namespace {
constexpr uint64_t kFirstGrowth = 64 * 1024;
// A batch from this size on pays for the file system's transaction itself; zeros for the next one of
// its kind would cost more than they save.
constexpr uint64_t kLargeBatch = 128 * 1024;
}  // namespace

struct Wal::State {
  // One append(): its records are the next `records` of the queue.
  struct Call {
    size_t records = 0;
    size_t bytes = 0;
    Source source = Source::kOwn;
  };
  // A stretch of one batch to read, or one record that is still in memory.
  struct Piece {
    std::optional<Record> queued;
    uint32_t batch = 0;
    uint32_t offset = 0;
    uint32_t length = 0;
    LogIndex first;
    size_t records = 0;
  };

  State(Runtime& node_runtime, observe::Observer node_observer, Options wal_options)
      : runtime(node_runtime),
        observer(node_observer),
        options(std::move(wal_options)),
        files(runtime, options.directory),
        work(runtime.scheduler(), runtime.clock()),
        progress(runtime.scheduler(), runtime.clock()),
        batches_total(observer.metrics.counter("drumlin_wal_batches_total", "Batches written")),
        bytes_total(
            observer.metrics.counter("drumlin_wal_bytes_total", "Bytes of batches written")),
        retained(observer.metrics.gauge("drumlin_wal_retained_bytes",
                                        "Bytes of batches in the files that there are")),
        sync_seconds(
            observer.metrics.latency("drumlin_wal_sync_seconds", "Write and sync of a batch")) {}

  void run();
  std::vector<const Record*> take();
  void write(const std::vector<const Record*>& records);
  void write_bytes(const EncodedBatch& batch, const std::vector<const Record*>& records, Lsn lsn);
  void grow(uint64_t end);
  void rotate(Lsn first);
  Duration marker_pause() {
    return runtime.buggify("wal.early_marker", options.idle_marker, 1ms, 50ms);
  }
  void must(const Status& status, const char* what) {
    if (status.ok()) return;
    runtime.halt("wal: " + std::string(what) + " " + files.last().path + ": " + status.to_string());
  }
  std::vector<Piece> plan(GroupId group, LogIndex first, LogIndex last, size_t max_bytes) const;
  Status read_piece(GroupId group, const Piece& piece, std::vector<Record>& into);

  Runtime& runtime;
  observe::Observer observer;
  Options options;
  Files files;
  Index index;
  WaitQueue work;      // the writer waits here
  WaitQueue progress;  // wait_durable() and close() wait here
  observe::Counter& batches_total;
  observe::Counter& bytes_total;
  observe::Gauge& retained;
  observe::Histogram& sync_seconds;
  std::function<void(Lsn)> on_durable;

  std::unique_ptr<File> tail;  // the last file
  uint64_t tail_bytes = 0;
  uint64_t tail_size = 0;  // of the file; zeros from tail_bytes on
  Lsn last;                // given out
  Lsn durable;
  Lsn base{1};  // before it there may be no files any more
  bool reclaiming = false;
  std::optional<Instant> writing_since;
  bool uncovered = false;      // nothing in the log states yet that its last records are durable
  uint64_t written_bytes = 0;  // of batches, over the life of the log

  std::deque<Record> queue;  // not yet written and synced; the last one has LSN `last`
  std::deque<Call> calls;
  // Bytes of those, by who brought them.
  std::array<size_t, 2> queued_by = {};
  size_t& queued_of(Source source) { return queued_by[static_cast<size_t>(source)]; }
  bool closing = false;
  bool abandoned = false;  // the Wal object is gone
  bool done = false;       // the writer has ended
};

Wal::Wal(std::shared_ptr<State> state) : state_(std::move(state)) {}

Wal::~Wal() {
  state_->abandoned = true;
  state_->on_durable = nullptr;
  state_->work.notify_all();
}

Result<std::unique_ptr<Wal>> Wal::open(Runtime& runtime, observe::Observer observer,
                                       Options options, const Visitor& visitor) {
  DRUMLIN_CHECK_LE(options.segment_bytes, uint64_t{1} << 31);
  DRUMLIN_CHECK_LE(options.max_batch_bytes, kMaxBatchBytes);
  auto state = std::make_shared<State>(runtime, observer, std::move(options));
  Recovery recovery(runtime, observer, state->options, state->files, state->index, visitor);
  DRUMLIN_ASSIGN(Recovered found, recovery.run());
  state->tail = std::move(found.tail);
  state->tail_bytes = found.tail_bytes;
  state->tail_size = found.tail_size;
  state->last = found.last;
  state->durable = found.last;
  state->base = found.base;
  state->uncovered = found.uncovered;
  state->written_bytes = found.bytes;
  // From here on damage to what was found is known as damage.
  if (state->uncovered) state->write({});
  runtime.spawn("wal", [state] { state->run(); });
  return std::unique_ptr<Wal>(new Wal(std::move(state)));
}

Lsn Wal::append(std::vector<Record> records, Source source) {
  State& s = *state_;
  DRUMLIN_CHECK(!s.closing, "append to a closed log");
  if (records.empty()) return s.last;
  State::Call call;
  call.records = records.size();
  call.source = source;
  for (Record& record : records) {
    DRUMLIN_CHECK_LE(record.group.value(), std::numeric_limits<uint32_t>::max());
    ++s.last;
    if (record.index.value() != 0) s.index.queue(record.group, record.index, s.last);
    call.bytes += record_bytes(record);
    s.queue.push_back(std::move(record));
  }
  DRUMLIN_CHECK_LE(call.bytes, kMaxBatchBytes / 2);
  s.queued_of(source) += call.bytes;
  s.calls.push_back(call);
  s.work.notify_one();
  return s.last;
}

Lsn Wal::durable() const {
  return state_->durable;
}

void Wal::set_on_durable(std::function<void(Lsn)> callback) {
  state_->on_durable = std::move(callback);
}

Status Wal::wait_durable(Lsn lsn, Instant deadline) {
  const std::shared_ptr<State> s = state_;
  while (s->durable < lsn) {
    if (s->done || s->abandoned) return {Code::kCancelled, "the log is closed"};
    const Wake wake = s->progress.wait(deadline);
    if (wake != Wake::kNotified) return wake_status(wake);
  }
  return {};
}

std::optional<Instant> Wal::writing_since() const {
  return state_->writing_since;
}

bool Wal::overloaded(Source source) const {
  return state_->queued_of(source) >= state_->options.queue_bytes;
}

size_t Wal::queued_bytes() const {
  return state_->queued_by[0] + state_->queued_by[1];
}

uint64_t Wal::bytes_appended() const {
  return state_->written_bytes + queued_bytes();
}

Status Wal::close() {
  const std::shared_ptr<State> s = state_;
  s->closing = true;
  s->work.notify_all();
  while (!s->done)
    s->progress.wait();
  return {};
}

// The writer fiber.
void Wal::State::run() {
  while (!abandoned) {
    if (!calls.empty()) {
      write(take());
    } else if (closing) {
      if (uncovered) write({});
      break;
    } else if (work.wait(uncovered ? after(runtime.clock(), marker_pause()) : kNever) ==
               Wake::kTimeout) {
      if (calls.empty() && !closing && uncovered) write({});
    }
  }
  done = true;
  progress.notify_all();
}

// The records of as many whole calls as fit one batch. They stay in the queue until they are
// written.
std::vector<const Record*> Wal::State::take() {
  size_t records = 0;
  size_t total = 0;
  const size_t most =
      runtime.buggify("wal.small_batches", options.max_batch_bytes, size_t{1}, size_t{4096});
  for (const Call& call : calls) {
    if (records != 0 && total + call.bytes > most) break;
    records += call.records;
    total += call.bytes;
  }
  std::vector<const Record*> taken;
  taken.reserve(records);
  for (size_t i = 0; i < records; ++i)
    taken.push_back(&queue[i]);
  return taken;
}

// Writes and syncs one batch of the queue's first records, or a marker. References into the deque
// stay good while others append.
void Wal::State::write(const std::vector<const Record*>& records) {
  const Instant start = runtime.clock().now();
  writing_since = start;
  const BatchPlan plan(records);
  DRUMLIN_CHECK_LE(plan.length, kMaxBatchBytes);
  DRUMLIN_CHECK_LE(plan.groups.size(), size_t{kMaxBatchGroups});
  if (records.empty()) {
    DRUMLIN_CHECK(queue.empty());
    ++last;  // a marker takes an LSN of its own
  }
  const Lsn lsn = records.empty() ? last : last - queue.size() + 1;
  const Lsn end = records.empty() ? last : lsn + records.size() - 1;
  if (tail_bytes > kFileHeaderBytes &&
      (tail_bytes + plan.length > options.segment_bytes || runtime.buggify("wal.early_rotation"))) {
    rotate(lsn);
  }
  const EncodedBatch batch =
      encode(plan, files.last().header.salt, lsn, {durable, base, options.epoch});
  runtime.buggify_delay("wal.pause_before_write", 30ms);
  write_bytes(batch, records, lsn);
  writing_since.reset();
  uncovered = !records.empty();
  durable = end;
  batches_total.Increment();
  bytes_total.Increment(static_cast<double>(batch.bytes.size()));
  retained.Set(static_cast<double>(files.bytes()));
  sync_seconds.Observe(to_seconds(runtime.clock().now() - start));
  observer.trace("wal.durable", durable.value(), tail_bytes);
  if (on_durable) on_durable(durable);
  progress.notify_all();
}

// The next batch ends at `end`. Zeros after it are synced with it. A disk without room for them has
// none for the log either, soon; who says so is the batch.
void Wal::State::grow(uint64_t end) {
  if (end <= tail_size) return;
  const bool large = end - tail_bytes >= kLargeBatch;
  const uint64_t step =
      large ? 0 : std::min(std::max(tail_bytes, kFirstGrowth), options.grow_bytes);
  const uint64_t size = std::max(end, std::min(end + step, options.segment_bytes));
  tail_size = end;
  if (size == end) return;
  const Status grown = tail->write_at(end, std::string(size - end, '\0'));
  if (grown.is(Code::kNoSpace)) return;
  must(grown, "cannot extend");
  tail_size = size;
}

void Wal::State::write_bytes(const EncodedBatch& batch, const std::vector<const Record*>& records,
                             Lsn lsn) {
  grow(tail_bytes + batch.bytes.size());
  must(tail->write_and_sync(tail_bytes, batch.bytes), "cannot write and sync");
  const uint32_t number = index.add_batch({lsn, files.newest(), static_cast<uint32_t>(tail_bytes),
                                           static_cast<uint32_t>(batch.bytes.size())});
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i]->index.value() == 0) continue;
    index.written(records[i]->group, records[i]->index, lsn + i, number, batch.offsets[i],
                  static_cast<uint32_t>(record_bytes(*records[i])));
  }
  tail_bytes += batch.bytes.size();
  files.set_last_bytes(tail_bytes - kFileHeaderBytes);
  written_bytes += batch.bytes.size();
  queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(records.size()));
  for (size_t left = records.size(); left > 0; calls.pop_front()) {
    left -= calls.front().records;
    queued_of(calls.front().source) -= calls.front().bytes;
  }
}

void Wal::State::rotate(Lsn first) {
  DRUMLIN_CHECK_EQ(durable + 1, first);  // every batch of the old file is synced
  if (tail_size > tail_bytes) {
    must(tail->truncate(tail_bytes), "cannot shorten");
    must(tail->sync(), "cannot sync");
  }
  Result<std::unique_ptr<File>> created = files.create(first);
  if (!created.ok()) must(created.status(), "cannot make the file after");
  tail = std::move(*created);
  tail_bytes = tail_size = kFileHeaderBytes;
  runtime.probe("wal.rotated");
  observer.trace("wal.rotate", first.value(), files.newest());
}

std::map<GroupId, LogIndex> Wal::older_than(uint64_t keep_bytes) const {
  return state_->index.before(state_->files.holding(keep_bytes));
}

void Wal::cut(GroupId group, LogIndex last) {
  state_->index.cut(group, last);
}

Status Wal::reclaim(std::vector<Record> marks) {
  const std::shared_ptr<State> s = state_;
  DRUMLIN_CHECK(!s->reclaiming);
  uint32_t keep = s->files.oldest();
  while (keep < s->files.newest() && s->index.live(keep) == 0)
    ++keep;
  if (keep == s->files.oldest()) return {};
  s->reclaiming = true;
  s->base = s->files[keep].header.first;
  const Lsn said = append(std::move(marks));
  Status status = wait_durable(said, kNever);
  while (status.ok() && s->files.oldest() < keep) {
    s->index.drop_file(s->files.oldest());
    status = s->files.remove_oldest();
    // One after the other: a crash must not bring back an older one alone.
    if (status.ok()) status = s->runtime.disk().sync_dir(s->options.directory);
    s->runtime.probe("wal.file_reclaimed");
  }
  s->observer.trace("wal.reclaim", s->base.value(), keep);
  s->reclaiming = false;
  return status;
}

uint64_t Wal::retained_bytes() const {
  return state_->files.bytes() + queued_bytes();
}

std::optional<Location> Wal::locate(GroupId group, LogIndex index) const {
  const std::optional<Index::Entry> entry = state_->index.find(group, index);
  if (!entry || entry->queued) return std::nullopt;
  const Index::Batch batch = state_->index.batch(entry->batch).value();
  return Location{state_->files[batch.file].path, batch.offset, batch.length, batch.lsn};
}

LogIndex Wal::last_index(GroupId group) const {
  return state_->index.last(group);
}

Result<std::vector<Record>> Wal::read(GroupId group, LogIndex first, LogIndex last,
                                      size_t max_bytes) {
  const std::shared_ptr<State> s = state_;
  // What is to be read is settled before the first yield: a suffix replaced meanwhile does not mix
  // in.
  const std::vector<State::Piece> pieces = s->plan(group, first, last, max_bytes);
  if (pieces.empty()) {
    return Status(Code::kNotFound,
                  "the log of group " + group.to_string() + " has no entry " + first.to_string());
  }
  std::vector<Record> records;
  for (const State::Piece& piece : pieces) {
    if (piece.queued) {
      records.push_back(*piece.queued);
    } else {
      DRUMLIN_TRY(s->read_piece(group, piece, records));
    }
  }
  return records;
}

std::vector<Wal::State::Piece> Wal::State::plan(GroupId group, LogIndex first, LogIndex last_wanted,
                                                size_t max_bytes) const {
  std::vector<Piece> pieces;
  size_t total = 0;
  for (LogIndex at = first; at <= last_wanted; ++at) {
    const std::optional<Index::Entry> entry = index.find(group, at);
    if (!entry) break;
    const Record* queued =
        entry->queued ? &queue[entry->lsn.value() + queue.size() - last.value() - 1] : nullptr;
    const size_t size = queued != nullptr ? queued->data.size() : entry->length - kRecordFixedBytes;
    if (!pieces.empty() && total + size > max_bytes) break;
    total += size;
    if (queued != nullptr) {
      runtime.probe("wal.read_before_written");
      pieces.emplace_back().queued = *queued;
      continue;
    }
    Piece* run = pieces.empty() ? nullptr : &pieces.back();
    if (run == nullptr || run->batch != entry->batch ||
        run->offset + run->length != entry->offset) {
      run = &pieces.emplace_back();
      run->batch = entry->batch;
      run->offset = entry->offset;
      run->first = at;
    }
    run->length += entry->length;
    ++run->records;
  }
  return pieces;
}

Status Wal::State::read_piece(GroupId group, const Piece& piece, std::vector<Record>& into) {
  const std::optional<Index::Batch> found = index.batch(piece.batch);
  if (!found) return {Code::kNotFound, "the log was cut meanwhile"};
  const Index::Batch batch = *found;
  const Files::Entry file = files[batch.file];
  const uint64_t offset = uint64_t{batch.offset} + piece.offset;
  const auto bad = [&](uint64_t at, const std::string& why) {
    return Status(Code::kCorrupt,
                  "wal corrupt: " + file.path + " at offset " + std::to_string(at) + ": " + why);
  };
  DRUMLIN_ASSIGN(const std::shared_ptr<File> reader, files.reader(batch.file));
  std::string bytes(piece.length, '\0');
  DRUMLIN_ASSIGN(const size_t got, reader->read_at(offset, bytes));
  if (got != bytes.size()) return bad(offset, "the file ends inside the record");
  size_t at = 0;
  for (size_t i = 0; i < piece.records; ++i) {
    Result<Record> record =
        decode_record(std::string_view(bytes).substr(at), file.header.salt, batch.lsn);
    if (!record.ok()) return bad(offset + at, record.status().message());
    if (record->group != group || record->index != piece.first + i) {
      return bad(offset + at, "another record lies here");
    }
    at += record_bytes(*record);
    into.push_back(std::move(*record));
  }
  return {};
}

}  // namespace drumlin::wal
