#include "sim/rocksdb/env.h"

#include <rocksdb/system_clock.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "sim/rocksdb/files.h"
#include "sim/runtime/process.h"

namespace drumlin::sim {

// -- Jobs

Jobs::Jobs(Runtime& runtime)
    : runtime_(runtime),
      hooks_(runtime.random().stream("rocksdb")),
      delays_(runtime.random().stream("rocksdb jobs")),
      slowest_(delays_.chance(1, 4)
                   ? delays_.duration_between(200ms, 3s)
                   : Duration(std::chrono::microseconds(delays_.log_uniform(10, 20'000)))) {
  hooks_.run_job = [this] { return run_one(); };
}

void Jobs::schedule(Priority priority, void (*function)(void*), void* arg, void* tag,
                    void (*dropped)(void*)) {
  Lane& lane = lanes_.at(priority);
  lane.jobs.push_back({function, arg, tag, dropped});
  if (std::exchange(lane.staffed, true)) return;
  runtime_.spawn("rocksdb jobs", [self = shared_from_this(), &lane] { self->work(lane); });
}

int Jobs::unschedule(Priority priority, void* tag) {
  std::deque<Job>& jobs = lanes_.at(priority).jobs;
  std::vector<Job> gone;
  std::copy_if(jobs.begin(), jobs.end(), std::back_inserter(gone),
               [&](const Job& job) { return job.tag == tag; });
  std::erase_if(jobs, [&](const Job& job) { return job.tag == tag; });
  for (const Job& job : gone) {
    if (job.dropped != nullptr) job.dropped(job.arg);
  }
  return static_cast<int>(gone.size());
}

bool Jobs::run_one() {
  for (const Priority priority :
       {Priority::USER, Priority::HIGH, Priority::LOW, Priority::BOTTOM}) {
    if (run_first(lanes_.at(priority))) return true;
  }
  return false;
}

bool Jobs::run_first(Lane& lane) {
  if (lane.jobs.empty()) return false;
  const Job job = lane.jobs.front();
  lane.jobs.pop_front();
  job.function(job.arg);
  return true;
}

void Jobs::work(Lane& lane) {
  while (!lane.jobs.empty()) {
    (void)runtime_.sleep_for(delays_.duration_between(Duration(0), slowest_));
    runtime_.offload([&] {
      const HookScope scope(hooks_);
      run_first(lane);  // unless somebody who waited for it has
    });
  }
  lane.staffed = false;
}

namespace {

// Runs ahead of the node's clock by what RocksDB has slept: virtual time stands still within a call,
// and a sleep must be seen to pass.
class VirtualClock final : public rocksdb::SystemClock {
 public:
  explicit VirtualClock(Process& process) : process_(process) {}
  const char* Name() const override { return "drumlin virtual clock"; }
  uint64_t NowMicros() override { return NowNanos() / 1000; }
  uint64_t NowNanos() override {
    return static_cast<uint64_t>((process_.clock().now().time_since_epoch() + slept_).count());
  }
  void SleepForMicroseconds(int micros) override {
    const Duration d = std::chrono::microseconds(micros);
    slept_ += d;
    process_.charge(d);
  }
  rocksdb::Status GetCurrentTime(int64_t* unix_time) override {
    *unix_time =
        std::chrono::duration_cast<std::chrono::seconds>(process_.clock().wall().time_since_epoch())
            .count();
    return rocksdb::Status::OK();
  }
  std::string TimeToString(uint64_t time) override { return std::to_string(time); }

 private:
  Process& process_;
  Duration slept_{};
};

// EnvWrapper for the old file calls alone, which it passes on to the file system: no method that would
// touch the real system is left to its target.
class SimEnv final : public rocksdb::EnvWrapper {
 public:
  SimEnv(Process& process, const std::shared_ptr<rocksdb::FileSystem>& files,
         std::shared_ptr<Jobs> jobs)
      : rocksdb::EnvWrapper(rocksdb::NewCompositeEnv(files)),
        process_(process),
        jobs_(std::move(jobs)),
        ids_(process.random().stream("rocksdb unique ids")) {
    file_system_ = files;
    system_clock_ = std::make_shared<VirtualClock>(process);
  }
  const char* Name() const override { return "drumlin simulator"; }

  void Schedule(void (*function)(void*), void* arg, Priority priority, void* tag,
                void (*dropped)(void*)) override {
    jobs_->schedule(priority, function, arg, tag, dropped);
  }
  int UnSchedule(void* tag, Priority priority) override { return jobs_->unschedule(priority, tag); }
  void StartThread(void (* /*function*/)(void*), void* /*arg*/) override {
    DRUMLIN_UNREACHABLE("RocksDB starts a thread");
  }
  void WaitForJoin() override {}
  unsigned int GetThreadPoolQueueLen(Priority priority) const override {
    return static_cast<unsigned int>(jobs_->waiting(priority));
  }
  int ReserveThreads(int /*threads*/, Priority /*priority*/) override { return 0; }
  int ReleaseThreads(int /*threads*/, Priority /*priority*/) override { return 0; }
  void SetBackgroundThreads(int /*number*/, Priority /*priority*/) override {}
  int GetBackgroundThreads(Priority /*priority*/) override { return 1; }
  void IncBackgroundThreadsIfNeeded(int /*number*/, Priority /*priority*/) override {}
  void LowerThreadPoolIOPriority(Priority /*pool*/) override {}
  void LowerThreadPoolCPUPriority(Priority /*pool*/) override {}
  rocksdb::Status LowerThreadPoolCPUPriority(Priority /*pool*/,
                                             rocksdb::CpuPriority /*priority*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status GetThreadList(std::vector<rocksdb::ThreadStatus>* /*list*/) override {
    return rocksdb::Status::NotSupported("no threads");
  }
  rocksdb::ThreadStatusUpdater* GetThreadStatusUpdater() const override { return nullptr; }
  uint64_t GetThreadID() const override { return 1; }

  uint64_t NowMicros() override { return system_clock_->NowMicros(); }
  uint64_t NowNanos() override { return system_clock_->NowNanos(); }
  uint64_t NowCPUNanos() override { return 0; }
  void SleepForMicroseconds(int micros) override { system_clock_->SleepForMicroseconds(micros); }
  rocksdb::Status GetCurrentTime(int64_t* unix_time) override {
    return system_clock_->GetCurrentTime(unix_time);
  }
  std::string TimeToString(uint64_t time) override { return system_clock_->TimeToString(time); }

  rocksdb::Status GetHostName(char* name, uint64_t size) override {
    if (size == 0) return rocksdb::Status::InvalidArgument("no space for a name");
    const std::string& own = process_.host().name;
    const size_t n = std::min<size_t>(size - 1, own.size());
    std::memcpy(name, own.data(), n);
    name[n] = '\0';
    return rocksdb::Status::OK();
  }
  std::string GenerateUniqueId() override {
    // One after the other: the operands of one expression may be drawn in any order.
    const std::string first = std::to_string(ids_.next());
    return first + "-" + std::to_string(ids_.next());
  }

 private:
  Process& process_;
  std::shared_ptr<Jobs> jobs_;
  Rng ids_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_env(Runtime& runtime, BlockingDisk& disk,
                                       std::shared_ptr<Jobs> jobs) {
  auto* const process = dynamic_cast<Process*>(&runtime);
  DRUMLIN_CHECK(process != nullptr, "not a runtime of the simulator");
  return std::make_unique<SimEnv>(*process, make_file_system(disk), std::move(jobs));
}

}  // namespace drumlin::sim
