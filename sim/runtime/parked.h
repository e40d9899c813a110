// Parked: one wait of a fiber inside a call of the runtime, on that fiber's stack. It may be woken
// once; a wake that comes while the host is paused waits for the end of the pause.
#pragma once

#include "base/time.h"
#include "runtime/scheduler.h"
#include "sim/runtime/event.h"

namespace drumlin::sim {

class World;

class Parked final : public Event {
 public:
  // Of the running fiber, a process's on `host`.
  Parked(World& world, Host& host);

  // Suspends until wake() or the deadline; false: the deadline. May throw FiberKilled.
  bool wait(Instant deadline = kNever);
  // At most the first call counts. From the reactor or another fiber.
  void wake();

  // Of a wait under way; no effect once it is woken.
  void set_deadline(Instant deadline);

  void fire() override;

 private:
  World& world_;
  Fiber* fiber_;
  bool woken_ = false;
  bool resumed_ = false;
};

// `slot` points to a wait for as long as this lives. For those who must find the waiting fiber.
class ParkedIn {
 public:
  ParkedIn(Parked*& slot, Parked& parked) : slot_(slot) { slot_ = &parked; }
  ~ParkedIn() { slot_ = nullptr; }
  ParkedIn(const ParkedIn&) = delete;
  ParkedIn& operator=(const ParkedIn&) = delete;

 private:
  Parked*& slot_;
};

}  // namespace drumlin::sim
