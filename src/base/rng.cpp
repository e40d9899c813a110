#include "base/rng.h"

#include <bit>

#include "base/digest.h"

namespace drumlin {
namespace {

uint64_t splitmix(uint64_t& x) {
  x += 0x9e3779b97f4a7c15ULL;
  uint64_t z = x;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(uint64_t seed) : seed_(seed) {
  uint64_t x = seed;
  for (auto& s : state_)
    s = splitmix(x);
}

Rng Rng::stream(std::string_view name) const {
  return Rng(xxh3(name, seed_));
}

uint64_t Rng::next() {
  auto& s = state_;
  const uint64_t result = std::rotl(s[1] * 5, 7) * 9;
  const uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = std::rotl(s[3], 45);
  return result;
}

uint64_t Rng::below(uint64_t n) {
  DRUMLIN_CHECK(n > 0);
  // Rejection sampling: draws in the last, incomplete block of n are thrown away.
  const uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  uint64_t x = next();
  while (x >= limit)
    x = next();
  return x % n;
}

uint64_t Rng::between(uint64_t low, uint64_t high) {
  DRUMLIN_CHECK_LE(low, high);
  if (low == 0 && high == UINT64_MAX) return next();
  return low + below(high - low + 1);
}

bool Rng::chance(uint64_t numerator, uint64_t denominator) {
  return below(denominator) < numerator;
}

uint64_t Rng::log_uniform(uint64_t low, uint64_t high) {
  DRUMLIN_CHECK(low > 0 && low <= high);
  const auto low_bits = static_cast<uint64_t>(std::bit_width(low));
  const auto high_bits = static_cast<uint64_t>(std::bit_width(high));
  const uint64_t bits = between(low_bits, high_bits);
  const uint64_t from = bits == low_bits ? low : uint64_t{1} << (bits - 1);
  const uint64_t to = bits == high_bits ? high : (uint64_t{1} << (bits - 1)) * 2 - 1;
  return between(from, to);
}

Duration Rng::duration_between(Duration low, Duration high) {
  return Duration(static_cast<int64_t>(
      between(static_cast<uint64_t>(low.count()), static_cast<uint64_t>(high.count()))));
}

}  // namespace drumlin
