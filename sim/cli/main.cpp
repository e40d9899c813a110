// drumlin-sim: simulated runs of whole clusters, from seeds and plans.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sim/cli/bench_bugs.h"
#include "sim/cli/corpus.h"
#include "sim/cli/determinism.h"
#include "sim/cli/swarm.h"
#include "sim/rocksdb/rocksdb.h"

namespace {

using namespace drumlin;       // NOLINT(google-build-using-namespace)
using namespace drumlin::sim;  // NOLINT(google-build-using-namespace)

int usage_error(const std::string& what) {
  std::fprintf(stderr, "drumlin-sim: %s\n", what.c_str());
  return kExitUsage;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status(Code::kInvalidArgument, "cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// What a seed's plan is drawn from: --scenario, then --set and --duration over it.
struct ScenarioFlags {
  std::string file;
  std::vector<std::string> set;
  double duration_s = 0;

  void add(CLI::App& command) {
    command.add_option("--scenario", file, "mix of operations and faults (scenarios/*.scenario)");
    command.add_option("--duration", duration_s, "simulated seconds");
    command.add_option("--set", set, "a setting of the scenario: --set nodes=3")
        ->type_name("KEY=VALUE");
  }
  Result<Scenario> resolve() const {
    Scenario scenario;
    if (!file.empty()) {
      DRUMLIN_ASSIGN(const std::string text, read_file(file));
      auto decoded = Scenario::decode(text);
      if (!decoded.ok()) return decoded.status().with_context(file);
      scenario = *decoded;
    }
    for (const std::string& item : set) {
      const size_t equals = item.find('=');
      if (equals == std::string::npos)
        return Status(Code::kInvalidArgument, "--set wants KEY=VALUE, not " + item);
      DRUMLIN_TRY(scenario.set(item.substr(0, equals), item.substr(equals + 1)));
    }
    if (duration_s > 0) scenario.duration_ms = static_cast<uint32_t>(duration_s * 1000);
    DRUMLIN_TRY(scenario.check());
    return scenario;
  }
  // As flags again, for the command that repeats a run.
  std::string text() const {
    std::string out;
    if (!file.empty()) out += " --scenario " + shell_quoted(file);
    for (const std::string& item : set)
      out += " --set " + shell_quoted(item);
    if (duration_s > 0) out += " --duration " + CLI::detail::to_string(duration_s);
    return out;
  }
};

// "A..B", or one number.
bool parse_seeds(const std::string& text, uint64_t& first, uint64_t& last) {
  const size_t dots = text.find("..");
  if (dots == std::string::npos)
    return CLI::detail::lexical_cast(text, first) && ((last = first), true);
  return CLI::detail::lexical_cast(text.substr(0, dots), first) &&
         CLI::detail::lexical_cast(text.substr(dots + 2), last) && first <= last;
}

// "60s", "5m" or a number of seconds.
bool parse_time(std::string text, double& seconds) {
  double unit = 1;
  if (text.ends_with('s')) text.pop_back();
  if (text.ends_with('m')) {
    text.pop_back();
    unit = 60;
  }
  if (!CLI::detail::lexical_cast(text, seconds)) return false;
  seconds *= unit;
  return seconds > 0;
}

struct RunFlags {
  uint64_t seed = 0;
  std::string plan_file;
  std::string trace_file;
  std::string log_file;
  std::string emit_file;
};

Report execute(const Plan& plan, const RunFlags& flags) {
  if (!flags.trace_file.empty()) return run_with_trace(plan, flags.trace_file);
  RunOptions options;
  std::ofstream log;
  if (!flags.log_file.empty()) {
    log.open(flags.log_file);
    options.log = [&log](observe::Level, std::string_view line) { log << line << '\n'; };
  }
  return run(plan, options);
}

int run_one(const Plan& plan, const RunFlags& flags, const std::string& replay,
            const Limits& limits) {
  if (!flags.emit_file.empty()) {
    std::ofstream file(flags.emit_file);
    file << plan.encode();
    if (!file.flush()) return usage_error("cannot write " + flags.emit_file);
  }
  Children children(limits);
  children.start(plan.seed, replay, [&] { return execute(plan, flags); });
  const ChildResult result = children.wait();
  std::fputs(result.errors.c_str(), stderr);
  std::printf("%s\n", result.line.c_str());
  return result.exit_code;
}

Result<Plan> load_plan(const std::string& path) {
  DRUMLIN_ASSIGN(const std::string text, read_file(path));
  auto plan = Plan::decode(text);
  if (!plan.ok()) return plan.status().with_context(path);
  return plan;
}

int run_command(const RunFlags& flags, const ScenarioFlags& scenario_flags, bool by_seed,
                const Limits& limits) {
  if (!by_seed) {
    const auto plan = load_plan(flags.plan_file);
    if (!plan.ok()) return usage_error(plan.status().message());
    return run_one(*plan, flags, "drumlin-sim replay " + shell_quoted(flags.plan_file), limits);
  }
  const auto scenario = scenario_flags.resolve();
  if (!scenario.ok()) return usage_error(scenario.status().message());
  return run_one(generate(flags.seed, *scenario), flags,
                 "drumlin-sim run --seed " + std::to_string(flags.seed) + scenario_flags.text(),
                 limits);
}

// One subcommand: its flags, and what it does with them. Returns the exit code.
class Command {
 public:
  virtual ~Command() = default;
  virtual int execute() = 0;

  CLI::App* app = nullptr;

 protected:
  void add_limits() {
    app->add_option("--cpu-limit", limits_.cpu_seconds, "CPU seconds of one run")
        ->capture_default_str();
  }
  Limits limits_;
};

class RunCommand : public Command {
 public:
  explicit RunCommand(CLI::App& root) {
    app = root.add_subcommand("run", "one run of a seed or a plan; the last line is its report");
    seed_ = app->add_option("--seed", flags_.seed, "draw the plan from this seed");
    plan_ = app->add_option("--plan", flags_.plan_file, "run this plan");
    seed_->excludes(plan_);
    scenario_.add(*app);
    for (const char* name : {"--scenario", "--duration", "--set"})
      plan_->excludes(app->get_option(name));
    app->add_option("--trace", flags_.trace_file, "write every event to this file");
    app->add_option("--log", flags_.log_file, "write the nodes' logs to this file")
        ->excludes(app->get_option("--trace"));
    app->add_option("--emit-plan", flags_.emit_file, "write the plan to this file first");
    add_limits();
  }
  int execute() override {
    if (seed_->empty() && plan_->empty()) return usage_error("run wants --seed or --plan");
    return run_command(flags_, scenario_, plan_->empty(), limits_);
  }

 private:
  RunFlags flags_;
  ScenarioFlags scenario_;
  CLI::Option* seed_ = nullptr;
  CLI::Option* plan_ = nullptr;
};

class ReplayCommand : public Command {
 public:
  explicit ReplayCommand(CLI::App& root) {
    app = root.add_subcommand("replay", "run a plan again");
    app->add_option("plan", flags_.plan_file, "the plan's file")->required();
    app->add_option("--trace", flags_.trace_file, "write every event to this file");
    app->add_option("--log", flags_.log_file, "write the nodes' logs to this file")
        ->excludes(app->get_option("--trace"));
    add_limits();
  }
  int execute() override { return run_command(flags_, {}, false, limits_); }

 private:
  RunFlags flags_;
};

class SwarmCommand : public Command {
 public:
  explicit SwarmCommand(CLI::App& root) {
    options_.jobs = static_cast<size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
    options_.out = "build/sim-failures";
    app = root.add_subcommand("swarm", "many seeds; a line of JSON each, a summary last");
    app->add_option("--seeds", seeds_, "A..B, both included");
    app->add_option("--for", time_, "from seed A (or 1) on, for this long: 60s")->type_name("TIME");
    app->add_option("--jobs", options_.jobs, "runs at a time")->capture_default_str();
    app->add_option("--shard", part_, "I/N: every N-th seed, beginning with the I-th");
    app->add_option("--out", options_.out, "where plans that failed go")->capture_default_str();
    app->add_flag("--stop-at-failure", options_.stop_at_failure,
                  "start no run after one has failed");
    scenario_.add(*app);
    add_limits();
  }
  int execute() override {
    const auto scenario = scenario_.resolve();
    if (!scenario.ok()) return usage_error(scenario.status().message());
    if (seeds_.empty() && time_.empty()) return usage_error("swarm wants --seeds or --for");
    if (!seeds_.empty() && !parse_seeds(seeds_, options_.first, options_.last)) {
      return usage_error("--seeds wants A..B");
    }
    double seconds = 0;
    if (!time_.empty() && !parse_time(time_, seconds)) {
      return usage_error("--for wants a time such as 60s or 5m");
    }
    if (!time_.empty()) options_.for_s = seconds;
    if (options_.jobs < 1) return usage_error("--jobs wants 1 or more");
    if (!part_.empty() && !parse_part()) return usage_error("--shard wants I/N with 1 <= I <= N");
    options_.limits = limits_;
    return swarm(*scenario, options_);
  }

 private:
  bool parse_part() {
    const size_t slash = part_.find('/');
    return slash != std::string::npos &&
           CLI::detail::lexical_cast(part_.substr(0, slash), options_.shard) &&
           CLI::detail::lexical_cast(part_.substr(slash + 1), options_.shards) &&
           options_.shard >= 1 && options_.shard <= options_.shards;
  }
  SwarmOptions options_;
  ScenarioFlags scenario_;
  std::string seeds_;
  std::string time_;
  std::string part_;
};

class DeterminismCommand : public Command {
 public:
  explicit DeterminismCommand(CLI::App& root) {
    app = root.add_subcommand("check-determinism",
                              "the same run twice; the first event that differs is named");
    app->add_option("--seed,--seeds", seeds_, "N, or A..B")->required();
    app->add_option("--other", options_.other, "compare with this build of drumlin-sim");
    scenario_.add(*app);
    add_limits();
  }
  int execute() override {
    const auto scenario = scenario_.resolve();
    if (!scenario.ok()) return usage_error(scenario.status().message());
    if (!parse_seeds(seeds_, options_.first, options_.last))
      return usage_error("--seeds wants A..B");
    options_.limits = limits_;
    return check_determinism(*scenario, options_);
  }

 private:
  DeterminismOptions options_;
  ScenarioFlags scenario_;
  std::string seeds_;
};

class CorpusCommand : public Command {
 public:
  explicit CorpusCommand(CLI::App& root) {
    options_.jobs = static_cast<size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
    app = root.add_subcommand("corpus", "plans that once failed");
    app->require_subcommand(1);
    CLI::App* verify = app->add_subcommand("verify", "run them all: they must hold now");
    verify->add_option("directory", options_.directory, "where the plans are")
        ->capture_default_str();
    verify->add_option("--jobs", options_.jobs, "runs at a time")->capture_default_str();
    verify->add_option("--cpu-limit", options_.limits.cpu_seconds, "CPU seconds of one run")
        ->capture_default_str();
  }
  int execute() override {
    if (options_.jobs < 1) return usage_error("--jobs wants 1 or more");
    return verify_corpus(options_);
  }

 private:
  CorpusOptions options_;
};

class BenchBugsCommand : public Command {
 public:
  explicit BenchBugsCommand(CLI::App& root) {
    app =
        root.add_subcommand("bench-bugs", "plant known bugs and look for them: the tester tested");
    app->add_option("--source", source_, "Drumlin's source tree (default: above this directory)");
    app->add_option("--seeds", seeds_, "how many seeds a mutant may live");
    app->add_option("--jobs", jobs_, "runs at a time");
    app->add_option("--out", out_, "write the table to this file too");
    app->add_flag("--list", list_, "only say what there is");
    app->add_option("names", names_, "only these mutants");
  }
  int execute() override {
    std::vector<std::string> arguments;
    const auto pass = [&](const char* flag, const std::string& value) {
      if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
    };
    pass("--seeds", seeds_);
    pass("--jobs", jobs_);
    pass("--out", out_);
    if (list_) arguments.emplace_back("--list");
    arguments.insert(arguments.end(), names_.begin(), names_.end());
    return bench_bugs(source_, arguments);
  }

 private:
  std::string source_, seeds_, jobs_, out_;
  bool list_ = false;
  std::vector<std::string> names_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Simulated Drumlin clusters: one seed is one run, event for event.\n"
      "Exit codes: 0 held, 2 usage, 10 safety violated, 11 liveness violated, 12 crash, 13 not\n"
      "deterministic, 14 inconclusive, 15 out of memory or time.");
  app.require_subcommand(1);
  RunCommand run_app(app);
  ReplayCommand replay(app);
  SwarmCommand swarm_command(app);
  DeterminismCommand determinism(app);
  CorpusCommand corpus(app);
  BenchBugsCommand bench(app);
  // CLI11 says of an unknown command only that one is missing.
  const auto named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty()) {
    return usage_error("unknown command \"" + std::string(argv[1]) +
                       "\" (run, replay, swarm, check-determinism, corpus, bench-bugs)");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kExitUsage;
  }
  const Status fit = self_test();
  if (!fit.ok()) return usage_error(fit.message());
  for (Command* command : std::initializer_list<Command*>{&run_app, &replay, &swarm_command,
                                                          &determinism, &corpus, &bench}) {
    if (command->app->parsed()) return command->execute();
  }
  return kExitUsage;
}
