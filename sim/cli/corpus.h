// Corpus: plans that once failed, kept for ever. Each is a plan file whose comment says what it found:
//
//   # class: safety/bucket      what the run's report said before the fix (required)
//   # found: ...                what was wrong, for people (required)
#pragma once

#include <string>

#include "sim/cli/children.h"

namespace drumlin::sim {

struct CorpusOptions {
  std::string directory = "scenarios/corpus";
  size_t jobs = 1;
  Limits limits;
};

// Runs every *.plan of the directory: a line of JSON each, a summary last. The exit code: that of the
// gravest outcome; kExitUsage if the directory has no plan, or one that cannot be read.
int verify_corpus(const CorpusOptions& options);

}  // namespace drumlin::sim
