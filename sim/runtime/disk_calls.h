// DiskFaces: the two faces of a machine's disk, as a process sees them (runtime/disk.h).
//
// A call has its effect at the end of its latency, in the kernel: also while the process is paused.
// A process that dies before loses the call as if it had never been made; Machine::crash_at_io lets
// it die right after. A blocking call has its effect at once and its time charged
// (Process::charge); those of a dead process fail and change nothing.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "runtime/disk.h"
#include "sim/runtime/disk.h"

namespace drumlin::sim {

class Process;

class DiskFaces {
 public:
  explicit DiskFaces(Process& process);
  ~DiskFaces();
  Disk& disk();

 private:
  std::unique_ptr<Disk> disk_;
};

}  // namespace drumlin::sim
