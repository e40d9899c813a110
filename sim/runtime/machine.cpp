#include "sim/runtime/machine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sim/runtime/process.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {

Machine::Machine(World& world, NodeId id, Host& host, const DiskModel& disk)
    : world_(world),
      id_(id),
      host_(host),
      disk_(disk, world.stream("disk/" + id.to_string()), world.counters()),
      trace_(world.trace(), world.now_ref(), host.tag) {}

Machine::~Machine() = default;

void Machine::boot(std::function<void(Runtime&)> main) {
  DRUMLIN_CHECK(!running(), host_.name, " runs already");
  if (!host_.up) {
    host_.up = true;
    ++power_cycles_;
    world_.network().host_up(host_);
  }
  host_.paused_until = {};
  errors_at_boot_ = disk_.errors();
  ++boots_;
  halt_reason_.clear();
  world_.event(&host_, "boot", boots_, power_cycles_);
  process_ = std::make_unique<Process>(world_, host_, this,
                                       "node " + id_.to_string() + "/" + std::to_string(boots_));
  process_->start(std::move(main));
}

Runtime& Machine::runtime() {
  DRUMLIN_CHECK(running(), host_.name, " does not run");
  return *process_;
}

void Machine::kill() {
  if (!running()) return;
  world_.counters().both("crash");
  world_.event(&host_, "kill");
  process_->die(Exit::kKilled);
}

void Machine::power_off() {
  if (!host_.up) return;
  world_.event(&host_, "power_off", disk_.unsynced_changes());
  world_.counters().injected("power");
  if (disk_.unsynced_changes() > 0) world_.counters().effective("power");
  host_.up = false;
  world_.network().host_down(host_);
  disk_.power_cut();
  if (running()) process_->die(Exit::kPowerOff);
}

void Machine::crash_at_io(uint64_t k, bool power) {
  crash_in_ = k;
  crash_power_ = power;
}

void Machine::pause(Duration d) {
  if (!running()) return;
  world_.counters().injected("pause");
  world_.event(&host_, "pause", static_cast<uint64_t>(d.count()));
  host_.paused_until = std::max(host_.paused_until, world_.now() + d);
  host_.pause_fault_until = host_.paused_until;
  host_.pause_felt = false;
}

void Machine::set_clock(Duration offset, int32_t drift_ppm) {
  host_.wall_offset = offset;
  host_.drift_ppm = drift_ppm;
  host_.drift_from = world_.now();
  ++clock_changes_;
  world_.event(&host_, "clock", static_cast<uint64_t>(offset.count()),
               static_cast<uint64_t>(drift_ppm));
  if (offset == Duration(0) && drift_ppm == 0) return;
  world_.counters().injected("clock");
  host_.clock_felt = false;
}

Duration Machine::wall_error() const {
  return host_.wall_error(world_.now());
}

void Machine::set_event_cost(Duration cost) {
  host_.event_cost = cost;
  host_.cost_felt = cost == Duration(0);
  world_.event(&host_, "event_cost", static_cast<uint64_t>(cost.count()));
  if (cost > Duration(0)) world_.counters().injected("slow_cpu");
}

void Machine::refuse_until(Instant until) {
  host_.refuses_until = until;
  if (until > world_.now()) world_.counters().injected("refused_connect");
}

void Machine::io_completed() {
  ++ios_;
  if (crash_in_ == 0 || --crash_in_ > 0) return;
  crash_power_ ? power_off() : kill();
}

std::unique_ptr<Process> Machine::release() {
  return std::move(process_);
}

void Machine::buried(Exit how) {
  if (!on_exit_) return;
  const auto callback = on_exit_;  // it may replace itself
  callback(how);
}

}  // namespace drumlin::sim
