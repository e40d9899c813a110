// Host: the production runtime. One reactor thread runs all fibers; two small pools of threads take
// what would block it: file calls, and the jobs of Runtime::offload. They are apart because a job
// may wait for a file (a kv flush waits for the log to be synced), and so that a sync never queues
// behind hashing.
//
// One Host a process runs at a time: while it does, it owns SIGINT, SIGTERM and SIGPIPE.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "observe/log.h"
#include "runtime/runtime.h"

namespace drumlin::host {

class Host {
 public:
  struct Options {
    // Made (0700, with its parents) if missing. Empty: no disk, for clients; Runtime::disk() is
    // then a failed CHECK.
    std::string data_dir;
    size_t file_threads = 4;
    size_t job_threads = 4;
  };
  using Main = std::function<int(Runtime& runtime, Cancellation& stop)>;

  // Locks the data directory, raises the limit of open files to what is allowed and starts the
  // threads. Errors are for the operator and name the path: kFailedPrecondition if another process
  // has the directory, otherwise what the operating system says.
  static Result<std::unique_ptr<Host>> create(const Options& options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Runs `main` as the domain's first fiber and returns what it returns. SIGINT or SIGTERM cancels
  // `stop`; a second one ends the process at once (130, 143). `hangup` is called on the reactor after
  // SIGHUP and may only wake or spawn fibers; without it SIGHUP does what it always does. Once main has returned, running jobs
  // are waited for, those not begun are dropped, and the fibers left over are killed. Once only.
  int run(const Main& main, std::function<void()> hangup = {});

 private:
  class Impl;
  explicit Host(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The exit code of Runtime::halt: the reason is on standard error, no destructor has run.
inline constexpr int kHaltedExitCode = 70;

// How many files and sockets this process may have open at once; raises that to what is allowed.
size_t open_files_limit();

// Lines to standard error, one write each.
observe::LogSink stderr_log_sink();

// A whole file of the operator's, by any path. Errors name it. Blocks: for before run().
Result<std::string> read_file(const std::string& path);

// The environment of the process.
std::map<std::string, std::string> environment();

}  // namespace drumlin::host
