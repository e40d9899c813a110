// The answer of `drumlin-bench run` as one JSON line.
#pragma once

#include <string>

#include "bench/client/load.h"

namespace drumlin::bench {

struct Cell {
  std::string operation;  // put, get, list
  size_t object_bytes = 0;
  size_t workers = 0;
  size_t endpoints = 0;
  Payload payload = Payload::kUnsigned;
};

std::string report(const Cell& cell, const LoadResult& result);

}  // namespace drumlin::bench
