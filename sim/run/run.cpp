#include "sim/run/run.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <memory>

#include "sim/run/faults.h"

namespace drumlin::sim {
namespace {

constexpr Duration kPrepareLimit = 30s;
constexpr Duration kHealLimit = 60s;
// Clients that are still busy when the plan's time is over get this long before the healing.
constexpr Duration kGrace = 2s;

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
    cluster_.boot_all();
    workload_.prepare();
    return until([&] { return workload_.done(); }, world_->now() + kPrepareLimit);
  }

  void clock() {
    faults_.schedule();
    workload_.start();
    const Instant end = world_->now() + std::chrono::milliseconds(plan_.duration_ms);
    until([] { return false; }, end);
    until([&] { return workload_.done(); }, end + kGrace);
  }

  void heal() {
    faults_.heal();
    const Instant limit = world_->now() + kHealLimit;
    // What holds at once is not asked after every event.
    Instant next = world_->now();
    const auto now_and_then = [&](auto&& question) {
      return [&, question] {
        if (world_->now() < next) return false;
        next = world_->now() + 50ms;
        return question();
      };
    };
    if (!until([&] { return workload_.done(); }, limit)) {
      verdict_.liveness("clients", "clients still wait for answers; " + cluster_.unconverged());
      return;
    }
    workload_.read_back();
    if (!until([&] { return workload_.done(); }, limit)) {
      verdict_.liveness("read back", "not every key could be read; " + cluster_.unconverged());
      return;
    }
    verdict_.evaluated("progress");
    if (!until(now_and_then([&] { return cluster_.converged(); }), limit)) {
      verdict_.liveness("converge", cluster_.unconverged());
    }
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
    for (const char* checker :
         {"election", "commit", "durability", "gate", "apply", "linearizable", "progress"}) {
      if (verdict_.evaluations().contains(checker)) continue;
      if (plan_.nodes == 1 && std::string_view(checker) == "gate")
        continue;  // nobody to promise to
      out.failure_class = "unchecked";
      out.detail = fmt::format("checker \"{}\" never ran", checker);
      return;
    }
    if (out.ops.begun > 0 && out.ops.succeeded * 5 < out.ops.begun) {
      out.failure_class = "too few operations";
      out.detail = fmt::format("{} of {} succeeded", out.ops.succeeded, out.ops.begun);
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
