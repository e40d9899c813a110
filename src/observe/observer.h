// Observer: what a room needs to be seen: the log, the metrics and, in simulation, the trace.
#pragma once

#include <string_view>

#include "observe/log.h"
#include "observe/metrics.h"

namespace drumlin::observe {

// State changes worth a line in a simulated run; every call is folded into the run's hash. Null in
// production.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void trace(std::string_view kind, uint64_t a, uint64_t b, std::string_view text) = 0;
};

struct Observer {
  Log& log;
  Metrics& metrics;
  TraceSink* sink = nullptr;

  void trace(std::string_view kind, uint64_t a = 0, uint64_t b = 0,
             std::string_view text = {}) const {
    if (sink != nullptr) sink->trace(kind, a, b, text);
  }
};

}  // namespace drumlin::observe
