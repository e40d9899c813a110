#include "sim/runtime/parked.h"

#include "sim/runtime/world.h"

namespace drumlin::sim {

Parked::Parked(World& world, Host& host)
    : Event(&host), world_(world), fiber_(world.scheduler().current()) {}

bool Parked::wait(Instant deadline) {
  if (deadline != kNever && deadline <= world_.now()) return false;
  if (deadline != kNever) world_.arm(*this, deadline);
  world_.scheduler().suspend();
  return woken_;
}

void Parked::wake() {
  if (woken_ || resumed_) return;
  woken_ = true;
  disarm();
  if (world_.paused(*host())) {
    world_.arm(*this, host()->paused_until);
    return;
  }
  resumed_ = true;
  world_.scheduler().wake(fiber_);
}

void Parked::set_deadline(Instant deadline) {
  if (woken_ || resumed_) return;
  if (deadline == kNever) {
    disarm();
  } else {
    world_.arm(*this, deadline);
  }
}

void Parked::fire() {
  if (!woken_) world_.event(host(), "timeout");
  resumed_ = true;
  world_.scheduler().wake(fiber_);
}

}  // namespace drumlin::sim
