// Machine: one simulated computer: power, a disk, an address, and at most one process at a time.
//
// Any of kill(), power_off(), boot() may be called from anywhere on the reactor (event handlers,
// on_exit, outside the loop). A death takes effect at once as far as the process can tell: its
// fibers run no more, running() is false, boot() may follow; they are unwound by the world's loop
// right after the current event or fiber.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/strong_id.h"
#include "base/time.h"
#include "runtime/runtime.h"
#include "sim/runtime/disk.h"
#include "sim/runtime/event.h"
#include "sim/runtime/trace.h"

namespace drumlin::sim {

class Process;
class World;

enum class Exit : uint8_t {
  kReturned,  // main returned
  kHalted,    // Runtime::halt
  kKilled,    // page cache survives, peers get resets
  kPowerOff,  // only the platter survives, peers hear nothing
};

class Machine {
 public:
  Machine(World& world, NodeId id, Host& host, const DiskModel& disk);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  NodeId id() const { return id_; }
  const std::string& ip() const { return host_.ip; }  // "10.0.0.<id>"
  SimDisk& disk() { return disk_; }
  const SimDisk& disk() const { return disk_; }
  // For observe::Observer.
  observe::TraceSink& trace_sink() { return trace_; }

  // Starts a process whose first fiber runs `main`; switches the power on if it is off. When main
  // returns, the process ends with all its fibers. REQUIRES: !running().
  void boot(std::function<void(Runtime&)> main);
  bool running() const { return process_ != nullptr; }
  bool powered() const { return host_.up; }
  uint64_t boots() const { return boots_; }
  uint64_t power_cycles() const { return power_cycles_; }
  Runtime& runtime();  // REQUIRES: running(). For spawning more fibers into it.

  void kill();       // no effect unless running
  void power_off();  // also with no process; no effect if already off
  // Dies exactly when the k-th disk call from now (k >= 1) has taken effect, before its caller
  // hears of it. Stays armed over restarts; k = 0 disarms.
  void crash_at_io(uint64_t k, bool power);
  uint64_t ios() const { return ios_; }  // disk calls that took effect since the world began
  // The process gets no timer, no byte, no completion until `d` from now. Its kernel still answers.
  void pause(Duration d);
  // From now on the wall clock is off by so much, and gains `drift_ppm` (loses, if negative). Monotonic time
  // is not touched. A fault if it is not both zero.
  void set_clock(Duration offset, int32_t drift_ppm);
  Duration wall_error() const;
  uint64_t clock_changes() const { return clock_changes_; }
  int32_t drift_ppm() const { return host_.drift_ppm; }
  // Each event of the process takes so much of its time from now on; 0: normal.
  void set_event_cost(Duration cost);
  // Nobody can connect until then.
  void refuse_until(Instant until);
  // This life of the process has met a failed disk call.
  bool felt_disk_error() const { return disk_.errors() > errors_at_boot_; }

  const std::string& halt_reason() const {
    return halt_reason_;
  }  // of the last process; "" if none
  // After the process is gone, however it ended. May boot() again, unless somebody has.
  void on_exit(std::function<void(Exit)> callback) { on_exit_ = std::move(callback); }

  // -- For the runtime.
  void io_completed();
  void halted(std::string_view reason) { halt_reason_ = reason; }
  std::unique_ptr<Process> release();  // the process has died: it is the world's to bury
  bool owns(const Process& process) const { return process_.get() == &process; }
  void buried(Exit how);

 private:
  World& world_;
  NodeId id_;
  Host& host_;
  SimDisk disk_;
  MachineTrace trace_;
  std::unique_ptr<Process> process_;
  std::function<void(Exit)> on_exit_;
  std::string halt_reason_;
  uint64_t boots_ = 0;
  uint64_t power_cycles_ = 0;
  uint64_t ios_ = 0;
  uint64_t crash_in_ = 0;
  bool crash_power_ = false;
  uint64_t errors_at_boot_ = 0;
  uint64_t clock_changes_ = 0;
};

}  // namespace drumlin::sim
