#include "bench/client/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace drumlin::bench {

size_t Histogram::slot_of(uint64_t value) {
  if (value < kSteps) return static_cast<size_t>(value);
  const int shift = static_cast<int>(std::bit_width(value)) - kStepBits - 1;
  // The leading bit says which doubling, the next kStepBits which step of it.
  return (static_cast<size_t>(shift) << kStepBits) + static_cast<size_t>(value >> shift);
}

uint64_t Histogram::upper_bound(size_t slot) {
  if (slot < kSteps) return slot;
  const size_t shift = (slot >> kStepBits) - 1;
  const uint64_t step = kSteps + (slot & (kSteps - 1));
  return ((step + 1) << shift) - 1;  // for the last slot this wraps to the largest value
}

void Histogram::record(uint64_t nanoseconds) {
  ++slots_[slot_of(nanoseconds)];
  ++count_;
  sum_ += static_cast<double>(nanoseconds);
  max_ = std::max(max_, nanoseconds);
}

void Histogram::add(const Histogram& other) {
  for (size_t i = 0; i < kSlots; ++i)
    slots_[i] += other.slots_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::percentile(double percent) const {
  DRUMLIN_CHECK(percent > 0 && percent <= 100, "percent ", percent);
  if (count_ == 0) return 0;
  const double exact = percent / 100 * static_cast<double>(count_);
  const auto wanted =
      std::clamp<uint64_t>(static_cast<uint64_t>(std::ceil(exact - 1e-9)), 1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < kSlots; ++i) {
    seen += slots_[i];
    if (seen >= wanted) return std::min(upper_bound(i), max_);
  }
  return max_;
}

}  // namespace drumlin::bench
