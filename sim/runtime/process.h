// Process: one life of a node on a machine (or a client): the Runtime that its code sees.
//
// Death has two steps. die(): from then on no call has an effect, whoever still runs on its behalf
// (the fiber or handler in which it died goes on to its next suspension). Burial, by the world's
// loop: the fibers are unwound, then the process is destroyed. Its events die with their owners.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "runtime/runtime.h"
#include "sim/runtime/chaos.h"
#include "sim/runtime/event.h"
#include "sim/runtime/machine.h"
#include "sim/runtime/net_stack.h"

namespace drumlin::sim {

class DiskFaces;
class World;

// Process timers live in a heap of their own; the world knows the earliest.
class SimClock final : public Clock {
 public:
  SimClock(World& world, Host& host);
  Instant now() const override;
  WallTime wall() const override;
  void arm(Timer& timer, Instant at) override;

 private:
  struct Alarm final : Event {
    Alarm(Host* host, SimClock& clock) : Event(host), owner(clock) {}
    void fire() override { owner.ring(); }
    SimClock& owner;
  };
  void ring();
  void expect(Instant at);

  World& world_;
  Host& host_;
  TimerHeap timers_;
  Alarm alarm_;
};

class Process final : public Runtime {
 public:
  // `name` names its random streams: no other process of the world may have the same. `machine` is
  // null for a client, which has no disk.
  Process(World& world, Host& host, Machine* machine, const std::string& name);
  ~Process() override;

  Scheduler& scheduler() override;
  Domain& domain() override { return domain_; }
  Clock& clock() override { return clock_; }
  Network& network() override { return network_; }
  Disk& disk() override;
  const Rng& random() override { return random_; }
  void secure_random(std::span<char> into) override;
  void offload(std::function<void()> job) override;
  [[noreturn]] void halt(std::string_view reason) override;
  std::string boot_id() override;

  // -- For the simulator.
  World& world() const { return world_; }
  Host& host() const { return host_; }
  Machine* machine() const { return machine_; }
  // The end of `main` ends the process.
  void start(std::function<void(Runtime&)> main);
  void die(Exit how);  // no effect on the dead
  bool dead() const { return dead_; }
  Exit how() const { return how_; }
  // First thing in every call that may yield: throws FiberKilled if the process is dead.
  void require_alive() const;
  // A blocking call took `d`: charged to the offload job that runs, else to the whole process.
  void charge(Duration d);
  // When the work that charge() has been told of so far is done; now, if there is none.
  Instant busy_until() const;

 private:
  class Job;

  World& world_;
  Host& host_;
  Machine* machine_;
  const std::string name_;
  Domain domain_;
  SimClock clock_;
  NetStack network_;
  std::unique_ptr<DiskFaces> disk_;
  Rng random_;
  Rng secret_;
  Rng offload_;
  SimChaos points_;
  Duration* job_time_ = nullptr;  // of the job that runs now
  bool dead_ = false;
  Exit how_ = Exit::kKilled;
};

}  // namespace drumlin::sim
