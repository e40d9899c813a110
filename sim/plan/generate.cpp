#include <algorithm>
#include <array>

#include "base/rng.h"
#include "sim/plan/draw_faults.h"
#include "sim/plan/plan.h"

namespace drumlin::sim {
namespace {

bool on_bucket(OpKind kind) {
  return kind == OpKind::kCreateBucket || kind == OpKind::kDeleteBucket ||
         kind == OpKind::kHeadBucket;
}

// How often each kind of operation comes: what the scenario says, else drawn around what is usual; some
// kinds not at all, but for puts.
class OpMix {
 public:
  OpMix(Rng rng, const Scenario& scenario) {
    add(rng, OpKind::kPut, scenario.puts, 28, true);
    add(rng, OpKind::kPutAbsent, scenario.conditional, 8, false);
    add(rng, OpKind::kPutMatch, scenario.conditional, 6, false);
    add(rng, OpKind::kDeleteMatch, scenario.conditional, 2, false);
    add(rng, OpKind::kGet, scenario.gets, 25, false);
    add(rng, OpKind::kHead, scenario.heads, 7, false);
    add(rng, OpKind::kDelete, scenario.deletes, 6, false);
    add(rng, OpKind::kDeleteMany, scenario.deletes, 3, false);
    add(rng, OpKind::kList, scenario.listings, 5, false);
    add(rng, OpKind::kListV1, scenario.listings, 2, false);
    const uint64_t churn = draw(rng, scenario.bucket_churn, 8, false);
    kinds_.push_back({OpKind::kCreateBucket, churn * 3});
    kinds_.push_back({OpKind::kDeleteBucket, churn * 3});
    kinds_.push_back({OpKind::kHeadBucket, churn * 2});
    for (const auto& [kind, weight] : kinds_)
      total_ += weight;
  }

  OpKind pick(Rng& rng) const {
    uint64_t roll = rng.below(total_);
    for (const auto& [kind, weight] : kinds_) {
      if (roll < weight) return kind;
      roll -= weight;
    }
    DRUMLIN_UNREACHABLE("weights");
  }

 private:
  static uint64_t draw(Rng& rng, uint32_t fixed, uint64_t usual, bool always) {
    const bool left_out = rng.chance(1, 10);
    const uint64_t drawn = rng.log_uniform(std::max<uint64_t>(1, usual / 4), usual * 3);
    if (fixed != Scenario::kDrawn) return fixed;
    return left_out && !always ? 0 : std::max(drawn, always ? usual / 2 : 1);
  }
  void add(Rng& rng, OpKind kind, uint32_t fixed, uint64_t usual, bool always) {
    kinds_.push_back({kind, 8 * draw(rng, fixed, usual, always)});
  }

