#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

#include "sim/plan/plan.h"

namespace drumlin::sim {
namespace {

template <typename E>
using Names = std::vector<std::pair<E, std::string_view>>;

const Names<OpKind>& op_names() {
  static const Names<OpKind> kNames = {{OpKind::kPut, "put"},
                                       {OpKind::kGet, "get"},
                                       {OpKind::kHead, "head"},
                                       {OpKind::kDelete, "delete"},
                                       {OpKind::kList, "list"},
                                       {OpKind::kCreateBucket, "create-bucket"},
                                       {OpKind::kDeleteBucket, "delete-bucket"},
                                       {OpKind::kHeadBucket, "head-bucket"},
                                       {OpKind::kPutAbsent, "put-absent"},
                                       {OpKind::kPutMatch, "put-match"},
                                       {OpKind::kDeleteMatch, "delete-match"},
                                       {OpKind::kDeleteMany, "delete-many"},
                                       {OpKind::kListV1, "list-v1"},
                                       {OpKind::kIntrude, "intrude"},
                                       {OpKind::kOldKey, "old-key"},
                                       {OpKind::kRotateKey, "rotate-key"}};
  return kNames;
}
const Names<Encoding>& encoding_names() {
  static const Names<Encoding> kNames = {{Encoding::kSigned, "signed"},
                                         {Encoding::kUnsigned, "unsigned"},
                                         {Encoding::kChunked, "chunked"},
                                         {Encoding::kChunkedTrailer, "chunked-trailer"}};
  return kNames;
}
const Names<KvEngine>& engine_names() {
  static const Names<KvEngine> kNames = {{KvEngine::kRocksDb, "rocksdb"},
                                         {KvEngine::kMemory, "memory"}};
  return kNames;
}
const Names<FaultKind>& fault_names() {
  static const Names<FaultKind> kNames = {{FaultKind::kCrash, "crash"},
                                          {FaultKind::kPower, "power"},
                                          {FaultKind::kPowerAll, "power_all"},
                                          {FaultKind::kRestart, "restart"},
                                          {FaultKind::kPause, "pause"},
                                          {FaultKind::kSlowCpu, "slow_cpu"},
                                          {FaultKind::kClock, "clock"},
                                          {FaultKind::kReadError, "read_error"},
                                          {FaultKind::kWriteError, "write_error"},
                                          {FaultKind::kSyncError, "sync_error"},
                                          {FaultKind::kFull, "full"},
                                          {FaultKind::kSlowDisk, "slow_disk"},
                                          {FaultKind::kStall, "stall"},
                                          {FaultKind::kRot, "rot"},
                                          {FaultKind::kPartition, "partition"},
                                          {FaultKind::kOneWay, "one_way"},
                                          {FaultKind::kHeal, "heal"},
                                          {FaultKind::kCut, "cut"},
                                          {FaultKind::kCutClients, "cut_clients"},
                                          {FaultKind::kHalfOpen, "half_open"},
                                          {FaultKind::kRefuse, "refuse"},
                                          {FaultKind::kLatency, "latency"},
                                          {FaultKind::kReset, "reset"},
                                          {FaultKind::kCorrupt, "corrupt"},
                                          {FaultKind::kPartialIo, "partial_io"},
                                          {FaultKind::kClog, "clog"}};
  return kNames;
}

template <typename E>
std::string_view name_of(const Names<E>& names, E value) {
  for (const auto& [v, name] : names) {
    if (v == value) return name;
  }
  DRUMLIN_UNREACHABLE("an enumerator without a name");
}
template <typename E>
bool value_of(const Names<E>& names, std::string_view name, E& out) {
  for (const auto& [v, n] : names) {
    if (n == name) {
      out = v;
      return true;
    }
  }
  return false;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  line = line.substr(0, line.find('#'));
  for (size_t at = 0; at < line.size();) {
    const size_t begin = line.find_first_not_of(" \t\r", at);
    if (begin == std::string_view::npos) break;
    at = std::min(line.find_first_of(" \t\r", begin), line.size());
    out.push_back(line.substr(begin, at - begin));
  }
  return out;
}

template <typename T>
bool number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_op(const std::vector<std::string_view>& w, Op& op) {
  return w.size() == 9 && number(w[1], op.client) && number(w[2], op.think_ms) &&
         number(w[3], op.node) && value_of(op_names(), w[4], op.kind) && number(w[5], op.bucket) &&
         number(w[6], op.key) && number(w[7], op.size) &&
         value_of(encoding_names(), w[8], op.encoding);
}

bool parse_fault(const std::vector<std::string_view>& w, Fault& fault) {
  return (w.size() == 5 || w.size() == 6) && number(w[1], fault.at_ms) &&
         value_of(fault_names(), w[2], fault.kind) && number(w[3], fault.a) &&
         number(w[4], fault.b) && (w.size() == 5 || number(w[5], fault.c));
}

struct PlanNumber {
  std::string_view name;
  uint32_t Plan::*field;
};
constexpr std::array<PlanNumber, 23> kPlanNumbers = {
    {{"nodes", &Plan::nodes},
     {"shards", &Plan::shards},
     {"buckets", &Plan::buckets},
     {"clients", &Plan::clients},
     {"duration_ms", &Plan::duration_ms},
     {"wal_segment_kib", &Plan::wal_segment_kib},
     {"wal_grow_kib", &Plan::wal_grow_kib},
     {"log_cache_kib", &Plan::log_cache_kib},
     {"append_kib", &Plan::append_kib},
     {"wal_queue_kib", &Plan::wal_queue_kib},
     {"inflight_messages", &Plan::inflight_messages},
     {"early", &Plan::early},
     {"users", &Plan::users},
     {"buckets_per_user", &Plan::buckets_per_user},
     {"kv_buffer_kib", &Plan::kv_buffer_kib},
     {"kv_cache_kib", &Plan::kv_cache_kib},
     {"kv_flush_kib", &Plan::kv_flush_kib},
     {"buggify", &Plan::buggify},
     {"client_skew_s", &Plan::client_skew_s},
     {"odd_keys", &Plan::odd_keys},
     {"budget", &Plan::budget},
     {"core", &Plan::core},
     {"comeback", &Plan::comeback}}};

bool parse_line(const std::vector<std::string_view>& w, Plan& plan) {
  if (w[0] == "op") {
    plan.ops.emplace_back();
    return parse_op(w, plan.ops.back());
  }
  if (w[0] == "fault") {
    plan.faults.emplace_back();
    return parse_fault(w, plan.faults.back());
  }
  if (w.size() != 2) return false;
  if (w[0] == "seed") return number(w[1], plan.seed);
  if (w[0] == "kv") return value_of(engine_names(), w[1], plan.kv);
  for (const PlanNumber& n : kPlanNumbers) {
    if (w[0] == n.name) return number(w[1], plan.*n.field);
  }
  return false;
}

bool sane(const Plan& plan, const Fault& fault) {
  const auto node = [&](int64_t n) { return n >= 1 && n <= plan.nodes; };
  constexpr int64_t kDay = 86'400'000;
  const auto within = [](int64_t n, int64_t low, int64_t high) { return n >= low && n <= high; };
  if (fault.at_ms > plan.duration_ms || !within(fault.b, -kDay, kDay) ||
      !within(fault.c, -kDay, kDay) ||
      (fault.kind != FaultKind::kClock && (fault.b < 0 || fault.c < 0))) {
    return false;
  }
  switch (fault.kind) {
    case FaultKind::kClock:
      return node(fault.a) && within(fault.c, -100'000, 100'000);
    case FaultKind::kSlowDisk:
    case FaultKind::kClog:
      return node(fault.a) && fault.b >= 1;
    case FaultKind::kCrash:
    case FaultKind::kPower:
    case FaultKind::kPowerAll:
    case FaultKind::kRestart:
    case FaultKind::kPause:
    case FaultKind::kSlowCpu:
    case FaultKind::kReadError:
    case FaultKind::kWriteError:
    case FaultKind::kSyncError:
    case FaultKind::kFull:
    case FaultKind::kStall:
    case FaultKind::kRot:
    case FaultKind::kCutClients:
    case FaultKind::kRefuse:
      return node(fault.a);
    case FaultKind::kPartition:
    case FaultKind::kOneWay:
      return fault.a >= 1 && fault.a < (1u << plan.nodes) - 1;
    case FaultKind::kCut:
      return node(fault.a) && node(fault.b) && fault.a != fault.b;
    case FaultKind::kHalfOpen:
      return node(fault.a) && (fault.b == 0 || (node(fault.b) && fault.a != fault.b));
    case FaultKind::kReset:
    case FaultKind::kCorrupt:
      return fault.a <= 1'000'000;
    case FaultKind::kPartialIo:
      return fault.a <= 1024;
    case FaultKind::kHeal:
    case FaultKind::kLatency:
      return true;
  }
  return false;
}

bool sane(const Plan& plan) {
  const bool numbers =
      plan.nodes >= 1 && plan.nodes <= 16 && plan.shards >= 1 && plan.shards <= 65536 &&
      plan.buckets >= 1 && plan.buckets <= 1000 && plan.clients >= 1 && plan.clients <= 200 &&
      plan.wal_segment_kib >= 1 && plan.wal_segment_kib <= (1u << 20) &&
      plan.wal_grow_kib <= (1u << 20) && plan.append_kib >= 1 && plan.append_kib <= (32u << 10) &&
      plan.log_cache_kib <= (1u << 20) && plan.inflight_messages >= 1 && plan.early <= 1 &&
      plan.wal_queue_kib >= 16 && plan.wal_queue_kib <= (1u << 20) && plan.kv_buffer_kib >= 1 &&
      plan.kv_buffer_kib <= (1u << 20) && plan.kv_cache_kib <= (1u << 20) &&
      plan.kv_flush_kib >= 1 && plan.buggify <= 100 && plan.client_skew_s <= 600 &&
      plan.odd_keys <= 1 && plan.budget <= 1 && plan.comeback <= 1 && plan.users <= 16 &&
      plan.core < (1u << plan.nodes) &&
      (plan.buckets_per_user == 0 || plan.buckets_per_user >= plan.own_buckets());
  const bool ops = std::all_of(plan.ops.begin(), plan.ops.end(), [&](const Op& op) {
    return op.client < plan.clients && op.node >= 1 && op.node <= plan.nodes &&
           op.size < (8u << 20) && op.bucket < plan.buckets + plan.churn_buckets() &&
           op.key < kKeysPerBucket &&
           (op.kind < OpKind::kIntrude || plan.users > (op.kind == OpKind::kIntrude ? 1u : 0u));
  });
  return numbers && ops && std::all_of(plan.faults.begin(), plan.faults.end(), [&](const Fault& f) {
           return sane(plan, f);
         });
}

}  // namespace

std::string Plan::encode() const {
  std::string out = "drumlin-plan 1\n";
  out += fmt::format("seed {}\n", seed);
  for (const PlanNumber& n : kPlanNumbers)
    out += fmt::format("{} {}\n", n.name, this->*n.field);
  out += fmt::format("kv {}\n", name_of(engine_names(), kv));
  out += "# op client think_ms node what bucket key size encoding\n";
  for (const Op& op : ops) {
    out += fmt::format("op {} {} {} {} {} {} {} {}\n", op.client, op.think_ms, op.node,
                       name_of(op_names(), op.kind), op.bucket, op.key, op.size,
                       name_of(encoding_names(), op.encoding));
  }
  out += "# fault at_ms what a b c\n";
  for (const Fault& f : faults) {
    out += fmt::format("fault {} {} {} {} {}\n", f.at_ms, name_of(fault_names(), f.kind), f.a, f.b,
                       f.c);
  }
  return out;
}

Result<Plan> Plan::decode(std::string_view text) {
  Plan plan;
  size_t line_number = 0;
  bool headed = false;
  while (!text.empty()) {
    ++line_number;
    const size_t end = std::min(text.find('\n'), text.size());
    const auto words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    if (!headed) {
      if (words.size() != 2 || words[0] != "drumlin-plan" || words[1] != "1") {
        return Status(Code::kInvalidArgument,
                      "not a plan: the first line must be \"drumlin-plan 1\"");
      }
      headed = true;
    } else if (!parse_line(words, plan)) {
      return Status(Code::kInvalidArgument, fmt::format("line {} is not understood", line_number));
    }
  }
  if (!headed) return Status(Code::kInvalidArgument, "the plan is empty");
  if (!sane(plan)) return Status(Code::kInvalidArgument, "a number of the plan is out of range");
  return plan;
}

Status Scenario::set(std::string_view key, std::string_view value) {
  const std::array<std::pair<std::string_view, uint32_t*>, 28> numbers = {
      {{"nodes_min", &nodes_min},
       {"nodes_max", &nodes_max},
       {"shards_min", &shards_min},
       {"shards_max", &shards_max},
       {"ops", &ops},
       {"clients", &clients},
       {"duration_ms", &duration_ms},
       {"max_body_bytes", &max_body_bytes},
       {"users", &users},
       {"buckets_per_user", &buckets_per_user},
       {"fault_every_ms", &fault_every_ms},
       {"wal_segment_kib", &wal_segment_kib},
       {"log_cache_kib", &log_cache_kib},
       {"append_kib", &append_kib},
       {"wal_queue_kib", &wal_queue_kib},
       {"inflight_messages", &inflight_messages},
       {"kv_buffer_kib", &kv_buffer_kib},
       {"kv_cache_kib", &kv_cache_kib},
       {"kv_flush_kib", &kv_flush_kib},
       {"budget", &budget},
       {"puts", &puts},
       {"gets", &gets},
       {"heads", &heads},
       {"deletes", &deletes},
       {"listings", &listings},
       {"conditional", &conditional},
       {"bucket_churn", &bucket_churn},
       {"buggify", &buggify}}};
  const auto bad = [&](std::string_view why) {
    return Status(Code::kInvalidArgument, fmt::format("{} = {}: {}", key, value, why));
  };
  for (const auto& [name, field] : numbers) {
    if (key != name) continue;
    return number(value, *field) ? Status() : bad("not a number");
  }
  if (key == "nodes" || key == "shards") {
    uint32_t n = 0;
    if (!number(value, n) || n < 1) return bad("not a number of 1 or more");
    (key == "nodes" ? nodes_min : shards_min) = n;
    (key == "nodes" ? nodes_max : shards_max) = n;
    return {};
  }
  if (key == "kv") {
    return value_of(engine_names(), value, kv) ? Status() : bad("not rocksdb or memory");
  }
  if (key == "faults") {
    for (std::string_view rest = value; !rest.empty();) {
      const std::string_view name = rest.substr(0, rest.find(','));
      FaultKind kind{};
      if (!value_of(fault_names(), name, kind)) return bad("unknown fault");
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    }
    faults = value;
    return {};
  }
  return bad("unknown setting");
}

Status Scenario::check() const {
  const bool ok = nodes_min >= 1 && nodes_min <= nodes_max && nodes_max <= 16 && shards_min >= 1 &&
                  shards_min <= shards_max && shards_max <= 65536 && clients >= 1 &&
                  clients <= 200 && duration_ms >= 1 && max_body_bytes < (8u << 20) &&
                  budget <= 1 && (buggify <= 100 || buggify == kDrawn) && puts != 0 &&
                  users <= 16 && (buckets_per_user == 0 || buckets_per_user >= Plan().buckets);
  return ok ? Status() : Status(Code::kInvalidArgument, "a number of the scenario is out of range");
}

Result<Scenario> Scenario::decode(std::string_view text) {
  Scenario scenario;
  size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const size_t end = std::min(text.find('\n'), text.size());
    const auto words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    if (words.size() != 3 || words[1] != "=") {
      return Status(Code::kInvalidArgument,
                    fmt::format("line {}: not \"key = value\"", line_number));
    }
    DRUMLIN_TRY(scenario.set(words[0], words[2]).with_context(fmt::format("line {}", line_number)));
  }
  DRUMLIN_TRY(scenario.check());
  return scenario;
}

}  // namespace drumlin::sim
