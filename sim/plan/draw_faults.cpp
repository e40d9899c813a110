#include "sim/plan/draw_faults.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "placement/planner.h"

namespace drumlin::sim {
namespace {

struct Family {
  std::string_view name;
  FaultKind kind;
  uint32_t nodes;  // at least so many
  uint32_t liked;  // more often than others: many of them strike where there is nothing to feel
};
constexpr std::array<Family, 24> kFamilies = {{{"crash", FaultKind::kCrash, 1, 1},
                                               {"power", FaultKind::kPower, 1, 3},
                                               {"power_all", FaultKind::kPowerAll, 1, 4},
                                               {"pause", FaultKind::kPause, 1, 1},
                                               {"slow_cpu", FaultKind::kSlowCpu, 1, 1},
                                               {"clock", FaultKind::kClock, 1, 1},
                                               {"read_error", FaultKind::kReadError, 1, 1},
                                               {"write_error", FaultKind::kWriteError, 1, 1},
                                               {"sync_error", FaultKind::kSyncError, 1, 1},
                                               {"full", FaultKind::kFull, 1, 3},
                                               {"slow_disk", FaultKind::kSlowDisk, 1, 1},
                                               {"stall", FaultKind::kStall, 1, 2},
                                               {"rot", FaultKind::kRot, 1, 2},
                                               {"cut", FaultKind::kCut, 2, 1},
                                               {"cut_clients", FaultKind::kCutClients, 1, 1},
                                               {"half_open", FaultKind::kHalfOpen, 1, 1},
                                               {"refuse", FaultKind::kRefuse, 1, 2},
                                               {"latency", FaultKind::kLatency, 1, 1},
                                               {"reset", FaultKind::kReset, 1, 1},
                                               {"corrupt", FaultKind::kCorrupt, 2, 2},
                                               {"partial_io", FaultKind::kPartialIo, 1, 1},
                                               {"clog", FaultKind::kClog, 1, 1},
                                               {"partition", FaultKind::kPartition, 2, 1},
                                               {"one_way", FaultKind::kOneWay, 2, 1}}};

class FaultDrawer {
 public:
  FaultDrawer(Rng rng, const Scenario& scenario, Plan& plan)
      : rng_(rng), scenario_(scenario), plan_(plan) {}

  void draw() {
    choose_families();
    if (total_weight_ == 0 || scenario_.fault_every_ms == 0) return;
    uint32_t at =
        static_cast<uint32_t>(plan_.early != 0 ? rng_.between(0, 50) : rng_.between(300, 2000));
    while (at + 500 < plan_.duration_ms) {
      add(at, pick());
      at += static_cast<uint32_t>(rng_.between(1, 2 * scenario_.fault_every_ms));
    }
    std::stable_sort(plan_.faults.begin(), plan_.faults.end(),
                     [](const Fault& a, const Fault& b) { return a.at_ms < b.at_ms; });
  }

 private:
  struct Weighted {
    FaultKind kind;
    uint64_t weight;
  };

  // Every seed leaves families out and likes some of the others far more (swarm testing, Groce et al. 2012):
  // what all of them together would hide, some of them show.
  void choose_families() {
    std::vector<Weighted> kinds;
    for (const Family& family : kFamilies) {
      const bool wanted =
          ("," + scenario_.faults + ",").find("," + std::string(family.name) + ",") !=
          std::string::npos;
      if (wanted && plan_.nodes >= family.nodes) kinds.push_back({family.kind, family.liked});
    }
    if (kinds.empty()) return;
    rng_.shuffle(kinds);
    kinds.resize(rng_.between(std::min<size_t>(kinds.size(), 4), kinds.size()));
    for (const Weighted& kind : kinds) {
      families_.push_back({kind.kind, kind.weight * rng_.log_uniform(2, 16)});
      total_weight_ += families_.back().weight;
    }
  }

  FaultKind pick() {
    uint64_t roll = rng_.below(total_weight_);
    for (const Weighted& family : families_) {
      if (roll < family.weight) return family.kind;
      roll -= family.weight;
    }
    DRUMLIN_UNREACHABLE("weights");
  }

  uint32_t node() { return static_cast<uint32_t>(rng_.between(1, plan_.nodes)); }
  uint32_t other(uint32_t than) {
    const auto n = static_cast<uint32_t>(rng_.between(1, plan_.nodes - 1));
    return n < than ? n : n + 1;
  }
  uint32_t log(uint64_t low, uint64_t high) {
    return static_cast<uint32_t>(rng_.log_uniform(low, high));
  }

  void put(uint32_t at, FaultKind kind, uint32_t a = 0, int64_t b = 0, int64_t c = 0) {
    plan_.faults.push_back({std::min(at, plan_.duration_ms), kind, a, b, c});
  }

