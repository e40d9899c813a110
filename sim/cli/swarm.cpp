#include "sim/cli/swarm.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace drumlin::sim {
namespace {

namespace json = boost::json;

// The summary of what has come in so far.
class Tally {
 public:
  void add(const ChildResult& result) {
    ++runs_;
    json::error_code error;
    const json::value parsed = json::parse(result.line, error);
    if (error || !parsed.is_object()) {
      ++outcomes_["fail"];
      ++failures_["crash/no report"];
      return;
    }
    const json::object& run = parsed.as_object();
    const std::string outcome(run.at("outcome").as_string());
    ++outcomes_[outcome];
    if (outcome != "pass") {
      ++failures_[fmt::format("{}: {}", outcome, std::string_view(run.at("class").as_string()))];
    }
    events_ += number(run, "events");
    begun_ += number(run, "ops");
    answered_ += number(run, "ops_answered");
    succeeded_ += number(run, "ops_succeeded");
    unknown_ += number(run, "ops_unknown");
    simulated_s_ += run.at("simulated_s").to_number<double>();
    for (const auto& [family, counts] : run.at("faults").as_object()) {
      Family& f = families_[std::string(family)];
      const json::object& c = counts.as_object();
      f.injected += number(c, "injected");
      f.effective += number(c, "effective");
      if (number(c, "effective") > 0) ++f.seeds;
    }
    if (run.contains("probes")) {
      for (const auto& [name, count] : run.at("probes").as_object()) {
        Probe& probe = probes_[std::string(name)];
        probe.times += count.to_number<uint64_t>();
        ++probe.seeds;
      }
    }
    if (!run.contains("checks")) return;
    for (const auto& [checker, count] : run.at("checks").as_object()) {
      checks_[std::string(checker)] += count.to_number<uint64_t>();
    }
  }

  std::string to_json(double wall_s) const {
    json::object out;
    out["summary"] = true;
    out["runs"] = runs_;
    for (const char* name : {"pass", "fail", "inconclusive"}) {
      const auto it = outcomes_.find(name);
      out[name] = it == outcomes_.end() ? 0 : it->second;
    }
    json::object failures;
    for (const auto& [what, n] : failures_)
      failures[what] = n;
    out["failures"] = std::move(failures);
    out["events"] = events_;
    out["ops"] = begun_;
    out["ops_answered"] = answered_;
    out["ops_succeeded"] = succeeded_;
    out["ops_unknown"] = unknown_;
    json::object families;
    for (const auto& [name, f] : families_) {
      families[name] = json::object{
          {"injected", f.injected}, {"effective", f.effective}, {"seeds_effective", f.seeds}};
    }
    out["faults"] = std::move(families);
    json::object checks;
    for (const auto& [name, n] : checks_)
      checks[name] = n;
    out["checks"] = std::move(checks);
    json::object probes;
    for (const auto& [name, probe] : probes_)
      probes[name] = json::object{{"times", probe.times}, {"seeds", probe.seeds}};
    out["probes"] = std::move(probes);
    out["simulated_s"] = simulated_s_;
    out["wall_s"] = wall_s;
    return json::serialize(out);
  }

  std::string progress(double wall_s) const {
    const auto count = [&](const char* name) {
      const auto it = outcomes_.find(name);
      return it == outcomes_.end() ? uint64_t{0} : it->second;
    };
    return fmt::format("{} seeds, {:.0f} a minute, {} failed, {} inconclusive", runs_,
                       static_cast<double>(runs_) * 60 / std::max(wall_s, 0.001), count("fail"),
                       count("inconclusive"));
  }

 private:
  struct Family {
    uint64_t injected = 0;
    uint64_t effective = 0;
    uint64_t seeds = 0;  // in which it was felt
  };
  struct Probe {
    uint64_t times = 0;
    uint64_t seeds = 0;  // that reached it
  };
  static uint64_t number(const json::object& o, std::string_view key) {
    return o.contains(key) ? o.at(key).to_number<uint64_t>() : 0;
  }
  uint64_t runs_ = 0;
  std::map<std::string, uint64_t> outcomes_;
  std::map<std::string, uint64_t> failures_;
  std::map<std::string, Family> families_;
  std::map<std::string, uint64_t> checks_;
  std::map<std::string, Probe> probes_;
  uint64_t events_ = 0, begun_ = 0, answered_ = 0, succeeded_ = 0, unknown_ = 0;
  double simulated_s_ = 0;
};

std::string plan_path(const std::string& out, uint64_t seed) {
  return fmt::format("{}/seed-{}.plan", out, seed);
}

// What failed is written down, so that it can be run again whatever becomes of the generator.
void keep(const SwarmOptions& options, const Scenario& scenario, const ChildResult& result) {
  const std::string path = plan_path(options.out, result.seed);
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  std::ofstream file(path);
  file << generate(result.seed, scenario).encode();
  if (!file.flush()) std::fprintf(stderr, "drumlin-sim: cannot write %s\n", path.c_str());
  if (!result.errors.empty()) {
    std::ofstream(path + ".stderr") << result.errors;
  }
  std::fprintf(stderr, "seed %llu failed; again: drumlin-sim replay %s\n",
               static_cast<unsigned long long>(result.seed), shell_quoted(path).c_str());
}

}  // namespace

int swarm(const Scenario& scenario, const SwarmOptions& options) {
  Children children(options.limits);
  Tally tally;
  const double began_s = real_seconds();
  double told_s = began_s;
  int worst = kExitHeld;
  uint64_t next = options.first;
  while (next % options.shards != (options.shard - 1) % options.shards)
    ++next;
  bool stopping = false;
  const auto more = [&] {
    if (stopping) return false;
    return options.for_s ? real_seconds() - began_s < *options.for_s : next <= options.last;
  };
  for (;;) {
    while (children.running() < options.jobs && more()) {
      const uint64_t seed = next;
      next += options.shards;
      children.start(seed, "drumlin-sim replay " + shell_quoted(plan_path(options.out, seed)),
                     [&scenario, seed] { return run(generate(seed, scenario), {}); });
    }
    if (children.running() == 0) break;
    const ChildResult result = children.wait();
    tally.add(result);
    std::printf("%s\n", result.line.c_str());
    worst = graver(worst, result.exit_code);
    if (result.exit_code != kExitHeld) keep(options, scenario, result);
    if (result.exit_code != kExitHeld && result.exit_code != kExitInconclusive &&
        options.stop_at_failure) {
      stopping = true;
    }
    const double now_s = real_seconds();
    if (now_s - told_s >= 5) {
      told_s = now_s;
      std::fprintf(stderr, "%s\n", tally.progress(now_s - began_s).c_str());
    }
  }
  std::printf("%s\n", tally.to_json(real_seconds() - began_s).c_str());
  return worst;
}

}  // namespace drumlin::sim
