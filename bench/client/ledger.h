// Ledger: one key a writer, each overwritten with growing numbers for as long as it runs, so that an
// acknowledged write that is lost shows as a number that went back. Driven by lines on standard input,
// so that whoever kills nodes can say when:
//
//   mark      from now on note, for each key, when the first write that began after now is acknowledged;
//             answers {"recovered_ms": [...]} once all are, {"recovered_ms": [...], "missing": n} if
//             `patience` passes first
//   verify    stops writing, reads every key at every endpoint; answers {"keys", "acknowledged", "lost",
//             "errors"} and ends
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "bench/client/load.h"

namespace drumlin::bench {

struct LedgerOptions {
  std::vector<Address> endpoints;
  size_t buckets = 4;
  size_t keys = 32;
  Duration pause = 20ms;  // of a writer between an answer and its next write
  Duration patience = 30s;
  auth::Credentials credentials;
  std::string region;
};

// Reads standard input to its end. The result is an exit code.
int run_ledger(const LedgerOptions& options);

}  // namespace drumlin::bench
