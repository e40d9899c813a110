#include "sim/cli/determinism.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace drumlin::sim {
namespace {

namespace json = boost::json;

// A directory that goes away again.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "drumlin-sim-XXXXXX").string();
    DRUMLIN_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string file(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

 private:
  std::string path_;
};

std::string hash_in(const std::string& line) {
  json::error_code error;
  const json::value parsed = json::parse(line, error);
  if (error || !parsed.is_object() || !parsed.as_object().contains("trace_hash")) return "none";
  return std::string(parsed.as_object().at("trace_hash").as_string());
}

// The last line of what another drumlin-sim prints.
std::string ask_other(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  DRUMLIN_CHECK(pipe != nullptr, "cannot start ", command);
  std::string out;
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    out.append(buffer.data(), n);
  pclose(pipe);
  while (out.ends_with('\n'))
    out.pop_back();
  return out.substr(out.rfind('\n') + 1);
}

class Checker {
 public:
  Checker(const Scenario& scenario, const DeterminismOptions& options)
      : scenario_(scenario), options_(options) {}

  int go() {
    for (uint64_t seed = options_.first; seed <= options_.last; ++seed) {
      const int code = one(seed);
      if (code != kExitHeld && code != kExitInconclusive) return code;
    }
    fmt::print("{{\"summary\":true,\"seeds\":{},\"deterministic\":true}}\n",
               options_.last - options_.first + 1);
    return kExitHeld;
  }

 private:
  // Both ways of making the run, each in a process of its own.
  std::string mine(const Plan& plan, const std::string& trace, int& code) {
    Children children(options_.limits);
    children.start(plan.seed, "",
                   [&] { return trace.empty() ? run(plan, {}) : run_with_trace(plan, trace); });
    ChildResult result = children.wait();
    code = result.exit_code;
    return result.line;
  }
  std::string theirs(const std::string& plan_file, const std::string& trace) {
    if (options_.other.empty()) {
      int code = 0;
      return mine(plan_, trace, code);
    }
    const std::string flag = trace.empty() ? "" : " --trace " + shell_quoted(trace);
    return ask_other(shell_quoted(options_.other) + " run --plan " + shell_quoted(plan_file) +
                     flag);
  }

  int one(uint64_t seed) {
    plan_ = generate(seed, scenario_);
    const Scratch scratch;
    const std::string plan_file = scratch.file("plan");
    std::ofstream(plan_file) << plan_.encode();
    int code = 0;
    const std::string first = hash_in(mine(plan_, "", code));
    const std::string second = hash_in(theirs(plan_file, ""));
    const bool same = first == second && first != "none";
    fmt::print("{{\"seed\":{},\"trace_hash\":\"{}\",\"other\":\"{}\",\"deterministic\":{}}}\n",
               seed, first, second, same);
    std::fflush(stdout);
    if (same) return code;
    mine(plan_, scratch.file("one"), code);
    theirs(plan_file, scratch.file("other"));
    name_first_difference(scratch.file("one"), scratch.file("other"));
    return kExitNotDeterministic;
  }

  static void name_first_difference(const std::string& one, const std::string& other) {
    std::ifstream a(one);
    std::ifstream b(other);
    std::string line_a;
    std::string line_b;
    std::array<std::string, 5> before;
    for (size_t n = 0;; ++n) {
      const bool more_a = static_cast<bool>(std::getline(a, line_a));
      const bool more_b = static_cast<bool>(std::getline(b, line_b));
      if (!more_a && !more_b) {
        std::fprintf(stderr, "the recorded runs are the same: the difference did not come again\n");
        return;
      }
      if (more_a && more_b && line_a == line_b) {
        before[n % before.size()] = line_a;
        continue;
      }
      for (size_t i = n >= before.size() ? n - before.size() : 0; i < n; ++i) {
        std::fprintf(stderr, "         %s\n", before[i % before.size()].c_str());
      }
      std::fprintf(stderr, "event %zu differs:\n  one:   %s\n  other: %s\n", n,
                   more_a ? line_a.c_str() : "(the end)", more_b ? line_b.c_str() : "(the end)");
      return;
    }
  }

  const Scenario& scenario_;
  const DeterminismOptions& options_;
  Plan plan_;
};

}  // namespace

Report run_with_trace(const Plan& plan, const std::string& path) {
  RunOptions options;
  options.trace.record = true;
  std::vector<Trace::Entry> entries;
  Report report = run(plan, options, &entries);
  std::ofstream file(path);
  for (const Trace::Entry& entry : entries)
    file << Trace::to_string(entry) << '\n';
  if (!file.flush()) std::fprintf(stderr, "drumlin-sim: cannot write %s\n", path.c_str());
  return report;
}

int check_determinism(const Scenario& scenario, const DeterminismOptions& options) {
  return Checker(scenario, options).go();
}

}  // namespace drumlin::sim
