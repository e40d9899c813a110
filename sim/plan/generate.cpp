#include <algorithm>

#include "base/rng.h"
#include "sim/plan/plan.h"

namespace drumlin::sim {
namespace {

OpKind draw_kind(Rng& rng) {
  const uint64_t roll = rng.below(100);
  if (roll < 28) return OpKind::kPut;
  if (roll < 36) return OpKind::kPutAbsent;
  if (roll < 42) return OpKind::kPutMatch;
  if (roll < 67) return OpKind::kGet;
  if (roll < 74) return OpKind::kHead;
  if (roll < 80) return OpKind::kDelete;
  if (roll < 82) return OpKind::kDeleteMatch;
  if (roll < 85) return OpKind::kDeleteMany;
  if (roll < 90) return OpKind::kList;
  if (roll < 92) return OpKind::kListV1;
  if (roll < 95) return OpKind::kCreateBucket;
  if (roll < 98) return OpKind::kDeleteBucket;
  return OpKind::kHeadBucket;
}

bool on_bucket(OpKind kind) {
  return kind == OpKind::kCreateBucket || kind == OpKind::kDeleteBucket ||
         kind == OpKind::kHeadBucket;
}

void draw_ops(Rng rng, const Scenario& scenario, Plan& plan) {
  // Due over four fifths of the time: whoever is held up by faults has the rest to catch up.
  const uint32_t per_client = std::max(1u, scenario.ops / plan.clients);
  const uint32_t think = std::max(2u, plan.duration_ms * 4 / 5 / per_client);
  // Few keys, unevenly liked: operations must meet.
  for (uint32_t i = 0; i < scenario.ops; ++i) {
    Op op;
    op.client = i % plan.clients;
    // In bursts: operations must overlap, and a fault must find something under way.
    op.think_ms = static_cast<uint32_t>(rng.chance(1, 2) ? rng.below(8) : rng.below(4 * think));
    op.node = static_cast<uint32_t>(rng.between(1, plan.nodes));
    op.kind = draw_kind(rng);
    op.bucket = on_bucket(op.kind) || rng.chance(1, 20)
                    ? plan.buckets + static_cast<uint32_t>(rng.below(kChurnBuckets))
                    : static_cast<uint32_t>(rng.below(plan.buckets));
    op.key = static_cast<uint32_t>(std::min(rng.below(kKeysPerBucket), rng.below(kKeysPerBucket)));
    switch (op.kind) {
      case OpKind::kPut:
      case OpKind::kPutAbsent:
      case OpKind::kPutMatch:
        op.size =
            rng.chance(1, 16)
                ? 0
                : static_cast<uint32_t>(rng.log_uniform(1, std::max(2u, scenario.max_body_bytes)));
        op.encoding = static_cast<Encoding>(rng.below(4));
        break;
      case OpKind::kGet:
        op.size = rng.chance(1, 4) ? static_cast<uint32_t>(rng.log_uniform(1, 5000)) : 0;
        break;
      case OpKind::kDeleteMany:
        op.size = static_cast<uint32_t>(rng.between(1, 4));
        break;
      case OpKind::kList:
      case OpKind::kListV1:
        op.size = rng.chance(1, 3) ? static_cast<uint32_t>(rng.between(1, 5)) : 1000;
        break;
      default:
        break;
    }
    plan.ops.push_back(op);
  }
}

class FaultDrawer {
 public:
  FaultDrawer(Rng rng, const Scenario& scenario, Plan& plan)
      : rng_(rng), scenario_(scenario), plan_(plan) {}

  void draw() {
    std::vector<FaultKind> kinds = enabled();
    if (kinds.empty() || scenario_.fault_every_ms == 0) return;
    // Every seed leaves some families out (swarm testing, Groce et al. 2012): what all of them
    // together would hide, some of them show.
    rng_.shuffle(kinds);
    kinds.resize(
        std::max<size_t>(std::min<size_t>(kinds.size(), 4), rng_.between(1, kinds.size())));
    uint32_t at =
        static_cast<uint32_t>(plan_.early != 0 ? rng_.between(0, 50) : rng_.between(300, 2000));
    while (at + 500 < plan_.duration_ms) {
      add(at, rng_.pick(kinds));
      at += static_cast<uint32_t>(rng_.between(1, 2 * scenario_.fault_every_ms));
    }
    std::stable_sort(plan_.faults.begin(), plan_.faults.end(),
                     [](const Fault& a, const Fault& b) { return a.at_ms < b.at_ms; });
  }

