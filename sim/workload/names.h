// What the files of the workload share: names, bodies, and how often to ask. Internal to sim/workload.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/rng.h"
#include "sim/plan/plan.h"
#include "sim/workload/keys.h"
#include "sim/workload/workload.h"

namespace drumlin::sim {

inline constexpr int kAttempts = 3;
inline constexpr Duration kPause = 200ms;

// The body that goes with an id: whoever sees the id can tell what must be in it.
inline std::string body_of(std::string_view id, size_t bytes) {
  std::string out;
  out.reserve(bytes + 8);
  for (Rng rng(xxh3(id)); out.size() < bytes;) {
    const uint64_t word = rng.next();
    out.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  out.resize(bytes);
  return out;
}

inline std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

// The answer to HEAD has no body to say so; no client of a plan deserves a 403 for another reason.
inline bool too_skewed(const S3Answer& answer) {
  return answer.status == 403 && (answer.code == "RequestTimeTooSkewed" || answer.code.empty());
}

// A node that says so, or does not speak, may be the wrong one: another may know better.
inline bool worth_another_node(const S3Answer& answer) {
  if (too_skewed(answer)) return true;
  return answer.outcome == Outcome::kNotDone && (answer.status == 0 || answer.status == 503);
}

struct Workload::Client {
  Client(Runtime& r, uint32_t n) : runtime(r), number(n) {}
  Runtime& runtime;
  uint32_t number;
  S3Client* s3 = nullptr;  // on its fiber's stack: connections end with the world
  uint64_t puts = 0;
  uint32_t node = 1;  // that answered last, for persist()
};

}  // namespace drumlin::sim
