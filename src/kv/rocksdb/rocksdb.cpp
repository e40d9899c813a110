#include "kv/rocksdb/rocksdb.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <exception>

#include "base/check.h"

namespace drumlin::kv {
namespace {

constexpr const char* kMarker = "drumlin-kv";
constexpr const char* kNewMarker = "drumlin-kv.new";
constexpr const char* kFormat = "drumlin kv 1\n";

Status status_of(const rocksdb::Status& s) {
  if (s.ok()) return {};
  if (s.IsIncomplete()) return {Code::kWouldBlock, s.ToString()};
  if (s.IsCorruption()) return {Code::kCorrupt, s.ToString()};
  if (s.IsNoSpace()) return {Code::kNoSpace, s.ToString()};
  return {Code::kIo, s.ToString()};
}

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

rocksdb::ReadOptions read_options(Access access, const rocksdb::Snapshot* snapshot) {
  rocksdb::ReadOptions out;
  out.read_tier = access == Access::kNonBlocking ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  out.verify_checksums = true;
  out.snapshot = snapshot;
  return out;
}

class RocksCursor final : public Cursor {
 public:
  RocksCursor(rocksdb::DB& db, rocksdb::ReadOptions options, std::string_view lower,
              std::string_view upper)
      : lower_(lower), upper_(upper), upper_slice_(slice(upper_)) {
    if (!upper_.empty()) options.iterate_upper_bound = &upper_slice_;
    it_.reset(db.NewIterator(options));
    seek(lower_);
  }

  bool valid() const override { return it_->Valid(); }
  void next() override {
    DRUMLIN_CHECK(valid());
    it_->Next();
  }
  void seek(std::string_view key) override {
    it_->Seek(slice(std::max(key, std::string_view(lower_))));
  }
  std::string_view key() const override {
    DRUMLIN_CHECK(valid());
    return view(it_->key());
  }
  std::string_view value() const override {
    DRUMLIN_CHECK(valid());
    return view(it_->value());
  }
  Status status() const override { return status_of(it_->status()); }

 private:
  std::string lower_;
  std::string upper_;
  rocksdb::Slice upper_slice_;  // the iterator looks at it
  std::unique_ptr<rocksdb::Iterator> it_;
};

Result<std::optional<std::string>> read(rocksdb::DB& db, const rocksdb::ReadOptions& options,
                                        std::string_view key) {
  std::string value;
  const rocksdb::Status s = db.Get(options, slice(key), &value);
  if (s.IsNotFound()) return std::optional<std::string>();
  if (!s.ok()) return status_of(s);
  return std::optional<std::string>(std::move(value));
}

class RocksView final : public View {
 public:
  RocksView(rocksdb::DB& db, Access access)
      : db_(db), access_(access), snapshot_(db.GetSnapshot()) {}
  ~RocksView() override { db_.ReleaseSnapshot(snapshot_); }
  RocksView(const RocksView&) = delete;
  RocksView& operator=(const RocksView&) = delete;

  Result<std::optional<std::string>> get(std::string_view key) const override {
    return read(db_, read_options(access_, snapshot_), key);
  }
  std::unique_ptr<Cursor> cursor(std::string_view lower, std::string_view upper) const override {
    return std::make_unique<RocksCursor>(db_, read_options(access_, snapshot_), lower, upper);
  }

 private:
  rocksdb::DB& db_;
  Access access_;
  const rocksdb::Snapshot* snapshot_;
};

// The first error of a background job ends the store. RocksDB itself keeps some for passing ones (a
// full disk, say): flush() then waits for good, or writes are taken without any limit to their
// buffers.
class Failure final : public rocksdb::EventListener {
 public:
  // OK until there is one. On any thread.
  Status get() const { return told_.load(std::memory_order_acquire) ? error_ : Status(); }

  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* error) override {
    *error = rocksdb::Status(*error, rocksdb::Status::Severity::kFatalError);
    if (taken_.exchange(true)) return;
    error_ = status_of(*error);
    told_.store(true, std::memory_order_release);
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* recover) override {
    *recover = false;
  }

 private:
  std::atomic<bool> taken_ = false;
  std::atomic<bool> told_ = false;
  Status error_;
};

class RocksKv final : public Kv {
 public:
  RocksKv(rocksdb::DB* db, std::shared_ptr<const Failure> failure)
      : db_(db), failure_(std::move(failure)) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    return read(*db_, read_options(Access::kNonBlocking, nullptr), key);
  }
  std::unique_ptr<Cursor> cursor(std::string_view lower, std::string_view upper) const override {
    return std::make_unique<RocksCursor>(*db_, read_options(Access::kNonBlocking, nullptr), lower,
                                         upper);
  }
  std::unique_ptr<View> snapshot(Access access) const override {
    return std::make_unique<RocksView>(*db_, access);
  }

  Status write(const Batch& batch, Access access) override {
    DRUMLIN_TRY(failure_->get());
    rocksdb::WriteBatch out(batch.bytes() + 16 * batch.changes().size());
    for (const Batch::Change& change : batch.changes()) {
      DRUMLIN_TRY(
          status_of(change.value ? out.Put(change.key, *change.value) : out.Delete(change.key)));
    }
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    options.no_slowdown = access == Access::kNonBlocking;
    return status_of(db_->Write(options, &out));
  }

