// Run: one plan from beginning to verdict, in this process.
//
//   prepare   all nodes start, the plan's buckets are made; no faults
//   clock     clients work, faults strike, as the plan says
//   end       all faults end, but that only the plan's core runs: a majority of the voters of every shard. The
//             other nodes are dead or cut off for good, or until the core has shown that it does without
//             them. At last all that may run lose power once more. Each time progress is owed: every client
//             ends, every shard gets a leader, replicas catch up, every key can be read; within kHealLimit,
//             or it is a liveness violation. Without a budget nothing is owed
//   judge     the checks that need the whole history
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "observe/log.h"
#include "sim/check/verdict.h"
#include "sim/plan/plan.h"
#include "sim/runtime/trace.h"
#include "sim/workload/workload.h"

namespace drumlin::sim {

enum class RunOutcome : uint8_t { kPass, kFail, kInconclusive };

struct Report {
  uint64_t seed = 0;
  RunOutcome outcome = RunOutcome::kInconclusive;
  std::string
      failure_class;  // "safety/linearizable", "liveness/converge", "crash/halt"; inconclusive: why
  std::string detail;
  uint64_t trace_hash = 0;
  uint64_t events = 0;
  OpCounts ops;
  std::map<std::string, FaultCount, std::less<>> faults;
  std::map<std::string, uint64_t> evaluations;
  std::map<std::string, uint64_t, std::less<>>
      probes;  // rare branches, and points of chaos that struck
  double simulated_s = 0;

  // What a script reads: see docs/SIMULATOR.md. `replay`: the command that does it again.
  std::string to_json(double wall_s, const std::string& replay) const;
  int exit_code() const;
};

struct RunOptions {
  Trace::Options trace;
  observe::LogSink log;  // of the nodes; may be null
};

// `trace_out`: if not null, gets the recorded trace.
Report run(const Plan& plan, const RunOptions& options,
           std::vector<Trace::Entry>* trace_out = nullptr);

// A report of a run that left none: the child died, was killed, or ran out of time.
Report no_report(uint64_t seed, RunOutcome outcome, std::string failure_class, std::string detail);

inline constexpr int kExitHeld = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitSafety = 10;
inline constexpr int kExitLiveness = 11;
inline constexpr int kExitCrash = 12;
inline constexpr int kExitNotDeterministic = 13;
inline constexpr int kExitInconclusive = 14;
inline constexpr int kExitResources = 15;

}  // namespace drumlin::sim
