// SimEnv: RocksDB's operating system within the simulator: simulated disk, virtual clock, and jobs in
// place of threads. Internal to sim/rocksdb.
#pragma once

#include <rocksdb/env.h>

#include <array>
#include <deque>
#include <memory>

#include "runtime/disk.h"
#include "runtime/runtime.h"
#include "sim/rocksdb/hooks.h"

namespace drumlin::sim {

// RocksDB's background jobs. Each priority is a thread that it would have: its jobs run one after the
// other as offload jobs of the node, after a drawn delay. A call that waits for a job runs it at once (HookState::run_job). A job is never interrupted but
// by the death of the process, at any of its disk calls.
//
// Outlives its store: the fibers that do the work hold it.
class Jobs : public std::enable_shared_from_this<Jobs> {
 public:
  using Priority = rocksdb::Env::Priority;
  explicit Jobs(Runtime& runtime);

  HookState& hooks() { return hooks_; }
  void schedule(Priority priority, void (*function)(void*), void* arg, void* tag,
                void (*dropped)(void*));
  // Drops the tag's jobs of that priority. How many there were.
  int unschedule(Priority priority, void* tag);
  size_t waiting(Priority priority) const { return lanes_.at(priority).jobs.size(); }
  // Of the highest priority that has any. False: there is none.
  bool run_one();

 private:
  struct Job {
    void (*function)(void*);
    void* arg;
    void* tag;
    void (*dropped)(void*);
  };
  struct Lane {
    std::deque<Job> jobs;
    bool staffed = false;  // a fiber works on it
  };
  void work(Lane& lane);
  static bool run_first(Lane& lane);

  Runtime& runtime_;
  HookState hooks_;
  Rng delays_;
  const Duration
      slowest_;  // some stores have slow threads: write buffers fill up, and writes must wait
  std::array<Lane, rocksdb::Env::Priority::TOTAL> lanes_;
};

// `runtime` and `disk` must outlive it.
std::unique_ptr<rocksdb::Env> make_env(Runtime& runtime, BlockingDisk& disk,
                                       std::shared_ptr<Jobs> jobs);

}  // namespace drumlin::sim
