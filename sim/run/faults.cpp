#include "sim/run/faults.h"

namespace drumlin::sim {
namespace {

std::chrono::milliseconds ms(uint32_t n) {
  return std::chrono::milliseconds(n);
}

}  // namespace

FaultDriver::FaultDriver(World& world, const Plan& plan, Cluster& cluster)
    : world_(world), plan_(plan), cluster_(cluster) {
  cluster_.on_power_off([this](uint32_t node) { power_lost(node); });
}

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

// The death comes at the completion of the node's b-th disk call from now.
void FaultDriver::arm(const Fault& fault) {
  if (fault.a < 1 || fault.a > cluster_.nodes() || !cluster_.running(fault.a)) return;
  cluster_.machine(fault.a).crash_at_io(std::max(1u, fault.b), fault.kind != FaultKind::kCrash);
  armed_[fault.a] = fault.kind;
}

void FaultDriver::power_lost(uint32_t node) {
  const auto armed = armed_.find(node);
  if (armed == armed_.end() || armed->second != FaultKind::kPowerAll) return;
  armed_.clear();
  for (uint32_t n = 1; n <= cluster_.nodes(); ++n) {
    cluster_.machine(n).crash_at_io(0, false);
    cluster_.machine(n).power_off();
  }
}

// If the node has lived through its fault so far (too little I/O), it dies now: a planned restart always
// follows a death.
void FaultDriver::restart(uint32_t node) {
  Machine& machine = cluster_.machine(node);
  const auto armed = armed_.find(node);
  if (machine.running() && armed != armed_.end()) {
    const bool power = armed->second != FaultKind::kCrash;
    machine.crash_at_io(0, false);
    power ? machine.power_off() : machine.kill();
    if (power) power_lost(node);
    armed_.erase(node);
    world_.at(world_.now() + ms(50), [this, node] { cluster_.boot(node); });
    return;
  }
  armed_.erase(node);
  cluster_.boot(node);
}

void FaultDriver::strike(const Fault& fault) {
  const auto valid = [&](uint32_t node) { return node >= 1 && node <= cluster_.nodes(); };
  switch (fault.kind) {
    case FaultKind::kCrash:
    case FaultKind::kPower:
    case FaultKind::kPowerAll:
      arm(fault);
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
