#include "sim/run/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <memory>

#include "sim/run/faults.h"

namespace drumlin::sim {
namespace {

constexpr Duration kPrepareLimit = 90s;
constexpr Duration kHealLimit = 60s;

class OneRun {
 public:
  OneRun(const Plan& plan, const RunOptions& options)
      : plan_(plan),
        world_(std::make_unique<World>(plan.seed, world_options(options))),
        cluster_(*world_, plan_, verdict_, options.log),
        history_(verdict_, cluster_.raft(), plan.shards,
                 cluster_.config(1).limits.buckets_per_user),
        workload_(*world_, plan_, cluster_, history_, verdict_),
        faults_(*world_, plan_, cluster_) {}
  // All fibers are unwound while what they use is still there.
  ~OneRun() { world_.reset(); }
  OneRun(const OneRun&) = delete;
  OneRun& operator=(const OneRun&) = delete;

  Report go() {
    const bool prepared = prepare();
    if (prepared && !verdict_.violated()) {
      clock();
      end();
    } else {
      verdict_.liveness(
          "prepare", "the cluster did not come up: " + cluster_.unconverged(cluster_.everybody()));
    }
    if (!verdict_.violated()) {
      cluster_.check_digests();
      history_.check();
    }
    const OpCounts& counts = workload_.counts();
    world_->trace().event(world_->now(), 0, "end", counts.answered, counts.succeeded,
                          verdict_.what());
    return report();
  }

  const Trace& trace() { return world_->trace(); }

 private:
  static World::Options world_options(const RunOptions& options) {
    World::Options out;
    out.trace = options.trace;
    return out;
  }

  // Until it is so, a violation, or the limit.
  bool until(const std::function<bool()>& done, Instant limit) {
    return world_->run_until([&] { return verdict_.violated() || done(); }, limit);
  }

  bool prepare() {
    if (plan_.early != 0) faults_.schedule();
    cluster_.boot_all(cluster_.everybody());
    workload_.prepare();
    return until([&] { return workload_.done(); }, world_->now() + kPrepareLimit);
  }

  void clock() {
    if (plan_.early == 0) faults_.schedule();
    workload_.start();
    const Instant end = world_->now() + std::chrono::milliseconds(plan_.duration_ms);
    until([&] { return workload_.done(); }, end);
    workload_.stop();
  }

  Cluster::Nodes core() const {
    if (plan_.core != 0) return plan_.core;
    if (plan_.nodes < 3) return cluster_.everybody();
    return cluster_.everybody() & ~(1u << (world_->stream("spare").between(1, plan_.nodes) - 1));
  }

  // First the core runs by itself; then, if they may, the others too; then all of these lose power once more,
  // and what was told must still be so.
  void end() {
    Cluster::Nodes nodes = core();
    if (!cluster_.holds_majorities(nodes)) {
      verdict_.crash("the plan's core is no majority of every shard");
      return;
    }
    faults_.heal(nodes);
    if (plan_.budget == 0) {
      // Nothing is owed: whoever gets answers must get right ones.
      until([&] { return workload_.done(); }, world_->now() + kHealLimit);
      return;
    }
    if (!owed(
            "clients", [&] { return workload_.done(); }, nodes) ||
        !answers(nodes)) {
      return;
    }
    if (plan_.comeback != 0 && nodes != cluster_.everybody()) {
      nodes = cluster_.everybody();
      faults_.bring_back();
      if (!converge(nodes)) return;
    }
    faults_.cut_power(nodes);
    world_->run_for(100ms);
    cluster_.boot_all(nodes);
    (void)answers(nodes);
  }

  // Every key can be read, every shard has a leader, the replicas are equal.
  bool answers(Cluster::Nodes nodes) {
    workload_.read_back();
    return owed(
               "read_back", [&] { return workload_.done(); }, nodes) &&
           converge(nodes);
  }

  bool owed(const std::string& what, const std::function<bool()>& done, Cluster::Nodes nodes) {
    verdict_.evaluated("progress");
    if (until(done, world_->now() + kHealLimit)) return !verdict_.violated();
    verdict_.liveness(what, "not within the time owed; " + cluster_.unconverged(nodes));
    return false;
  }

  bool converge(Cluster::Nodes nodes) {
    // What holds at once is not asked after every event.
    Instant next = world_->now();
    return owed(
        "converge",
        [&] {
          if (world_->now() < next) return false;
          next = world_->now() + 50ms;
          return cluster_.unconverged(nodes).empty();
        },
        nodes);
  }

