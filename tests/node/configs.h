// Configurations that are good, for the tests to spoil.
#pragma once

#include "node/config.h"

namespace drumlin::node::test {

inline Config single() {
  Config out;
  out.access_key = "access";
  out.secret_key = "a long secret";
  out.kv_engine = "memory";
  return out;
}

// Node 1 of n.
inline Config cluster(size_t n) {
  Config out = single();
  out.cluster_secret = "secret";
  for (size_t i = 1; i <= n; ++i) {
    const auto port = static_cast<uint16_t>(9000 + 10 * i);
    out.members.push_back({NodeId(i),
                           {"127.0.0.1", static_cast<uint16_t>(port + 2)},
                           {"127.0.0.1", port},
                           {"127.0.0.1", static_cast<uint16_t>(port + 1)}});
  }
  return out;
}

}  // namespace drumlin::node::test
