// Event and Host: what the world's heap holds, and whom it happens to.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "runtime/timer.h"

namespace drumlin::sim {

// A machine or client as the world knows it: its address and whether it has power. Hosts live as
// long as the world, processes come and go on them.
struct Host {
  uint32_t index = 0;  // dense, in order of creation: row and column of the link tables
  uint32_t tag = 0;    // in the trace: NodeId's value, or 1000 + n for clients
  std::string ip;
  std::string name;
  bool up = false;  // has power; answers a packet, if only with a reset
  // Wall clock = epoch + virtual time + wall_offset + drift since `drift_from`.
  Duration wall_offset{};
  int32_t drift_ppm = 0;
  Instant drift_from{};
  bool clock_felt = true;  // read, since it was last set
  // Every event costs so much of its one processor: the next comes no sooner.
  Duration event_cost{};
  bool cost_felt = true;
  Instant refuses_until{};  // whoever connects is refused
  // The process gets no events before. Either a fault (Machine::pause) or the process itself, busy
  // in a blocking call.
  Instant paused_until{};
  Instant pause_fault_until{};
  bool pause_felt = true;  // by some event, since the last fault

  Duration wall_error(Instant now) const {
    return wall_offset + Duration((now - drift_from).count() / 1'000'000 * drift_ppm);
  }
};

// Everything that happens at an instant. Intrusive: part of whoever waits (a fiber's stack, a
// connection), so it allocates nothing and vanishes with its owner. One that fires may find the
// process of its host dead, but not gone.
class Event : public Timer {
 public:
  explicit Event(Host* host) : host_(host) {}
  // Whose process it concerns: waits while that is paused. Null: the world's own, or a kernel's.
  Host* host() const { return host_; }
  virtual bool owned_by_heap() const { return false; }

 private:
  Host* host_;
};

}  // namespace drumlin::sim
