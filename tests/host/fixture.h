// A Host for one test, and a directory that goes away with it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "host/host.h"

namespace drumlin::host::test {

class TempDir {
 public:
  TempDir() {
    std::string pattern = ::testing::TempDir() + "drumlin-host-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::unique_ptr<Host> make_host(const std::string& data_dir = {}, size_t job_threads = 4) {
  Host::Options options;
  options.data_dir = data_dir;
  options.job_threads = job_threads;
  auto made = Host::create(options);
  EXPECT_TRUE(made.ok()) << made.status().to_string();
  return made.ok() ? std::move(*made) : nullptr;
}

// Runs `body` as the first fiber of a new Host.
inline void on_host(const std::function<void(Runtime&)>& body, const std::string& data_dir = {}) {
  const auto host = make_host(data_dir);
  ASSERT_NE(host, nullptr);
  EXPECT_EQ(host->run([&](Runtime& runtime, Cancellation&) {
    body(runtime);
    return 17;
  }),
            17);
}

// Fibers of one test, to be waited for.
class Fibers {
 public:
  explicit Fibers(Runtime& runtime)
      : runtime_(runtime), running_(runtime.scheduler(), runtime.clock()) {}
  void spawn(std::function<void()> body) {
    running_.add();
    runtime_.spawn("test", [this, run = std::move(body)] {
      run();
      running_.done();
    });
  }
  void wait() { (void)running_.wait(); }

 private:
  Runtime& runtime_;
  WaitGroup running_;
};

}  // namespace drumlin::host::test
