// SimChaos: the Chaos of one process (runtime/chaos.h). Which points are active, and how often they
// strike, is drawn per run from the point's name; when they do, per process.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "runtime/chaos.h"
#include "sim/runtime/faults.h"

namespace drumlin::sim {

class World;

// What all processes of a world share.
class ChaosTable {
 public:
  explicit ChaosTable(uint64_t seed) : root_(Rng(seed).stream("buggify")) {}

  // From now on so many percent of all points are active; 0, as it begins: none strikes.
  void set_percent(uint32_t percent) { percent_ = percent; }
  // Per 1024 calls; 0: never.
  uint32_t odds(std::string_view point);

  void reached(std::string_view probe, uint64_t n = 1);
  const std::map<std::string, uint64_t, std::less<>>& probes() const { return probes_; }

 private:
  struct Point {
    uint32_t roll = 0;  // active if below the percentage
    uint32_t odds = 0;
  };
  Rng root_;
  uint32_t percent_ = 0;
  std::map<std::string, Point, std::less<>> points_;
  std::map<std::string, uint64_t, std::less<>> probes_;
};

class SimChaos final : public Chaos {
 public:
  SimChaos(World& world, const std::string& process);
  bool strikes(std::string_view point) override;
  uint64_t draw(std::string_view point, uint64_t low, uint64_t high) override;
  void probe(std::string_view name) override;

 private:
  Rng& rng(std::string_view point);
  World& world_;
  Rng root_;
  std::map<std::string, Rng, std::less<>> rngs_;
};

}  // namespace drumlin::sim
