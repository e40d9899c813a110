// The engine of kv/rocksdb on a disk that loses power: whatever the moment, what comes back is exactly a
// prefix of the writes, not shorter than the last flush that returned OK.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/rocksdb/rocksdb.h"
#include "tests/sim/harness.h"
#include "tests/sim/lying_disk.h"

namespace drumlin::sim::test {
namespace {

using Model = std::map<std::string, std::string>;

struct Mode {
  bool mid_call =
      false;  // the power goes at a disk call, wherever that is; else between calls of the kv
  uint32_t errors_per_1000 = 0;  // of the calls that change the disk
  Lies lies{};
};

struct Seen {
  int loops = 0;
  int cut_mid_call = 0;
  int cut_in_flush = 0;  // a table was being written
  int cut_in_manifest = 0;
  int disk_errors = 0;
  int reads_from_disk = 0;
  int stalled_writes = 0;
  int flushes = 0;
  uint64_t lost = 0;  // writes that did not come back, and need not
  uint64_t trace_hash = 0;
  std::optional<std::string> violation;
};

class CrashLoop {
 public:
  CrashLoop(uint64_t seed, const Mode& mode)
      : mode_(mode),
        world_(seed, plain()),
        machine_(world_.add_machine(NodeId(1))),
        rng_(world_.stream("crash loop")) {
    machine_.disk().set_fault_hook([this](const IoCall& call) { return fault(call); });
  }

  // Until a promise is broken.
  Seen run(int loops) {
    while (seen_.loops < loops && !seen_.violation) {
      ++seen_.loops;
      life();
    }
    seen_.trace_hash = world_.trace().hash();
    return seen_;
  }

 private:
  // From one start to the next.
  void life() {
    if (mode_.mid_call && rng_.chance(3, 4)) {
      const uint64_t at = rng_.log_uniform(1, 400);
      machine_.crash_at_io(at, /*power=*/rng_.chance(3, 4));
    }
    errors_ = mode_.errors_per_1000 > 0 && rng_.chance(1, 2);
    last_path_.clear();
    bool ended = false;
    machine_.boot([&](Runtime& runtime) {
      live(runtime);
      ended = true;
    });
    ASSERT_TRUE(world_.run_until([&] { return !machine_.running(); }, world_.now() + 1h));
    errors_ = false;
    if (!ended) {
      ++seen_.cut_mid_call;
      seen_.cut_in_flush += last_path_.ends_with(".sst") ? 1 : 0;
      seen_.cut_in_manifest += last_path_.find("MANIFEST") != std::string::npos ? 1 : 0;
    }
    machine_.crash_at_io(0, false);
    // A process that ends by itself keeps the page cache, at times.
    if (machine_.powered() && rng_.chance(3, 4)) machine_.power_off();
  }

  void live(Runtime& runtime) {
    LyingDisk disk(runtime.disk().blocking(), mode_.lies);
    std::unique_ptr<kv::Kv> kv;
    Status opened;
    runtime.offload([&] {
      kv::RocksOptions options;
      options.path = "kv";
      options.cache_bytes = 32 << 10;
      options.write_buffer_bytes = 64 << 10;
      auto result = open_rocksdb(runtime, disk, options);
      opened = result.status();
      if (result.ok()) kv = std::move(*result);
    });
    if (!opened.ok()) {
      if (!errors_) seen_.violation = "it does not open: " + opened.to_string();
      return;
    }
    runtime.offload([&] { verify(*kv); });
    if (seen_.violation) return;
    for (uint64_t steps = rng_.between(0, 150); steps > 0; --steps) {
      if (!step(runtime, *kv).ok()) return;  // the product would halt, and start again
    }
  }

  // A disk call failed, or the lies have come out: OK is all that goes on.
  Status step(Runtime& runtime, kv::Kv& kv) {
    const uint64_t roll = rng_.below(100);
    if (roll < 4) return flush(runtime, kv);
    if (roll < 14) return runtime.sleep_for(rng_.duration_between(Duration(0), 50ms));
    if (roll < 24) return read(runtime, kv);
    return write(runtime, kv);
  }

  Status write(Runtime& runtime, kv::Kv& kv) {
    kv::Batch batch;
    Model changes;
    for (uint64_t n = rng_.between(1, 4); n > 0; --n) {
      const std::string key = "key" + std::to_string(rng_.below(300));
      if (rng_.chance(1, 4)) {
        batch.remove(key);
      } else {
        const uint64_t size = rng_.chance(1, 16) ? 20'000 : rng_.log_uniform(1, 4000);
        batch.put(key, pattern(size, rng_.next()));
      }
    }
    attempted_.push_back(batch);
    batch.put("applied", std::to_string(base_ + attempted_.size()));
    Status status = kv.write(batch, kv::Access::kNonBlocking);
    if (status.is(Code::kWouldBlock)) {
      ++seen_.stalled_writes;
      runtime.offload([&] { status = kv.write(batch, kv::Access::kBlocking); });
    }
    return status;
  }

  Status flush(Runtime& runtime, kv::Kv& kv) {
    Status status;
    const uint64_t before = base_ + attempted_.size();
    runtime.offload([&] { status = kv.flush(); });
    if (!status.ok()) return status;
    ++seen_.flushes;
    flushed_ = before;
    return status;
  }

  Status read(Runtime& runtime, kv::Kv& kv) {
    const std::string key = "key" + std::to_string(rng_.below(300));
    auto value = kv.get(key);
    if (value.is(Code::kWouldBlock)) {
      ++seen_.reads_from_disk;
      runtime.offload([&] { value = kv.snapshot(kv::Access::kBlocking)->get(key); });
    }
    if (!value.ok()) return value.status();
    const Model now = model(attempted_.size());
    const auto it = now.find(key);
    if (*value != (it == now.end() ? std::nullopt : std::optional(it->second)))
      seen_.violation = "a read of " + key + " does not see the last write";
    return seen_.violation ? Status(Code::kCorrupt, *seen_.violation) : Status();
  }