 private:
  std::vector<FaultKind> enabled() const {
    std::vector<FaultKind> out;
    const auto has = [&](std::string_view name) {
      return ("," + scenario_.faults + ",").find("," + std::string(name) + ",") !=
             std::string::npos;
    };
    if (has("crash")) out.push_back(FaultKind::kCrash);
    if (has("power")) out.push_back(FaultKind::kPower);
    if (has("power_all")) out.push_back(FaultKind::kPowerAll);
    if (has("cut") && plan_.nodes > 1) out.push_back(FaultKind::kCut);
    if (has("latency")) out.push_back(FaultKind::kLatency);
    if (has("partition") && plan_.nodes > 1) out.push_back(FaultKind::kPartition);
    if (has("one_way") && plan_.nodes > 1) out.push_back(FaultKind::kOneWay);
    return out;
  }

  uint32_t node() { return static_cast<uint32_t>(rng_.between(1, plan_.nodes)); }

  void put(uint32_t at, FaultKind kind, uint32_t a = 0, uint32_t b = 0) {
    plan_.faults.push_back({std::min(at, plan_.duration_ms), kind, a, b});
  }

  void add(uint32_t at, FaultKind kind) {
    // Now and then longer than any timer: elections, deadlines and patience must run out, too.
    const auto away = static_cast<uint32_t>(rng_.chance(1, 5) ? rng_.between(2500, 10000)
                                                              : rng_.log_uniform(20, 2500));
    switch (kind) {
      case FaultKind::kCrash:
      case FaultKind::kPower: {
        const uint32_t victim = node();
        put(at, kind, victim, static_cast<uint32_t>(rng_.log_uniform(1, 60)));
        put(at + 200 + away, FaultKind::kRestart, victim);
        break;
      }
      case FaultKind::kPowerAll: {
        // Its restart forces it, if it has not come by then; the others start again by themselves.
        const uint32_t victim = node();
        put(at, kind, victim, static_cast<uint32_t>(rng_.log_uniform(1, 60)));
        put(at + 200 + away, FaultKind::kRestart, victim);
        break;
      }
      case FaultKind::kPartition:
      case FaultKind::kOneWay:
        put(at, kind, static_cast<uint32_t>(rng_.between(1, (1u << plan_.nodes) - 2)));
        put(at + away, FaultKind::kHeal);
        break;
      case FaultKind::kCut: {
        const uint32_t a = node();
        put(at, kind, a, 1 + a % plan_.nodes);
        break;
      }
      case FaultKind::kLatency:
        put(at, kind, static_cast<uint32_t>(rng_.log_uniform(1, 300)), away);
        break;
      case FaultKind::kRestart:
      case FaultKind::kHeal:
        break;
    }
  }

  Rng rng_;
  const Scenario& scenario_;
  Plan& plan_;
};

}  // namespace

Plan generate(uint64_t seed, const Scenario& scenario) {
  const Rng root(seed);
  Rng rng = root.stream("plan");
  Plan plan;
  plan.seed = seed;
  plan.nodes = static_cast<uint32_t>(rng.between(scenario.nodes_min, scenario.nodes_max));
  plan.shards = static_cast<uint32_t>(rng.between(scenario.shards_min, scenario.shards_max));
  plan.clients = scenario.clients;
  plan.duration_ms = scenario.duration_ms;
  // Small sizes make rare paths common: files end, caches overflow, windows fill.
  const auto size = [&](uint32_t fixed, uint64_t low, uint64_t high) {
    const auto drawn = static_cast<uint32_t>(rng.log_uniform(low, high));
    return fixed != 0 ? fixed : drawn;
  };
  plan.wal_segment_kib = size(scenario.wal_segment_kib, 16, 4096);
  plan.log_cache_kib = size(scenario.log_cache_kib, 4, 1024);
  plan.append_kib = size(scenario.append_kib, 1, 1024);
  plan.inflight_messages = size(scenario.inflight_messages, 1, 256);
  plan.wal_grow_kib = rng.chance(1, 2) ? static_cast<uint32_t>(rng.log_uniform(1, 64)) : 0;
  plan.early = rng.chance(1, 3) ? 1 : 0;
  plan.kv = scenario.kv;
  plan.kv_buffer_kib = size(scenario.kv_buffer_kib, 64, 1024);
  plan.kv_cache_kib = size(scenario.kv_cache_kib, 16, 4096);
  plan.kv_flush_kib = size(scenario.kv_flush_kib, 64, 16384);
  draw_ops(root.stream("ops"), scenario, plan);
  FaultDrawer(root.stream("faults"), scenario, plan).draw();
  return plan;
}

}  // namespace drumlin::sim
