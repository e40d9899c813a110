#include "sim/check/access.h"

#include <fmt/format.h>

namespace drumlin::sim {

void AccessChecker::revoking(const std::string& key, Instant sent) {
  Life& life = keys_[key];
  if (!life.revoking_since) life.revoking_since = sent;
}

void AccessChecker::revoked(const std::string& key, Instant answered) {
  Life& life = keys_[key];
  if (!life.revoked_at) life.revoked_at = answered;
}

void AccessChecker::used(const std::string& key, Instant began, Instant ended, bool refused) {
  const auto known = keys_.find(key);
  if (known == keys_.end()) return;  // root's
  verdict_.evaluated("access");
  const Life& life = known->second;
  const auto ms_after = [](Instant later, Instant earlier) { return to_ms(later - earlier); };
  if (!refused && life.revoked_at && began > *life.revoked_at + kKnownEverywhere) {
    verdict_.safety("access",
                    fmt::format("key {} was taken {} ms after its revocation was answered", key,
                                ms_after(began, *life.revoked_at)));
  }
  if (refused && life.usable_from && began > *life.usable_from + kKnownEverywhere &&
      (!life.revoking_since || *life.revoking_since > ended)) {
    verdict_.safety("access", fmt::format("key {} was refused {} ms after its making was answered, "
                                          "and nobody had revoked it",
                                          key, ms_after(began, *life.usable_from)));
  }
}

void AccessChecker::intruded(const std::string& what, bool granted, const std::string& answer) {
  verdict_.evaluated("owner");
  if (granted) verdict_.safety("owner", fmt::format("{} by another user: {}", what, answer));
}

}  // namespace drumlin::sim
