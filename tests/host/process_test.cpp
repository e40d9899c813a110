// host: signals, halt, and what comes from the process and the machine.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/host/fixture.h"

namespace drumlin::host::test {
namespace {

// A death test starts its process anew: there may be threads (of a sanitizer's) that a fork would
// miss.
class DeathTest : public ::testing::Test {
 protected:
  DeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using SignalsDeathTest = DeathTest;
using HaltDeathTest = DeathTest;
using HostDeathTest = DeathTest;

// Stops when told, with `again` raised once it has been.
int run_until(int signal, int again = 0) {
  const auto host = make_host();
  return host->run([&](Runtime& runtime, Cancellation& stop) {
    EXPECT_FALSE(stop.cancelled());
    ::raise(signal);
    EXPECT_EQ(runtime.sleep_until(kNever, &stop).code(), Code::kCancelled);
    EXPECT_TRUE(stop.cancelled());
    if (again != 0) ::raise(again);
    return 5;
  });
}

TEST(Signals, CancelStop) {
  EXPECT_EQ(run_until(SIGTERM), 5);
  EXPECT_EQ(run_until(SIGINT), 5) << "and another Host, later";
}

TEST(Signals, AHangupIsNoStop) {
  const auto host = make_host();
  size_t heard = 0;
  WaitQueue* changed = nullptr;
  const auto main = [&](Runtime& runtime, Cancellation& stop) {
    WaitQueue queue(runtime.scheduler(), runtime.clock());
    changed = &queue;
    for (size_t i = 1; i <= 3; ++i) {
      ::raise(SIGHUP);
      while (heard < i)
        (void)queue.wait();
    }
    EXPECT_FALSE(stop.cancelled());
    ::raise(SIGHUP);
    ::raise(SIGTERM);
    EXPECT_EQ(runtime.sleep_until(kNever, &stop).code(), Code::kCancelled);
    EXPECT_EQ(heard, 4u);
    return 5;
  };
  EXPECT_EQ(host->run(main, [&] { ++heard, changed->notify_all(); }), 5);
}

TEST_F(SignalsDeathTest, AHangupNobodyWantsEndsTheProcess) {
  EXPECT_EXIT(run_until(SIGHUP), ::testing::KilledBySignal(SIGHUP), "");
}

TEST_F(SignalsDeathTest, TheSecondEndsTheProcess) {
  EXPECT_EXIT(run_until(SIGTERM, SIGTERM), ::testing::ExitedWithCode(143), "");
  EXPECT_EXIT(run_until(SIGTERM, SIGINT), ::testing::ExitedWithCode(130), "");
}

TEST_F(SignalsDeathTest, AreOursOnlyWhileRunning) {
  (void)run_until(SIGTERM);
  EXPECT_EXIT(::raise(SIGTERM), ::testing::KilledBySignal(SIGTERM), "");
}

TEST(Signals, AClosedPipeIsAnErrorAndNoMore) {
  on_host([](Runtime&) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ::close(ends[0]);
    EXPECT_EQ(::write(ends[1], "x", 1), -1);
    ::close(ends[1]);
  });
}

TEST_F(HaltDeathTest, EndsTheProcessWithTheReason) {
  struct Destructor {
    ~Destructor() { ::_exit(1); }
  };
  EXPECT_EXIT(on_host([](Runtime& runtime) {
                const Destructor must_not_run;
                runtime.halt("the log is broken");
              }),
              ::testing::ExitedWithCode(kHaltedExitCode), "halted: the log is broken");
}

TEST(Host, ChanceDiffers) {
  uint64_t seeds[2];
  std::string secrets[2];
  for (int i = 0; i < 2; ++i) {
    on_host([&](Runtime& runtime) {
      seeds[i] = runtime.random().seed();
      secrets[i].assign(1000, '\0');
      runtime.secure_random(secrets[i]);
    });
  }
  EXPECT_NE(seeds[0], seeds[1]);
  EXPECT_NE(secrets[0], secrets[1]);
  EXPECT_NE(secrets[0].substr(900), std::string(100, '\0')) << "filled to the end";
}

TEST(Host, BootIdIsTheKernels) {
  std::string expected;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> expected;
  EXPECT_FALSE(expected.empty());
  on_host([&](Runtime& runtime) { EXPECT_EQ(runtime.boot_id(), expected); });
}

TEST_F(HostDeathTest, DiskNeedsADataDirectory) {
  EXPECT_DEATH(on_host([](Runtime& runtime) { (void)runtime.disk(); }), "a client has no disk");
}

TEST(Process, ReadFile) {
  TempDir dir;
  const std::string text = "[node]\n" + std::string(100'000, '#');
  std::ofstream(dir / "drumlin.toml") << text;
  EXPECT_EQ(read_file(dir / "drumlin.toml").value(), text);
  const auto missing = read_file(dir / "missing");
  EXPECT_EQ(missing.status().to_string(),
            "not_found: open " + (dir / "missing") + ": No such file or directory");
  EXPECT_EQ(read_file(dir.path()).status().message(), "read " + dir.path() + ": Is a directory");
}

TEST(Process, Environment) {
  ASSERT_EQ(::setenv("DRUMLIN_HOST_TEST", "a=b", 1), 0);
  EXPECT_EQ(environment().at("DRUMLIN_HOST_TEST"), "a=b");
  ASSERT_EQ(::unsetenv("DRUMLIN_HOST_TEST"), 0);
  EXPECT_EQ(environment().count("DRUMLIN_HOST_TEST"), 0u);
}

TEST(Process, LogGoesToStandardError) {
  ::testing::internal::CaptureStderr();
  stderr_log_sink()(observe::Level::kInfo, "{\"msg\":\"hello\"}");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "{\"msg\":\"hello\"}\n");
}

}  // namespace
}  // namespace drumlin::host::test
