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
        history_(verdict_, cluster_.raft(), plan.shards),
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
      heal();
    } else {
      verdict_.liveness("prepare", "the cluster did not come up: " + cluster_.unconverged());
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
    cluster_.boot_all();
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

  // First a core comes back that holds a majority of every group and must do without the spare node; then
  // that one; then everybody loses power once more, and what was told must still be so.
  void heal() {
    const uint32_t spare =
        plan_.nodes < 3 ? 0
                        : static_cast<uint32_t>(world_->stream("spare").between(1, plan_.nodes));
    faults_.heal(spare);
    if (!owed(
            "clients", [&] { return workload_.done(); }, spare))
      return;
    workload_.read_back();
    if (!owed(
            "read_back", [&] { return workload_.done(); }, spare))
      return;
    if (!converge(spare)) return;
    if (spare != 0) {
      cluster_.boot(spare);
      if (!converge(0)) return;
    }
    faults_.cut_all_power();
    world_->run_for(100ms);
    cluster_.boot_all();
    workload_.read_back();
    if (!owed(
            "read_back", [&] { return workload_.done(); }, 0))
      return;
    converge(0);
  }

  bool owed(const std::string& what, const std::function<bool()>& done, uint32_t spare) {
    verdict_.evaluated("progress");
    if (until(done, world_->now() + kHealLimit)) return !verdict_.violated();
    verdict_.liveness(what, "not within the time owed; " + cluster_.unconverged(spare));
    return false;
  }

  bool converge(uint32_t spare) {
    // What holds at once is not asked after every event.
    Instant next = world_->now();
    return owed(
        "converge",
        [&] {
          if (world_->now() < next) return false;
          next = world_->now() + 50ms;
          return cluster_.unconverged(spare).empty();
        },
        spare);
  }

  Report report() {
    Report out;
    out.seed = plan_.seed;
    out.trace_hash = world_->trace().hash();
    out.events = world_->events();
    out.ops = workload_.counts();
    out.faults = world_->counters().all();
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