  // The contents are those after some write `n`, and that is known to be the last from now on.
  void verify(const kv::Kv& kv) {
    const auto view = kv.snapshot(kv::Access::kBlocking);
    Model contents;
    uint64_t n = 0;
    const auto cursor = view->cursor("", "");
    for (; cursor->valid(); cursor->next()) {
      if (cursor->key() == "applied") {
        n = std::stoull(std::string(cursor->value()));
      } else {
        contents.emplace(cursor->key(), cursor->value());
      }
    }
    if (!cursor->status().ok()) {
      if (!errors_ && machine_.running())
        seen_.violation = "it cannot be read: " + cursor->status().to_string();
      return;
    }
    if (n < flushed_ || n > base_ + attempted_.size()) {
      seen_.violation = "it is at write " + std::to_string(n) +
                        "; flushed: " + std::to_string(flushed_) +
                        ", written: " + std::to_string(base_ + attempted_.size());
      return;
    }
    Model expected = model(n - base_);
    if (contents != expected) {
      seen_.violation = "its contents are not those after write " + std::to_string(n);
      return;
    }
    seen_.lost += base_ + attempted_.size() - n;
    base_ = n;
    attempted_.clear();
    base_model_ = std::move(expected);
  }

  Model model(uint64_t writes) const {
    Model out = base_model_;
    for (uint64_t i = 0; i < writes; ++i) {
      for (const auto& change : attempted_.at(i).changes()) {
        if (change.value) {
          out[change.key] = *change.value;
        } else {
          out.erase(change.key);
        }
      }
    }
    return out;
  }

  Status fault(const IoCall& call) {
    last_path_ = call.path;
    if (!errors_) return {};
    switch (call.kind) {
      case IoKind::kRead:
      case IoKind::kSize:
      case IoKind::kList:
      case IoKind::kFree:
        return {};
      default:
        break;
    }
    if (!rng_.chance(mode_.errors_per_1000, 1000)) return {};
    ++seen_.disk_errors;
    return {Code::kIo, "a bad sector"};
  }

  const Mode mode_;
  World world_;
  Machine& machine_;
  Rng rng_;
  Seen seen_;
  bool errors_ = false;
  std::string last_path_;  // of the last disk call
  // What is known to be in the store, write by write.
  uint64_t base_ = 0;
  Model base_model_;
  std::vector<kv::Batch> attempted_;  // after `base_`
  uint64_t flushed_ = 0;
};

// Over several seeds; the counts are sums.
Seen crash_loops(const Mode& mode, int loops) {
  Seen sum;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Seen seen = CrashLoop(seed, mode).run(loops);
    EXPECT_EQ(seen.violation.value_or(""), "") << "seed " << seed << ", loop " << seen.loops;
    sum.loops += seen.loops;
    sum.cut_mid_call += seen.cut_mid_call;
    sum.cut_in_flush += seen.cut_in_flush;
    sum.cut_in_manifest += seen.cut_in_manifest;
    sum.disk_errors += seen.disk_errors;
    sum.reads_from_disk += seen.reads_from_disk;
    sum.stalled_writes += seen.stalled_writes;
    sum.flushes += seen.flushes;
    sum.lost += seen.lost;
  }
  return sum;
}

constexpr int kLoops = 100;

TEST(RocksCrash, PowerCutsBetweenCalls) {
  const Seen seen = crash_loops({}, kLoops);
  EXPECT_GT(seen.flushes, kLoops);
  EXPECT_GT(seen.reads_from_disk, kLoops);
  EXPECT_GT(seen.stalled_writes, 0);
  EXPECT_GT(seen.lost, 0u);
}

TEST(RocksCrash, PowerCutsInTheMiddleOfCalls) {
  const Seen seen = crash_loops({.mid_call = true}, kLoops);
  EXPECT_GT(seen.cut_mid_call, kLoops);
  EXPECT_GT(seen.cut_in_flush, 10);
  EXPECT_GT(seen.cut_in_manifest, 5);
}

TEST(RocksCrash, PowerCutsAndDiskErrors) {
  const Seen seen = crash_loops({.mid_call = true, .errors_per_1000 = 20}, kLoops);
  EXPECT_GT(seen.cut_mid_call, kLoops / 2);
  EXPECT_GT(seen.disk_errors, 20);
}

// The test has teeth: a disk that does not do what it says is found out at once.
TEST(RocksCrash, ADiskThatDoesNotSyncIsFoundOut) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Seen seen = CrashLoop(seed, {.lies = {.files = true}}).run(20);
    EXPECT_TRUE(seen.violation) << "seed " << seed;
  }
}

TEST(RocksCrash, ADiskThatDoesNotSyncDirectoriesIsFoundOut) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Seen seen = CrashLoop(seed, {.lies = {.directories = true}}).run(20);
    EXPECT_TRUE(seen.violation) << "seed " << seed;
  }
}

TEST(RocksCrash, TheSameSeedIsTheSameRun) {
  const Mode mode{.mid_call = true, .errors_per_1000 = 20};
  const uint64_t first = CrashLoop(7, mode).run(20).trace_hash;
  EXPECT_EQ(CrashLoop(7, mode).run(20).trace_hash, first);
  EXPECT_NE(CrashLoop(8, mode).run(20).trace_hash, first);
}

}  // namespace
}  // namespace drumlin::sim::test
