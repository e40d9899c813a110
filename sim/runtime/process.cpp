#include "sim/runtime/process.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "base/digest.h"
#include "sim/runtime/disk_calls.h"
#include "sim/runtime/parked.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {

// -- SimClock

SimClock::SimClock(World& world, Host& host) : world_(world), host_(host), alarm_(&host, *this) {}

Instant SimClock::now() const {
  return world_.now();
}

WallTime SimClock::wall() const {
  if (!std::exchange(host_.clock_felt, true)) world_.counters().effective("clock");
  return world_.options().epoch + world_.now().time_since_epoch() + host_.wall_error(world_.now());
}

void SimClock::arm(Timer& timer, Instant at) {
  if (at == kNever) {
    timer.disarm();
    return;
  }
  timers_.arm(timer, std::max(at, world_.now()));
  expect(timer.at());
}

void SimClock::expect(Instant at) {
  if (!alarm_.armed() || at < alarm_.at()) world_.arm(alarm_, at);
}

void SimClock::ring() {
  // It may be early: the timer that it was armed for may be gone.
  const bool due = !timers_.empty() && timers_.top().at() <= world_.now();
  Timer* timer = due ? &timers_.pop() : nullptr;
  if (!timers_.empty()) expect(timers_.top().at());
  if (timer == nullptr) return;
  world_.event(&host_, "timer");
  timer->fire();
}

// -- Process

Process::Process(World& world, Host& host, Machine* machine, const std::string& name)
    : world_(world),
      host_(host),
      machine_(machine),
      name_(name),
      domain_(name),
      clock_(world, host),
      network_(*this),
      random_(world.stream("random/" + name)),
      secret_(world.stream("secret/" + name)),
      offload_(world.stream("offload/" + name)),
      points_(world, name) {
  // A client is a program of somebody else's: nothing happens inside it.
  if (machine_ == nullptr) return;
  chaos_ = &points_;
  disk_ = std::make_unique<DiskFaces>(*this);
}

Process::~Process() = default;

Scheduler& Process::scheduler() {
  return world_.scheduler();
}

Disk& Process::disk() {
  DRUMLIN_CHECK(disk_ != nullptr, name_, " has no disk");
  return disk_->disk();
}

void Process::secure_random(std::span<char> into) {
  for (char& c : into)
    c = static_cast<char>(secret_.next() >> 56);
}

std::string Process::boot_id() {
  const uint64_t cycle = machine_ == nullptr ? 0 : machine_->power_cycles();
  Rng rng = world_.stream("boot/" + host_.ip + "/" + std::to_string(cycle));
  char bytes[16];
  store_le(bytes, rng.next());
  store_le(bytes + 8, rng.next());
  std::string out = hex(std::string_view(bytes, sizeof(bytes)));
  for (const size_t dash : {8u, 13u, 18u, 23u})
    out.insert(dash, "-");
  return out;
}

void Process::start(std::function<void(Runtime&)> main) {
  spawn("main", [this, main = std::move(main)] {
    main(*this);
    die(Exit::kReturned);
  });
}

void Process::die(Exit how) {
  if (dead_) return;
  dead_ = true;
  how_ = how;
  world_.network().abandon(*this);
  world_.doom(*this);
}

void Process::halt(std::string_view reason) {
  if (!dead_) {
    if (machine_ != nullptr) machine_->halted(reason);
    world_.event(&host_, "halt", 0, 0, reason);
    world_.counters().both("halt");
    die(Exit::kHalted);
  }
  throw FiberKilled();
}

void Process::require_alive() const {
  if (dead_) throw FiberKilled();
}

void Process::charge(Duration d) {
  if (job_time_ != nullptr) {
    *job_time_ += d;
  } else {
    // Nothing else of the process ran meanwhile: its one thread was in the call.
    host_.paused_until = std::max(host_.paused_until, world_.now()) + d;
  }
}

Instant Process::busy_until() const {
  if (job_time_ != nullptr) return world_.now() + *job_time_;
  return std::max(host_.paused_until, world_.now());
}

// A job under way, on the stack of the fiber that waits for it: takes effect, then completes.
class Process::Job final : public Event {
 public:
  Job(Process& process, const std::function<void()>& job, Duration after)
      : Event(&process.host_),
        process_(process),
        job_(job),
        after_(after),
        parked_(process.world_, process.host_) {}

  void run(Duration before) {
    process_.world_.arm(*this, process_.world_.now() + before);
    (void)parked_.wait();
  }

  void fire() override {
    if (process_.dead_) return;
    if (ended_) {
      parked_.wake();
      return;
    }
    Duration took{};
    process_.job_time_ = &took;
    try {
      job_();
    } catch (const FiberKilled&) {
      DRUMLIN_CHECK(process_.dead_, "a job threw FiberKilled");
    }
    process_.job_time_ = nullptr;
    ended_ = true;
    World& world = process_.world_;
    world.event(&process_.host_, "offload", static_cast<uint64_t>(took.count()));
    if (!process_.dead_) world.arm(*this, world.now() + took + after_);
  }

 private:
  Process& process_;
  const std::function<void()>& job_;
  const Duration after_;
  Parked parked_;
  bool ended_ = false;
};

void Process::offload(std::function<void()> job) {
  require_alive();
  const World::Options& options = world_.options();
  const Duration before = offload_.duration_between(options.offload_min, options.offload_max);
  const Duration after = offload_.duration_between(options.offload_min, options.offload_max);
  Job(*this, job, after).run(before);
}

}  // namespace drumlin::sim
