#include "sim/run/faults.h"

namespace drumlin::sim {
namespace {

std::chrono::milliseconds ms(uint32_t n) {
  return std::chrono::milliseconds(n);
}

}  // namespace

void FaultDriver::schedule() {
  for (const Fault& fault : plan_.faults) {
    world_.at(world_.now() + ms(fault.at_ms), [this, &fault] {
      if (!healed_) strike(fault);
    });
  }
}

SimNetwork::Hosts FaultDriver::members(uint32_t bits, bool in) const {
  SimNetwork::Hosts out;
  for (uint32_t n = 1; n <= cluster_.nodes(); ++n) {
    if (((bits >> (n - 1)) & 1) == (in ? 1u : 0u)) out.push_back(cluster_.machine(n).ip());
  }
  return out;
}

void FaultDriver::crash(uint32_t node, uint32_t ios, bool power) {
  if (!cluster_.running(node)) return;
  cluster_.machine(node).crash_at_io(std::max(1u, ios), power);
  armed_[node] = {true, power};
}

// If the node has lived through its fault so far (too little I/O), it dies now: a planned restart always
// follows a death.
void FaultDriver::restart(uint32_t node) {
  Machine& machine = cluster_.machine(node);
  const Armed armed = std::exchange(armed_[node], {});
  if (machine.running() && armed.is) {
    machine.crash_at_io(0, false);
    armed.power ? machine.power_off() : machine.kill();
    world_.at(world_.now() + ms(50), [this, node] { cluster_.boot(node); });
    return;
  }
  cluster_.boot(node);
}

void FaultDriver::strike(const Fault& fault) {
  const auto valid = [&](uint32_t node) { return node >= 1 && node <= cluster_.nodes(); };
  switch (fault.kind) {
    case FaultKind::kCrash:
    case FaultKind::kPower:
      if (valid(fault.a)) crash(fault.a, fault.b, fault.kind == FaultKind::kPower);
      break;
    case FaultKind::kPowerAll:
      for (uint32_t n = 1; n <= cluster_.nodes(); ++n)
        cluster_.machine(n).power_off();
      break;
    case FaultKind::kRestart:
      if (valid(fault.a)) restart(fault.a);
      break;
    case FaultKind::kPartition:
      world_.network().partition(members(fault.a, true), members(fault.a, false));
      break;
    case FaultKind::kOneWay:
      world_.network().block(members(fault.a, true), members(fault.a, false));
      break;
    case FaultKind::kHeal:
      world_.network().heal();
      break;
    case FaultKind::kCut:
      if (valid(fault.a) && valid(fault.b)) {
        world_.network().cut({cluster_.machine(fault.a).ip()}, {cluster_.machine(fault.b).ip()});
      }
      break;
    case FaultKind::kLatency: {
      LinkModel slow = world_.options().network.link;
      slow.latency_min += ms(fault.a);
      slow.latency_max += ms(fault.a);
      world_.network().set_all_links(slow);
      world_.counters().both("latency");
      ++slow_;
      world_.at(world_.now() + ms(fault.b), [this] {
        if (--slow_ == 0) world_.network().set_all_links(world_.options().network.link);
      });
      break;
    }
  }
}

void FaultDriver::heal() {
  healed_ = true;
  world_.network().heal();
  world_.network().set_all_links(world_.options().network.link);
  cluster_.boot_all();
}

}  // namespace drumlin::sim
