#include "bench/client/report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

namespace drumlin::bench {
namespace {

double rounded(double value) {
  return std::round(value * 10) / 10;
}

double us(uint64_t nanoseconds) {
  return rounded(static_cast<double>(nanoseconds) / 1000);
}

}  // namespace

std::string report(const Cell& cell, const LoadResult& result) {
  const double seconds = to_seconds(result.took);
  const double answers = static_cast<double>(std::max<uint64_t>(result.answers, 1));
  const Histogram& h = result.latency;
  boost::json::object errors;
  for (const auto& [what, n] : result.errors)
    errors[what] = n;
  const boost::json::object out{
      {"op", cell.operation},
      {"bytes", cell.object_bytes},
      {"connections", cell.workers},
      {"endpoints", cell.endpoints},
      {"payload", cell.payload == Payload::kSigned ? "signed" : "unsigned"},
      {"seconds", rounded(seconds)},
      {"answers", result.answers},
      {"per_second", rounded(static_cast<double>(result.answers) / seconds)},
      {"mb_per_second", rounded(static_cast<double>(result.bytes) / seconds / 1e6)},
      {"errors", errors},
      {"latency_us",
       {{"mean", rounded(h.mean() / 1000)},
        {"p50", us(h.percentile(50))},
        {"p90", us(h.percentile(90))},
        {"p99", us(h.percentile(99))},
        {"p99.9", us(h.percentile(99.9))},
        {"max", us(h.max())}}},
      {"server_cpu_us_per_op", rounded(static_cast<double>(result.server_cpu_ns) / 1000 / answers)},
      {"client_cpu_us_per_op", rounded(static_cast<double>(result.client_cpu_ns) / 1000 / answers)},
      {"server_cpu_cores", rounded(static_cast<double>(result.server_cpu_ns) / 1e8 / seconds) / 10},
      {"client_cpu_cores", rounded(static_cast<double>(result.client_cpu_ns) / 1e8 / seconds) / 10},
  };
  return boost::json::serialize(out);
}

}  // namespace drumlin::bench