  Report report() {
    Report out;
    out.seed = plan_.seed;
    out.trace_hash = world_->trace().hash();
    out.events = world_->events();
    out.ops = workload_.counts();
    out.faults = world_->counters().all();
    out.probes = world_->chaos().probes();
    out.evaluations = verdict_.evaluations();
    out.simulated_s = to_seconds(world_->now().time_since_epoch()) - 1;  // the world begins at 1 s
    judge(out);
    return out;
  }

  void judge(Report& out) const {
    if (verdict_.violated()) {
      static constexpr std::array<std::string_view, 4> kNames = {"none", "safety", "liveness",
                                                                 "crash"};
      out.outcome = RunOutcome::kFail;
      out.failure_class =
          fmt::format("{}/{}", kNames[static_cast<size_t>(verdict_.kind())], verdict_.checker());
      out.detail = verdict_.what();
      return;
    }
    out.outcome = RunOutcome::kInconclusive;
    if (plan_.ops.empty() || out.ops.begun == 0) {
      out.failure_class = "no operations";
      return;
    }
    for (const char* checker :
         {"election", "vote", "completeness", "commit", "durability", "gate", "apply", "recovery",
          "floor", "linearizable", "digest", "progress"}) {
      if (verdict_.evaluations().contains(checker)) continue;
      if (plan_.nodes == 1 && std::string_view(checker) == "gate")
        continue;  // nobody to promise to
      if (plan_.budget == 0 && std::string_view(checker) == "progress") continue;  // none is owed
      out.failure_class = "unchecked";
      out.detail = fmt::format("checker \"{}\" never ran", checker);
      return;
    }
    if (out.ops.succeeded * 5 < out.ops.begun) {
      out.failure_class = "too few operations";
      out.detail = fmt::format("{} of {} succeeded", out.ops.succeeded, out.ops.begun);
      return;
    }
    const bool felt = std::any_of(out.faults.begin(), out.faults.end(),
                                  [](const auto& family) { return family.second.effective > 0; });
    if (!plan_.faults.empty() && !felt) {
      out.failure_class = "no fault was felt";
      return;
    }
    out.outcome = RunOutcome::kPass;
  }

  const Plan& plan_;
  Verdict verdict_;
  std::unique_ptr<World> world_;
  Cluster cluster_;
  History history_;
  Workload workload_;
  FaultDriver faults_;
};

std::string_view name_of(RunOutcome outcome) {
  switch (outcome) {
    case RunOutcome::kPass:
      return "pass";
    case RunOutcome::kFail:
      return "fail";
    case RunOutcome::kInconclusive:
      return "inconclusive";
  }
  DRUMLIN_UNREACHABLE("outcome");
}

}  // namespace

Report run(const Plan& plan, const RunOptions& options, std::vector<Trace::Entry>* trace_out) {
  OneRun one(plan, options);
  Report report = one.go();
  if (trace_out != nullptr) *trace_out = one.trace().recorded();
  return report;
}

Report no_report(uint64_t seed, RunOutcome outcome, std::string failure_class, std::string detail) {
  Report out;
  out.seed = seed;
  out.outcome = outcome;
  out.failure_class = std::move(failure_class);
  out.detail = std::move(detail);
  return out;
}

std::string Report::to_json(double wall_s, const std::string& replay) const {
  namespace json = boost::json;
  json::object out;
  out["seed"] = seed;
  out["outcome"] = name_of(outcome);
  out["class"] = failure_class;
  if (!detail.empty()) out["detail"] = detail;
  out["trace_hash"] = fmt::format("{:016x}", trace_hash);
  out["events"] = events;
  out["ops"] = ops.begun;
  out["ops_answered"] = ops.answered;
  out["ops_succeeded"] = ops.succeeded;
  out["ops_unknown"] = ops.unknown;
  json::object families;
  for (const auto& [name, count] : faults) {
    families[name] = json::object{{"injected", count.injected}, {"effective", count.effective}};
  }
  out["faults"] = std::move(families);
  json::object checks;
  for (const auto& [name, count] : evaluations)
    checks[name] = count;
  out["checks"] = std::move(checks);
  json::object reached;
  for (const auto& [name, count] : probes)
    reached[name] = count;
  out["probes"] = std::move(reached);
  out["simulated_s"] = simulated_s;
  out["wall_s"] = wall_s;
  out["replay"] = replay;
  return json::serialize(out);
}

int Report::exit_code() const {
  if (outcome == RunOutcome::kPass) return kExitHeld;
  if (outcome == RunOutcome::kInconclusive) return kExitInconclusive;
  if (failure_class.starts_with("safety")) return kExitSafety;
  if (failure_class.starts_with("liveness")) return kExitLiveness;
  if (failure_class.starts_with("resources")) return kExitResources;
  return kExitCrash;
}

}  // namespace drumlin::sim
