// Reactor: the loop of the one thread on which fibers run. A turn waits for events (epoll), reads
// the clocks, tells the watches, fires the timers that are due and lets fibers run. Nothing here is
// thread-safe; other threads reach it through an eventfd of theirs (pool.h, signals.h).
#pragma once

#include <cstdint>

#include "base/status.h"
#include "host/fd.h"
#include "runtime/clock.h"
#include "runtime/scheduler.h"

namespace drumlin::host {

// Whoever wants to hear about a descriptor.
class Watch {
 public:
  // On the reactor's own stack, with epoll's event bits. May only wake fibers: no call of it may
  // unwatch or destroy a watch, since later events of the same turn may be about that one.
  virtual void ready(uint32_t events) = 0;

 protected:
  ~Watch() = default;
};

// The Clock of the runtime too: both times are read once a turn.
class Reactor final : public Clock {
 public:
  Reactor();
  ~Reactor() override = default;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Before anything else. kExhausted when out of descriptors.
  Status open();

  Scheduler& scheduler() { return scheduler_; }
  Instant now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void arm(Timer& timer, Instant at) override;

  // Edge-triggered: `watch` hears of an event once, and must use the descriptor until it would
  // block before it waits again. Not more than one watch a descriptor; unwatch before closing it.
  Status watch(int fd, uint32_t events, Watch& watch);
  void unwatch(int fd);

  // One turn. Waits only if no fiber is ready and no timer due.
  void turn();

 private:
  int patience_ms() const;
  void poll();
  void read_clocks();
  void fire_due();

  Fd epoll_;
  TimerHeap timers_;
  Scheduler scheduler_;
  Instant now_{};
  WallTime wall_{};
};

}  // namespace drumlin::host
