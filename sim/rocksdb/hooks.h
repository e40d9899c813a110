// Hooks: what RocksDB takes from its process behind the back of its Env, given by the caller instead.
//
// The linker sends these calls here (`--wrap`, see sim/CMakeLists.txt); outside of a HookScope they
// go on to where they would have gone.
//   rocksdb::Random::GetTLSInstance    seeded by the thread's address. Draws the height of memtable
//                                      nodes, and so when a flush is due; samples reads
//   SemiStructuredUniqueIdGen::GenerateNext   time, process id, random_device: ids of sessions, which
//                                      are in every table file
//   pthread_cond_wait                  would wait for another thread. Runs one queued job, returns as
//                                      after a spurious wakeup; with no job to run it is a deadlock,
//                                      and a failed CHECK
//   DBImpl::StartPeriodicTaskScheduler a thread of its own for each process. Does nothing
//   malloc_usable_size                 16 bytes more or less, as the heap's past will have it; decides
//                                      what leaves the block cache, and when a memtable is full. Tells
//                                      what was asked of new[] (whose calls are wrapped for that), and
//                                      a constant for the rest: objects and handles of the cache
// The first, second and fourth are names of RocksDB 7.8.3 within the static library; self_test()
// (rocksdb.h) looks whether they fit.
#pragma once

#include <cstdint>
#include <functional>

#include "base/rng.h"

namespace drumlin::sim {

// Of one store. What it draws depends on nothing but its generator and its calls.
struct HookState {
  explicit HookState(Rng rng) : ids(rng.stream("ids")) {
    random = static_cast<uint32_t>(rng.stream("random").between(1, 0x7ffffffe));
  }
  uint32_t random;  // rocksdb::Random has this one member: x -> 16807 x mod 2^31 - 1
  Rng ids;
  std::function<bool()> run_job;  // false: there is none

  // How often each hook was asked.
  uint64_t randoms = 0;
  uint64_t unique_ids = 0;
  uint64_t waits = 0;
  uint64_t timers = 0;
  uint64_t sizes = 0;  // of what new[] has made
};

// Calls of RocksDB on this thread are those of `state` for as long as this lives. Nests. Never over a
// suspension of the fiber.
class HookScope {
 public:
  explicit HookScope(HookState& state);
  ~HookScope();
  HookScope(const HookScope&) = delete;
  HookScope& operator=(const HookScope&) = delete;

 private:
  HookState* outer_;
};

}  // namespace drumlin::sim