  Status flush() override {
    DRUMLIN_TRY(failure_->get());
    rocksdb::FlushOptions options;
    options.wait = true;
    return status_of(db_->Flush(options));
  }
  bool durable() const override { return true; }
  std::string_view engine() const override { return "rocksdb"; }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::shared_ptr<const Failure> failure_;
};

// RocksDB's own log repeats its options at every start, and says nothing of errors that the calls
// do not return.
class NoLog final : public rocksdb::Logger {
 public:
  NoLog() : rocksdb::Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*args*/) override {}
};

rocksdb::Options db_options(const RocksOptions& in, rocksdb::Env* env) {
  rocksdb::Options out;
  out.env = env;
  out.create_if_missing = true;
  out.info_log = std::make_shared<NoLog>();
  out.avoid_flush_during_shutdown = true;    // a flush is asked for, or it is not needed
  out.avoid_unnecessary_blocking_io = true;  // cursors that end on the reactor delete no files
  out.write_buffer_size = in.write_buffer_bytes;
  out.max_write_buffer_number = 4;
  out.max_background_jobs = 2;
  out.compression = rocksdb::kNoCompression;  // most bytes are bodies, and most of those compressed
  out.level_compaction_dynamic_level_bytes = true;
  out.max_bytes_for_level_base = 8 * in.write_buffer_bytes;
  out.max_open_files = static_cast<int>(in.max_open_files);

  // Few threads, no timers of its own, nothing by chance: the simulator runs these very options.
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  out.max_subcompactions = 1;
  out.max_file_opening_threads = 1;
  out.max_bgerror_resume_count = 0;
  out.allow_concurrent_memtable_write = false;
  out.enable_write_thread_adaptive_yield = false;
  out.skip_stats_update_on_db_open = true;
  out.table_cache_numshardbits = 0;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(in.cache_bytes, /*num_shard_bits=*/0,
                                           /*strict_capacity_limit=*/false,
                                           /*high_pri_pool_ratio=*/0.3);
  table.block_size = 8 * 1024;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.prepopulate_block_cache =
      rocksdb::BlockBasedTableOptions::PrepopulateBlockCache::kFlushOnly;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

std::string parent_of(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = end == std::string::npos ? end : path.rfind('/', end);
  if (slash == std::string::npos) return path.starts_with('/') ? "/" : ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status sync_directory(rocksdb::Env& env, const std::string& path) {
  std::unique_ptr<rocksdb::Directory> directory;
  DRUMLIN_TRY(status_of(env.NewDirectory(path, &directory)));
  return status_of(directory->Fsync());
}

Status claim(rocksdb::Env& env, const std::string& path) {
  const std::string fresh = path + "/" + kNewMarker;
  DRUMLIN_TRY(status_of(rocksdb::WriteStringToFile(&env, kFormat, fresh, /*should_sync=*/true)));
  DRUMLIN_TRY(status_of(env.RenameFile(fresh, path + "/" + kMarker)));
  DRUMLIN_TRY(sync_directory(env, path));
  return sync_directory(env, parent_of(path));
}

// The directory is ours, whole as far as its names tell, or new and now claimed.
Status prepare(rocksdb::Env& env, const std::string& path) {
  DRUMLIN_TRY(status_of(env.CreateDirIfMissing(path)));
  std::vector<std::string> names;
  DRUMLIN_TRY(status_of(env.GetChildren(path, &names)));
  std::sort(names.begin(), names.end());
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!has(kMarker)) {
    for (const std::string& name : names) {
      if (name == "." || name == ".." || name == "lost+found" || name == kNewMarker) continue;
      return {Code::kFailedPrecondition,
              "the directory is not ours: it has a file " + name + ", but no " + kMarker};
    }
    return claim(env, path);
  }
  std::string format;
  DRUMLIN_TRY(status_of(rocksdb::ReadFileToString(&env, path + "/" + kMarker, &format)));
  if (format != kFormat) {
    return {Code::kUnsupported, "its format is \"" + format.substr(0, format.find('\n')) +
                                    "\", and this build knows \"drumlin kv 1\" only"};
  }
  // RocksDB would begin anew, and delete the rest.
  const auto table = std::find_if(names.begin(), names.end(),
                                  [](const std::string& name) { return name.ends_with(".sst"); });
  if (!has("CURRENT") && table != names.end()) {
    return {Code::kCorrupt, "there is " + *table + ", but no file CURRENT"};
  }
  return {};
}

Result<std::unique_ptr<Kv>> open(const RocksOptions& options) {
  rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  DRUMLIN_TRY(prepare(*env, options.path));
  const auto failure = std::make_shared<Failure>();
  rocksdb::Options settings = db_options(options, env);
  settings.listeners = {failure};
  rocksdb::DB* db = nullptr;
  DRUMLIN_TRY(status_of(rocksdb::DB::Open(settings, options.path, &db)));
  return std::unique_ptr<Kv>(std::make_unique<RocksKv>(db, failure));
}

}  // namespace

Result<std::unique_ptr<Kv>> open_rocksdb(const RocksOptions& options) {
  // Opening starts threads, which may throw; the other calls do not throw.
  Result<std::unique_ptr<Kv>> out = Status(Code::kIo, "not opened");
  try {
    out = open(options);
  } catch (const std::exception& e) {
    out = Status(Code::kIo, e.what());
  }
  if (!out.ok()) return out.status().with_context(options.path);
  return out;
}

}  // namespace drumlin::kv
