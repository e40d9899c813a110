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
  bool up = false;                 // has power; answers a packet, if only with a reset
  Instant paused_until{};          // the process gets no events before
  Duration wall_offset{};          // wall clock = epoch + virtual time + this
};

// Everything that happens at an instant. Intrusive: part of whoever waits (a fiber's stack, a
// connection), so it allocates nothing and vanishes with its owner.
class Event : public Timer {
 public:
  explicit Event(Host* host) : host_(host) {}
  Host* host() const { return host_; }  // null: the world's own
  virtual bool owned_by_heap() const { return false; }

 private:
  Host* host_;
};

}  // namespace drumlin::sim
