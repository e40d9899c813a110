// What the files of the workload share: names, bodies, and how often to ask. Internal to sim/workload.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/rng.h"
#include "sim/plan/plan.h"
#include "sim/workload/workload.h"

namespace drumlin::sim {

inline constexpr int kAttempts = 3;
inline constexpr Duration kPause = 200ms;

inline std::string bucket_name(uint32_t number) {
  return fmt::format("bucket-{}", number);
}

// A few in "folders", so that listings meet delimiters and slashes in keys.
inline std::string key_name(uint32_t number) {
  return number % 4 == 3 ? fmt::format("dir/key-{:02}", number) : fmt::format("key-{:02}", number);
}

inline std::string object_target(const Op& op) {
  return fmt::format("/{}/{}", bucket_name(op.bucket), key_name(op.key));
}

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

// A node that says so, or does not speak, may be the wrong one: another may know better.
inline bool worth_another_node(const S3Answer& answer) {
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
