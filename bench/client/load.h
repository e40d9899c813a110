// Load: a closed loop of workers, each with one request under way, on one thread. A worker sends its
// requests to the endpoints in turn, over one kept connection to each. Every answer is checked:
// status, length and body. What is wrong is counted by kind and is not in the histogram.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/client/histogram.h"
#include "bench/client/request.h"
#include "bench/client/system.h"

namespace drumlin::bench {

struct LoadOptions {
  std::vector<Address> endpoints;
  size_t workers = 1;
  // Either a time, of which answers of the warm-up do not count, ...
  Duration warm_up{};
  Duration measured{};
  // ... or each request once, by whichever worker is free; one that is told to slow down is sent again.
  bool each_once = false;
  Duration patience = 30s;  // for one answer
  std::vector<int> server_pids;
};

struct LoadResult {
  Histogram latency;
  uint64_t answers = 0;  // good ones
  uint64_t bytes = 0;    // of bodies, both directions, of good answers
  std::map<std::string, uint64_t> errors;
  Duration took{};
  uint64_t client_cpu_ns = 0;
  uint64_t server_cpu_ns = 0;

  uint64_t error_count() const;
};

// Errors: no endpoint can be reached at the start, a server process is gone.
Result<LoadResult> run_load(const LoadOptions& options, const std::vector<Prepared>& requests);

}  // namespace drumlin::bench