  std::vector<std::pair<OpKind, uint64_t>> kinds_;
  uint64_t total_ = 0;
};

// Now and then an operation is about users instead. From a stream of its own: with or without them the
// others are the same.
void draw_access(Rng& rng, const Plan& plan, Op& op) {
  if (plan.users == 0 || !rng.chance(1, 10)) return;
  const uint64_t roll = rng.below(100);
  if (roll < 60 && plan.users > 1) {
    op.kind = OpKind::kIntrude;
  } else {
    op.kind = roll < 85 ? OpKind::kOldKey : OpKind::kRotateKey;
  }
  op.size = static_cast<uint32_t>(rng.below(1000));
}

void draw_ops(Rng rng, const Scenario& scenario, Plan& plan) {
  const OpMix mix(rng.stream("mix"), scenario);
  const auto most_bytes =
      std::max<uint64_t>(2, scenario.max_body_bytes >> (rng.chance(1, 3) ? rng.below(8) : 0));
  // Due over four fifths of the time: whoever is held up by faults has the rest to catch up.
  Rng access = rng.stream("access");
  const uint32_t per_client = std::max(1u, scenario.ops / plan.clients);
  const uint32_t think = std::max(2u, plan.duration_ms * 4 / 5 / per_client);
  // Few keys, unevenly liked: operations must meet.
  for (uint32_t i = 0; i < scenario.ops; ++i) {
    Op op;
    op.client = i % plan.clients;
    // In bursts: operations must overlap, and a fault must find something under way.
    op.think_ms = static_cast<uint32_t>(rng.chance(1, 2) ? rng.below(8) : rng.below(4 * think));
    op.node = static_cast<uint32_t>(rng.between(1, plan.nodes));
    op.kind = mix.pick(rng);
    op.bucket = on_bucket(op.kind) || rng.chance(1, 20)
                    ? plan.buckets + static_cast<uint32_t>(rng.below(plan.churn_buckets()))
                    : static_cast<uint32_t>(rng.below(plan.buckets));
    const uint64_t key = rng.below(kKeysPerBucket);
    op.key = static_cast<uint32_t>(std::min(key, rng.below(kKeysPerBucket)));
    switch (op.kind) {
      case OpKind::kPut:
      case OpKind::kPutAbsent:
      case OpKind::kPutMatch:
        op.size = rng.chance(1, 16) ? 0 : static_cast<uint32_t>(rng.log_uniform(1, most_bytes));
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
    draw_access(access, plan, op);
    plan.ops.push_back(op);
  }
}

// Few shards are usual, many are not rare, all 256 are: each node then does the work of a full one.
uint32_t draw_shards(Rng rng, const Scenario& scenario) {
  const bool all = rng.chance(1, 100);
  const auto drawn =
      static_cast<uint32_t>(rng.log_uniform(scenario.shards_min, scenario.shards_max));
  const bool free = scenario.shards_min != scenario.shards_max && scenario.shards_max >= 64;
  return all && free ? 256 : drawn;
}

// Mostly so large that nothing fills it; else a few bodies do while a disk is slow.
uint32_t draw_wal_queue(Rng rng, const Scenario& scenario) {
  if (scenario.wal_queue_kib != 0) return scenario.wal_queue_kib;
  const bool small = rng.chance(1, 3);
  const auto drawn = static_cast<uint32_t>(rng.log_uniform(16, 512));
  return small ? drawn : Plan().wal_queue_kib;
}

// Half of the plans have no bound that anybody meets; in the others an owner can have some of its buckets
// that come and go, and never all of them.
uint32_t draw_buckets_per_user(Rng rng, const Scenario& scenario, const Plan& plan) {
  if (scenario.buckets_per_user != 0) return scenario.buckets_per_user;
  const bool bounded = rng.chance(1, 2);
  const uint32_t churn = 4 / std::max(1u, plan.users);
  const auto more = static_cast<uint32_t>(rng.between(1, std::max(2u, churn) - 1));
  return bounded ? plan.own_buckets() + more : 0;
}

}  // namespace

Plan generate(uint64_t seed, const Scenario& scenario) {
  const Rng root(seed);
  Rng rng = root.stream("plan");
  Plan plan;
  plan.seed = seed;
  plan.nodes = static_cast<uint32_t>(rng.between(scenario.nodes_min, scenario.nodes_max));
  plan.shards = draw_shards(root.stream("shards"), scenario);
  plan.clients = scenario.clients;
  plan.duration_ms = scenario.duration_ms;
  plan.users = scenario.users;
  // Small sizes make rare paths common: files end, caches overflow, windows fill.
  const auto size = [&](uint32_t fixed, uint64_t low, uint64_t high) {
    const auto drawn = static_cast<uint32_t>(rng.log_uniform(low, high));
    return fixed != 0 ? fixed : drawn;
  };
  plan.wal_segment_kib = size(scenario.wal_segment_kib, 8, 1024);
  plan.log_cache_kib = size(scenario.log_cache_kib, 4, 1024);
  plan.append_kib = size(scenario.append_kib, 1, 1024);
  plan.inflight_messages = size(scenario.inflight_messages, 1, 256);
  plan.wal_grow_kib = rng.chance(1, 2) ? static_cast<uint32_t>(rng.log_uniform(1, 64)) : 0;
  plan.early = rng.chance(1, 3) ? 1 : 0;
  plan.kv = scenario.kv;
  plan.kv_buffer_kib = size(scenario.kv_buffer_kib, 64, 1024);
  plan.kv_cache_kib = size(scenario.kv_cache_kib, 16, 4096);
  plan.kv_flush_kib = size(scenario.kv_flush_kib, 16, 1024);
  plan.odd_keys = rng.chance(1, 2) ? 1 : 0;
  plan.client_skew_s = static_cast<uint32_t>(rng.chance(1, 2) ? rng.between(1, 300) : 0);
  plan.comeback = rng.chance(1, 2) ? 1 : 0;
  plan.budget = scenario.budget;
  const auto points = static_cast<uint32_t>(rng.chance(1, 4) ? 0 : rng.between(5, 60));
  plan.buggify = scenario.buggify != Scenario::kDrawn ? scenario.buggify
                 : scenario.fault_every_ms == 0       ? 0
                                                      : points;
  plan.wal_queue_kib = draw_wal_queue(root.stream("wal queue"), scenario);
  plan.buckets_per_user = draw_buckets_per_user(root.stream("buckets per user"), scenario, plan);
  plan.core = draw_core(root.stream("core"), plan);
  draw_ops(root.stream("ops"), scenario, plan);
  draw_faults(root.stream("faults"), scenario, plan);
  return plan;
}

}  // namespace drumlin::sim
