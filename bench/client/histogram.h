// Histogram: latencies by a logarithmic scale with 64 steps to each doubling, so that a percentile is
// right to 1.6 % from nanoseconds to minutes at a fixed 30 KiB of memory. Recording is one increment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace drumlin::bench {

class Histogram {
 public:
  void record(uint64_t nanoseconds);
  void add(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }  // exact
  double mean() const { return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_); }
  // The smallest bound that at least `percent` of the values do not exceed: the upper end of a step,
  // never more than max(). 0 without values. REQUIRES: 0 < percent <= 100.
  uint64_t percentile(double percent) const;

 private:
  static constexpr int kStepBits = 6;
  static constexpr uint64_t kSteps = uint64_t{1} << kStepBits;
  // Values below kSteps have a step each; each doubling above has kSteps.
  static constexpr size_t kSlots = (64 - kStepBits + 1) * kSteps;
  static size_t slot_of(uint64_t value);
  static uint64_t upper_bound(size_t slot);  // the last value of the slot

  std::array<uint64_t, kSlots> slots_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace drumlin::bench
