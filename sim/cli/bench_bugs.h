// Bench-bugs: the simulator's own test. Every mutant in scenarios/mutants is a known bug; the simulator must
// find it. Building mutants needs the sources and a compiler: tools/mutants of the source tree does the work.
#pragma once

#include <string>
#include <vector>

namespace drumlin::sim {

// Becomes tools/mutants of the tree at `source` (empty: the nearest one above the current directory) with
// these arguments. Returns only if that is not possible: kExitUsage, and the reason is said.
int bench_bugs(const std::string& source, const std::vector<std::string>& arguments);

}  // namespace drumlin::sim
