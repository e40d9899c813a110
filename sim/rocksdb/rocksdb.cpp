#include "sim/rocksdb/rocksdb.h"

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/version.h>

#include <utility>

#include "base/check.h"
#include "sim/rocksdb/env.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {
namespace {

// Every call of the engine in the scope of its own hooks.
class SimCursor final : public kv::Cursor {
 public:
  SimCursor(std::shared_ptr<Jobs> jobs, std::unique_ptr<kv::Cursor> inner)
      : jobs_(std::move(jobs)), inner_(std::move(inner)) {}
  ~SimCursor() override {
    const HookScope scope(jobs_->hooks());
    inner_.reset();
  }
  SimCursor(const SimCursor&) = delete;
  SimCursor& operator=(const SimCursor&) = delete;

  bool valid() const override { return inner_->valid(); }
  void next() override {
    const HookScope scope(jobs_->hooks());
    inner_->next();
  }
  void seek(std::string_view key) override {
    const HookScope scope(jobs_->hooks());
    inner_->seek(key);
  }
  std::string_view key() const override { return inner_->key(); }
  std::string_view value() const override {
    const HookScope scope(jobs_->hooks());
    return inner_->value();
  }
  Status status() const override { return inner_->status(); }

 private:
  std::shared_ptr<Jobs> jobs_;
  std::unique_ptr<kv::Cursor> inner_;
};

class SimView final : public kv::View {
 public:
  SimView(std::shared_ptr<Jobs> jobs, std::unique_ptr<kv::View> inner)
      : jobs_(std::move(jobs)), inner_(std::move(inner)) {}
  ~SimView() override {
    const HookScope scope(jobs_->hooks());
    inner_.reset();
  }
  SimView(const SimView&) = delete;
  SimView& operator=(const SimView&) = delete;

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const HookScope scope(jobs_->hooks());
    return inner_->get(key);
  }
  std::unique_ptr<kv::Cursor> cursor(std::string_view lower,
                                     std::string_view upper) const override {
    const HookScope scope(jobs_->hooks());
    return std::make_unique<SimCursor>(jobs_, inner_->cursor(lower, upper));
  }

 private:
  std::shared_ptr<Jobs> jobs_;
  std::unique_ptr<kv::View> inner_;
};

class SimKv final : public kv::Kv {
 public:
  SimKv(Runtime& runtime, BlockingDisk& disk)
      : jobs_(std::make_shared<Jobs>(runtime)), env_(make_env(runtime, disk, jobs_)) {}
  ~SimKv() override {
    const HookScope scope(jobs_->hooks());
    inner_.reset();
    env_.reset();
  }
  SimKv(const SimKv&) = delete;
  SimKv& operator=(const SimKv&) = delete;

  Status open(kv::RocksOptions options) {
    DRUMLIN_CHECK(options.env == nullptr);
    options.env = env_.get();
    const HookScope scope(jobs_->hooks());
    DRUMLIN_ASSIGN(inner_, kv::open_rocksdb(options));
    return {};
  }

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const HookScope scope(jobs_->hooks());
    return inner_->get(key);
  }
  std::unique_ptr<kv::Cursor> cursor(std::string_view lower,
                                     std::string_view upper) const override {
    const HookScope scope(jobs_->hooks());
    return std::make_unique<SimCursor>(jobs_, inner_->cursor(lower, upper));
  }
  std::unique_ptr<kv::View> snapshot(kv::Access access) const override {
    const HookScope scope(jobs_->hooks());
    return std::make_unique<SimView>(jobs_, inner_->snapshot(access));
  }
  Status write(const kv::Batch& batch, kv::Access access) override {
    const HookScope scope(jobs_->hooks());
    return inner_->write(batch, access);
  }
  Status flush() override {
    const HookScope scope(jobs_->hooks());
    return inner_->flush();
  }
  bool durable() const override { return inner_->durable(); }
  std::string_view engine() const override { return inner_->engine(); }

 private:
  std::shared_ptr<Jobs> jobs_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<kv::Kv> inner_;
};

Status from_rocksdb(const rocksdb::Status& status) {
  if (status.ok()) return {};
  return {Code::kUnsupported, status.ToString()};
}

// Session of the store below, opened on node 1 of the world of seed 1.
constexpr std::string_view kExpectedSession = "M3IYPQCS1V8USLCNNU5I";

// With RocksDB itself and its own options: what the engine switches off must not matter here.
Status try_hooks(Runtime& runtime) {
  const auto jobs = std::make_shared<Jobs>(runtime);
  const auto env = make_env(runtime, runtime.disk().blocking(), jobs);
  const HookState& hooks = jobs->hooks();
  const HookScope scope(jobs->hooks());
  rocksdb::Options options;
  options.env = env.get();
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  DRUMLIN_TRY(from_rocksdb(rocksdb::DB::Open(options, "self-test", &opened)));
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::string session;
  DRUMLIN_TRY(from_rocksdb(db->GetDbSessionId(session)));
  if (session != kExpectedSession) {
    return {Code::kUnsupported,
            fmt::format("the session of a store is {}, not {}", session, kExpectedSession)};
  }
  DRUMLIN_TRY(from_rocksdb(db->Put({}, "key", "value")));
  if (hooks.randoms == 0) return {Code::kUnsupported, "its random numbers are its own"};
  if (hooks.timers == 0) return {Code::kUnsupported, "it has started a timer thread"};
  // Only now: without its hook this would wait for good.
  DRUMLIN_TRY(from_rocksdb(db->Flush({})));
  if (hooks.sizes == 0) return {Code::kUnsupported, "it asks the heap how large its memory is"};
  if (hooks.waits == 0) return {Code::kUnsupported, "a flush did not wait for its job"};
  return {};
}

}  // namespace

Result<std::unique_ptr<kv::Kv>> open_rocksdb(Runtime& runtime, BlockingDisk& disk,
                                             kv::RocksOptions options) {
  auto kv = std::make_unique<SimKv>(runtime, disk);
  DRUMLIN_TRY(kv->open(std::move(options)));
  return std::unique_ptr<kv::Kv>(std::move(kv));
}

Result<std::unique_ptr<kv::Kv>> open_rocksdb(Runtime& runtime, kv::RocksOptions options) {
  return open_rocksdb(runtime, runtime.disk().blocking(), std::move(options));
}

Status self_test() {
  const auto context = [](Status status) {
    return status.with_context(fmt::format(
        "the simulator needs RocksDB 7.8.3 as Debian 12 packages it (librocksdb-dev 7.8.3-2, the "
        "static library); this is {}",
        rocksdb::GetRocksVersionAsString()));
  };
  if (rocksdb::GetRocksVersionAsString() != "7.8.3") {
    return context({Code::kUnsupported, "another version was linked"});
  }
  World world(1);
  Machine& machine = world.add_machine(NodeId(1));
  Status status(Code::kUnsupported, "the self-test did not end");
  machine.boot([&](Runtime& runtime) { runtime.offload([&] { status = try_hooks(runtime); }); });
  world.run_until([&] { return !machine.running(); }, world.now() + 1h);
  return context(status);
}

}  // namespace drumlin::sim
