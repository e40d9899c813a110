// Children: runs in child processes, so that a crash, an endless loop or a run that eats all memory
// still ends in one line of JSON, and costs the others nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/run/run.h"

namespace drumlin::sim {

struct Limits {
  uint64_t cpu_seconds = 300;
  uint64_t memory_bytes = uint64_t{4} << 30;  // of address space; not under sanitizers
};

struct ChildResult {
  uint64_t seed = 0;
  std::string line;    // JSON, without the newline
  std::string errors;  // what it wrote to standard error
  int exit_code = 0;   // of drumlin-sim
};

class Children {
 public:
  explicit Children(Limits limits) : limits_(limits) {}
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Starts a child that executes `body` and reports what it returns. `replay`: the command to name.
  void start(uint64_t seed, std::string replay, std::function<Report()> body);
  size_t running() const { return children_.size(); }
  // Waits until one has ended. REQUIRES: running() > 0.
  ChildResult wait();

 private:
  struct Child {
    uint64_t seed = 0;
    std::string replay;
    int out = -1;
    int err = -1;
    std::string out_bytes;
    std::string err_bytes;
    double started_s = 0;
  };
  void pump();
  ChildResult bury(int pid, Child child, int wait_status) const;

  Limits limits_;
  std::map<int, Child> children_;  // by process id
};

// The exit code of two runs: safety first, then crashes, liveness, resources; inconclusive is the least.
int graver(int a, int b);
// Seconds of real time since some moment.
double real_seconds();
// "'" around what a shell would not take literally.
std::string shell_quoted(const std::string& text);

}  // namespace drumlin::sim
