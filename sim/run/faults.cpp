#include "sim/run/faults.h"

namespace drumlin::sim {
namespace {

std::chrono::milliseconds ms(uint32_t n) {
  return std::chrono::milliseconds(n);
}

}  // namespace

FaultDriver::FaultDriver(World& world, const Plan& plan, Cluster& cluster)
    : world_(world),
      plan_(plan),
      cluster_(cluster),
      weather_(world, plan, cluster),
      back_(world.stream("power is back")),
      supervisor_(world.stream("supervisor")) {
  cluster_.on_exit([this](uint32_t node, Exit how) { exited(node, how); });
}

void FaultDriver::schedule() {
  world_.chaos().set_percent(plan_.buggify);
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
  const auto calls = static_cast<uint64_t>(std::max<int64_t>(1, fault.b));
  cluster_.machine(fault.a).crash_at_io(calls, fault.kind != FaultKind::kCrash);
  armed_[fault.a] = fault.kind;
}

// Whatever starts the daemon (systemd, say) starts it again when it has ended itself. A damaged disk is for
// a person to look at, after some attempts.
void FaultDriver::exited(uint32_t node, Exit how) {
  if (how == Exit::kPowerOff) power_lost(node);
  if (how != Exit::kHalted && how != Exit::kReturned) return;
  const auto pause = std::chrono::milliseconds(supervisor_.log_uniform(100, 3000));
  if (++refused_[node] > 100) return;
  world_.at(world_.now() + pause, [this, node] {
    if (!Cluster::holds(outside_, node) && cluster_.machine(node).powered()) cluster_.boot(node);
  });
}

void FaultDriver::power_lost(uint32_t node) {
  const auto armed = armed_.find(node);
  if (armed == armed_.end() || armed->second != FaultKind::kPowerAll) return;
  armed_.clear();
  world_.counters().injected("power_all");
  bool felt = false;
  for (uint32_t n = 1; n <= cluster_.nodes(); ++n) {
    cluster_.machine(n).crash_at_io(0, false);
    felt = felt || cluster_.machine(n).disk().unsynced_changes() > 0;
    cluster_.machine(n).power_off();
    boot_in(static_cast<uint32_t>(back_.log_uniform(20, 2500)), n);
  }
  if (felt) world_.counters().effective("power_all");
}

// If the node has lived through its fault so far (too little I/O), it dies now: a planned restart always
// follows a death.
void FaultDriver::restart(uint32_t node) {
  Machine& machine = cluster_.machine(node);
  const auto armed = armed_.find(node);
  if (machine.running() && armed != armed_.end()) {
    const FaultKind kind = armed->second;
    machine.crash_at_io(0, false);
    kind == FaultKind::kCrash ? machine.kill() : machine.power_off();
    if (kind == FaultKind::kPowerAll) {
      power_lost(node);
    } else {
      boot_in(50, node);
    }
    armed_.erase(node);
    return;
  }
  armed_.erase(node);
  cluster_.boot(node);
}

void FaultDriver::strike(const Fault& fault) {
  const auto valid = [&](int64_t node) { return node >= 1 && node <= cluster_.nodes(); };
  if (weather_.strike(fault)) return;
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
      world_.counters().injected("one_way");
      felt_before_ = world_.counters().get("partition").effective;
      one_way_ = true;
      world_.network().block(members(fault.a, true), members(fault.a, false));
      break;
    case FaultKind::kHeal:
      end_partitions();
      break;
    case FaultKind::kCut:
      if (valid(fault.a) && valid(fault.b)) {
        world_.network().cut({cluster_.machine(fault.a).ip()},
                             {cluster_.machine(static_cast<uint32_t>(fault.b)).ip()});
      }
      break;
    default:
      break;
  }
}

void FaultDriver::boot_in(uint32_t delay_ms, uint32_t node) {
  world_.at(world_.now() + ms(delay_ms), [this, node] {
    if (!healed_) cluster_.boot(node);
  });
}

void FaultDriver::end_partitions() {
  world_.network().heal();
  if (std::exchange(one_way_, false) &&
      world_.counters().get("partition").effective > felt_before_) {
    world_.counters().effective("one_way");
  }
}

void FaultDriver::heal(Cluster::Nodes core) {
  healed_ = true;
  end_partitions();
  weather_.clear();
  world_.chaos().set_percent(0);
  outside_ = cluster_.everybody() & ~core;
  Rng fate = world_.stream("outside");
  SimNetwork::Hosts cut_off;
  SimNetwork::Hosts others = weather_.clients();
  for (uint32_t n = 1; n <= cluster_.nodes(); ++n) {
    if (!Cluster::holds(outside_, n)) {
      others.push_back(cluster_.machine(n).ip());
    } else if (fate.chance(1, 2)) {
      cut_off.push_back(cluster_.machine(n).ip());
    } else {
      cut_power(1u << (n - 1));
    }
  }
  if (!cut_off.empty()) world_.network().partition(cut_off, others);
  cluster_.boot_all(core);
}

void FaultDriver::bring_back() {
  outside_ = 0;
  world_.network().heal();
  cluster_.boot_all(cluster_.everybody());
}

void FaultDriver::cut_power(Cluster::Nodes set) {
  for (uint32_t n = 1; n <= cluster_.nodes(); ++n) {
    if (!Cluster::holds(set, n)) continue;
    cluster_.machine(n).crash_at_io(0, false);
    cluster_.machine(n).power_off();
  }
}

}  // namespace drumlin::sim
