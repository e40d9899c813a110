// World: virtual time, one event heap, one scheduler, every machine and client of a run. One
// thread, no real clock: the same seed and calls give the same run, event for event (Trace::hash).
//
// The loop: take the earliest event by (time, order of arming); let it happen; run fibers until
// none is ready; bury processes that died. Time jumps from event to event and starts at 1 s.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/strong_id.h"
#include "base/time.h"
#include "runtime/runtime.h"
#include "runtime/scheduler.h"
#include "runtime/timer.h"
#include "sim/runtime/chaos.h"
#include "sim/runtime/event.h"
#include "sim/runtime/faults.h"
#include "sim/runtime/machine.h"
#include "sim/runtime/network.h"
#include "sim/runtime/trace.h"

namespace drumlin::sim {

class World {
 public:
  struct Options {
    DiskModel disk;
    NetworkModel network;
    Trace::Options trace;
    Scheduler::Options fibers;
    Duration offload_min = 5us, offload_max = 50us;       // either side of a job
    WallTime epoch{std::chrono::seconds(1'790'000'000)};  // wall time at virtual time 0
  };

  explicit World(uint64_t seed) : World(seed, Options{}) {}
  World(uint64_t seed, Options options);
  // Kills every process (peers and disks are not told).
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Scheduler& scheduler() { return scheduler_; }
  Instant now() const { return now_; }
  // An independent generator; a draw from one shifts nothing in another.
  Rng stream(std::string_view name) const { return Rng(seed_).stream(name); }
  uint64_t seed() const { return seed_; }
  const Options& options() const { return options_; }
  Trace& trace() { return trace_; }
  FaultCounters& counters() { return counters_; }
  SimNetwork& network() { return network_; }
  ChaosTable& chaos() { return chaos_; }

  // The client's wall clock is off by so much.
  void set_client_clock(Runtime& client, Duration offset);
  // `id` 1 to 254, each once.
  Machine& add_machine(NodeId id);
  Machine& machine(NodeId id);
  const std::map<NodeId, std::unique_ptr<Machine>>& machines() const { return machines_; }
  // A process of its own without a disk, at "10.0.1.<n>", alive as long as the world.
  Runtime& client_runtime(std::string name);

  // One-shot, on the reactor: may not suspend, may do anything else (kill, boot, partition).
  void at(Instant when, std::function<void()> action);

  // Everything up to and including `until`, which becomes now().
  void run_until(Instant until);
  // Until `done`, asked after each event; false if the limit or the end of all events came first.
  bool run_until(const std::function<bool()>& done, Instant limit);
  void run_for(Duration d) { run_until(now_ + d); }

  uint64_t events() const { return events_; }

  // -- For the runtime.
  void arm(Event& event, Instant when) { heap_.arm(event, when < now_ ? now_ : when); }
  const Instant& now_ref() const { return now_; }
  // The host's process gets no events now.
  bool paused(Host& host);
  // The process runs no more; bury it as soon as the reactor's stack allows.
  void doom(Process& process);
  void event(const Host* host, std::string_view kind, uint64_t a = 0, uint64_t b = 0,
             std::string_view text = {}, uint64_t content = 0) {
    trace_.event(now_, host == nullptr ? 0 : host->tag, kind, a, b, text, content);
  }

 private:
  void step();
  void spend(Host& host);
  void settle();
  void bury();

  const uint64_t seed_;
  const Options options_;
  Scheduler scheduler_;
  Instant now_{std::chrono::seconds(1)};
  TimerHeap heap_;
  Trace trace_;
  FaultCounters counters_;
  ChaosTable chaos_;
  SimNetwork network_;
  std::map<NodeId, std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<Process>> clients_;
  std::vector<std::unique_ptr<Process>> doomed_;  // dead, with their fibers still to unwind
  uint64_t events_ = 0;
  bool running_ = false;
};

}  // namespace drumlin::sim
