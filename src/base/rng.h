// Rng: a small, portable, seeded generator (xoshiro256**, Blackman and Vigna) with distributions of
// our own: those of the standard library differ between implementations, and a seed must mean the
// same run everywhere. Streams are named, so that a draw added in one place shifts nothing elsewhere.
// Not for keys or nonces: those come from Runtime::secure_random.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/time.h"

namespace drumlin {

class Rng {
 public:
  explicit Rng(uint64_t seed);

  // An independent generator for `name`; does not advance this one.
  Rng stream(std::string_view name) const;

  uint64_t next();
  uint64_t below(uint64_t n);                             // uniform in [0, n), n > 0
  uint64_t between(uint64_t low, uint64_t high);          // uniform in [low, high]
  bool chance(uint64_t numerator, uint64_t denominator);  // true with that probability
  uint64_t log_uniform(uint64_t low, uint64_t high);  // every power of two equally likely; low > 0
  Duration duration_between(Duration low, Duration high);
  uint64_t seed() const { return seed_; }

  template <typename Container>
  auto& pick(Container& c) {
    DRUMLIN_CHECK(!c.empty());
    return c[below(c.size())];
  }
  template <typename Container>
  void shuffle(Container& c) {
    for (size_t i = c.size(); i > 1; --i)
      std::swap(c[i - 1], c[below(i)]);
  }

 private:
  uint64_t seed_;
  std::array<uint64_t, 4> state_;
};

}  // namespace drumlin
