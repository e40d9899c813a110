// Runtime: everything that one node sees of the world. Two implementations exist: `host` (threads,
// sockets, files of an operating system) and `sim` (virtual time, injected faults). Nothing else in a
// node may touch time, threads, disk, network or chance.
//
// A node must not assume that it is alone in its process: no mutable globals.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include "base/rng.h"
#include "base/status.h"
#include "runtime/chaos.h"
#include "runtime/clock.h"
#include "runtime/disk.h"
#include "runtime/network.h"
#include "runtime/scheduler.h"
#include "runtime/sync.h"

namespace drumlin {

class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual Scheduler& scheduler() = 0;
  virtual Domain& domain() = 0;
  virtual Clock& clock() = 0;
  virtual Network& network() = 0;
  virtual Disk& disk() = 0;

  // Seeded chance for protocol decisions (timeouts, jitter). Take streams of it by name.
  virtual const Rng& random() = 0;
  // For keys, nonces and tokens. From the operating system; seeded in simulation.
  virtual void secure_random(std::span<char> into) = 0;

  // Runs `job` off the reactor and suspends the calling fiber until it has ended. For work that
  // blocks (BlockingDisk) or takes more than ~50 us of CPU: a hop costs 10-15 us. The job owns its
  // inputs and outputs and touches no reactor state; it must not throw. In simulation it takes
  // effect at a drawn point while other fibers run, and the node may crash before, inside or after.
  virtual void offload(std::function<void()> job) = 0;

  // Ends this node: broken invariant, failed sync, disk that lies. In production the process exits
  // with the reason on standard error; in simulation only this node stops.
  [[noreturn]] virtual void halt(std::string_view reason) = 0;

  // Changes with each boot of the machine, not with a restart of the process (Linux boot_id).
  virtual std::string boot_id() = 0;

  // -- Simulation only (runtime/chaos.h): all of these do nothing in production, and none yields but
  // buggify_delay().

  // True if the rare thing that this point offers should happen now.
  bool buggify(std::string_view point) { return chaos_ != nullptr && chaos_->strikes(point); }
  // `normal`, or something in [low, high] if the point strikes.
  template <typename T>
  T buggify(std::string_view point, T normal, T low, T high) {
    if (!buggify(point)) return normal;
    return static_cast<T>(
        chaos_->draw(point, static_cast<uint64_t>(low), static_cast<uint64_t>(high)));
  }
  Duration buggify(std::string_view point, Duration normal, Duration low, Duration high) {
    return Duration(buggify(point, normal.count(), low.count(), high.count()));
  }
  // Suspends the calling fiber for up to `most` if the point strikes.
  void buggify_delay(std::string_view point, Duration most) {
    const Duration d = buggify(point, Duration(0), Duration(1), most);
    if (d > Duration(0)) (void)sleep_for(d);
  }
  // This rare branch was taken.
  void probe(std::string_view name) { drumlin::probe(chaos_, name); }
  // For what has no Runtime, but an owner who has; null in production.
  ProbeSink* probes() const { return chaos_; }

  void spawn(std::string_view name, std::function<void()> body) {
    scheduler().spawn(domain(), name, std::move(body));
  }
  // Suspends the calling fiber. Returns early, kCancelled, if cancelled.
  Status sleep_until(Instant at, Cancellation* cancellation = nullptr) {
    WaitQueue nobody(scheduler(), clock());
    const Wake wake = nobody.wait(at, cancellation);
    return wake == Wake::kCancelled ? wake_status(wake) : Status();
  }
  Status sleep_for(Duration d, Cancellation* cancellation = nullptr) {
    return sleep_until(after(clock(), d), cancellation);
  }

 protected:
  Chaos* chaos_ = nullptr;
};

}  // namespace drumlin
