// Metrics of one node, in Prometheus' model (prometheus-cpp), rendered on demand by the API's
// /metrics. Take the reference once and keep it: registration is slow, Increment() is not.
// Names: drumlin_<area>_<what>_<unit or total>.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <map>
#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace drumlin::observe {

using Counter = prometheus::Counter;
using Gauge = prometheus::Gauge;
using Histogram = prometheus::Histogram;
using Labels = std::map<std::string, std::string>;

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // Buckets in seconds from 50 us to 10 s.
  Histogram& latency(const std::string& name, const std::string& help, const Labels& labels = {});
  // Text exposition format, version 0.0.4.
  std::string render() const;

 private:
  std::unique_ptr<prometheus::Registry> registry_;
};

}  // namespace drumlin::observe