  // Nobody is served by a clock that is more than 15 minutes off, so most are off by less, and those that are
  // do not stay so.
  void add_clock(uint32_t at, uint32_t away) {
    const uint32_t victim = node();
    const bool far = rng_.chance(1, 5);
    const int64_t sign = rng_.chance(1, 2) ? 1 : -1;
    const auto offset = static_cast<int64_t>(far ? rng_.between(16 * 60'000, 7'200'000)
                                                 : rng_.log_uniform(1, 8 * 60'000));
    const auto ppm = static_cast<int64_t>(rng_.chance(1, 2) ? rng_.log_uniform(10, 50'000) : 0);
    put(at, FaultKind::kClock, victim, sign * offset, rng_.chance(1, 2) ? ppm : -ppm);
    if (far || rng_.chance(1, 2)) put(at + away, FaultKind::kClock, victim, 0, 0);
  }

  // On the nodes that the end does without; on any if nothing is owed at the end.
  void add_rot(uint32_t at) {
    std::vector<uint32_t> victims;
    for (uint32_t n = 1; n <= plan_.nodes; ++n) {
      if (plan_.budget == 0 || ((plan_.core >> (n - 1)) & 1) == 0) victims.push_back(n);
    }
    if (victims.empty()) return;
    const uint32_t victim = rng_.pick(victims);
    put(at, FaultKind::kRot, victim, static_cast<int64_t>(rng_.below(1'000'000)));
    plan_.comeback = 0;  // whom it has hit need not start again
  }

  void add_cut(uint32_t at, FaultKind kind) {
    const uint32_t a = node();
    const bool clients = kind == FaultKind::kHalfOpen && (plan_.nodes == 1 || rng_.chance(1, 3));
    put(at, kind, a, clients ? 0 : other(a));
  }

  void add(uint32_t at, FaultKind kind) {
    // Now and then longer than any timer: elections, deadlines and patience must run out, too.
    const uint32_t away =
        rng_.chance(1, 5) ? static_cast<uint32_t>(rng_.between(2500, 10000)) : log(20, 2500);
    switch (kind) {
      case FaultKind::kCrash:
      case FaultKind::kPower:
      case FaultKind::kPowerAll: {
        // The restart forces it, if it has not come by then. After power_all the others start by themselves.
        const uint32_t victim = node();
        put(at, kind, victim, log(1, 60));
        put(at + 200 + away, FaultKind::kRestart, victim);
        break;
      }
      case FaultKind::kReadError:
        put(at, kind, node(), log(1, 8));
        break;
      case FaultKind::kWriteError:
      case FaultKind::kSyncError:
        put(at, kind, node(), log(1, 60));
        break;
      case FaultKind::kFull:
        put(at, kind, node(), static_cast<int64_t>(rng_.below(64)), away);
        break;
      case FaultKind::kSlowDisk:
        put(at, kind, node(), log(2, 100), away);
        break;
      case FaultKind::kStall:
      case FaultKind::kPause:
      case FaultKind::kRefuse:
        put(at, kind, node(), away);
        break;
      case FaultKind::kSlowCpu:
        put(at, kind, node(), log(10, 3000), away);
        break;
      case FaultKind::kClock:
        add_clock(at, away);
        break;
      case FaultKind::kRot:
        add_rot(at);
        break;
      case FaultKind::kPartition:
      case FaultKind::kOneWay:
        put(at, kind, static_cast<uint32_t>(rng_.between(1, (1u << plan_.nodes) - 2)));
        put(at + away, FaultKind::kHeal);
        break;
      case FaultKind::kCut:
      case FaultKind::kHalfOpen:
        add_cut(at, kind);
        break;
      case FaultKind::kCutClients:
        put(at, kind, node());
        break;
      case FaultKind::kLatency:
        put(at, kind, log(1, 300), away);
        break;
      case FaultKind::kReset:
        put(at, kind, log(200, 50'000), away);
        break;
      case FaultKind::kCorrupt:
        put(at, kind, log(500, 100'000), away);
        break;
      case FaultKind::kPartialIo:
        put(at, kind, log(128, 1024), away);
        break;
      case FaultKind::kClog:
        put(at, kind, node(), log(30, 2000), away);
        break;
      case FaultKind::kRestart:
      case FaultKind::kHeal:
        break;
    }
  }

  Rng rng_;
  const Scenario& scenario_;
  Plan& plan_;
  std::vector<Weighted> families_;
  uint64_t total_weight_ = 0;
};

}  // namespace

uint32_t draw_core(Rng rng, const Plan& plan) {
  std::vector<NodeId> ids;
  for (uint32_t n = 1; n <= plan.nodes; ++n)
    ids.push_back(NodeId(n));
  const size_t replication = std::min<size_t>(3, plan.nodes);
  const placement::ShardTable table = placement::plan(ids, plan.shards, replication);
  uint32_t core = (1u << plan.nodes) - 1;
  if (replication < 3) return core;
  rng.shuffle(ids);
  const size_t outside = rng.chance(1, 4) ? 0 : rng.between(1, plan.nodes / 2);
  for (size_t i = 0; i < outside; ++i) {
    const uint32_t without = core & ~(1u << (ids[i].value() - 1));
    const bool enough = std::all_of(
        table.replicas.begin(), table.replicas.end(), [&](const std::vector<NodeId>& voters) {
          const auto left = std::count_if(voters.begin(), voters.end(), [&](NodeId voter) {
            return ((without >> (voter.value() - 1)) & 1) != 0;
          });
          return static_cast<size_t>(left) * 2 > voters.size();
        });
    if (enough) core = without;
  }
  return core;
}

void draw_faults(Rng rng, const Scenario& scenario, Plan& plan) {
  FaultDrawer(rng, scenario, plan).draw();
}

}  // namespace drumlin::sim
