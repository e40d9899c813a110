#include "sim/runtime/chaos.h"

#include "sim/runtime/world.h"

namespace drumlin::sim {

uint32_t ChaosTable::odds(std::string_view point) {
  if (percent_ == 0) return 0;
  auto it = points_.find(point);
  if (it == points_.end()) {
    Rng rng = root_.stream(point);
    Point drawn;
    drawn.roll = static_cast<uint32_t>(rng.below(100));
    // Some points strike at every tenth call, some once in a run.
    drawn.odds = static_cast<uint32_t>(rng.log_uniform(2, 128));
    it = points_.emplace(std::string(point), drawn).first;
  }
  return it->second.roll < percent_ ? it->second.odds : 0;
}

void ChaosTable::reached(std::string_view probe, uint64_t n) {
  const auto it = probes_.find(probe);
  (it != probes_.end() ? it->second : probes_[std::string(probe)]) += n;
}

SimChaos::SimChaos(World& world, const std::string& process)
    : world_(world), root_(world.stream("buggify/" + process)) {}

Rng& SimChaos::rng(std::string_view point) {
  auto it = rngs_.find(point);
  if (it == rngs_.end()) it = rngs_.emplace(std::string(point), root_.stream(point)).first;
  return it->second;
}

bool SimChaos::strikes(std::string_view point) {
  const uint32_t odds = world_.chaos().odds(point);
  if (odds == 0 || !rng(point).chance(odds, 1024)) return false;
  world_.counters().both("buggify");
  world_.chaos().reached(std::string("buggify.") + std::string(point));
  world_.event(nullptr, "buggify", 0, 0, point);
  return true;
}

uint64_t SimChaos::draw(std::string_view point, uint64_t low, uint64_t high) {
  return rng(point).between(low, high);
}

void SimChaos::probe(std::string_view name) {
  world_.chaos().reached(name);
}

}  // namespace drumlin::sim
