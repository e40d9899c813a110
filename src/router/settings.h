// Settings of the router of a node.
#pragma once

#include <cstddef>
#include <cstdint>

namespace drumlin::router {

struct Settings {
  uint64_t buckets_per_user = 1000;  // those that are half made or half deleted included
  size_t remembered_buckets = 4096;  // records
};

}  // namespace drumlin::router
