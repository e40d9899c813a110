// FaultCounters: what was done to the system (injected) and what it felt (effective), per family.
// A fault without effect has tested nothing: a partition that no byte met, a power cut that found
// everything synced. Both numbers are in every run's summary.
//
// Families counted by the runtime: crash, power, halt, pause, slow_cpu, clock, partition, latency_spike,
// connection_loss, half_open, refused_connect, clog, partial_io, corrupt_packet, lost_write, torn_write,
// dir_loss, slow_disk, stalled_disk, disk_error, full_disk, short_write, buggify. Others by who makes the fault.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace drumlin::sim {

struct FaultCount {
  uint64_t injected = 0;
  uint64_t effective = 0;
};

class FaultCounters {
 public:
  void injected(std::string_view family, uint64_t n = 1) { of(family).injected += n; }
  void effective(std::string_view family, uint64_t n = 1) { of(family).effective += n; }
  // Injected, and felt at once.
  void both(std::string_view family) {
    FaultCount& count = of(family);
    ++count.injected;
    ++count.effective;
  }
  FaultCount get(std::string_view family) const {
    const auto it = counts_.find(family);
    return it == counts_.end() ? FaultCount{} : it->second;
  }
  const std::map<std::string, FaultCount, std::less<>>& all() const { return counts_; }

 private:
  FaultCount& of(std::string_view family) {
    const auto it = counts_.find(family);
    return it != counts_.end() ? it->second : counts_[std::string(family)];
  }
  std::map<std::string, FaultCount, std::less<>> counts_;
};

}  // namespace drumlin::sim
