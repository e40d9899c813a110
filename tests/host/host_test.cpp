// host: fibers, clocks, offload and the end of a run.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <string>
#include <vector>

#include "tests/host/fixture.h"

namespace drumlin::host::test {
namespace {

TEST(HostClock, StandsStillWhileAFiberRuns) {
  on_host([](Runtime& runtime) {
    const Instant before = runtime.clock().now();
    const WallTime wall = runtime.clock().wall();
    const auto real = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < real + 2ms) {
    }
    EXPECT_EQ(runtime.clock().now(), before);
    EXPECT_EQ(runtime.clock().wall(), wall);
    EXPECT_TRUE(runtime.sleep_for(1ms).ok());
    EXPECT_GE(runtime.clock().now() - before, 1ms);
    EXPECT_GT(runtime.clock().wall(), WallTime(1'700'000'000s)) << "nanoseconds since 1970";
  });
}

TEST(HostClock, TimersFireInOrder) {
  on_host([](Runtime& runtime) {
    Fibers fibers(runtime);
    std::vector<int> order;
    for (const int ms : {3, 1, 2, 0}) {
      fibers.spawn([&, ms] {
        EXPECT_TRUE(runtime.sleep_for(std::chrono::milliseconds(ms)).ok());
        order.push_back(ms);
      });
    }
    fibers.wait();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
  });
}

TEST(HostClock, BusyFibersDoNotStarveTimers) {
  on_host([](Runtime& runtime) {
    bool stop = false;
    Fibers fibers(runtime);
    fibers.spawn([&] {
      while (!stop)
        runtime.scheduler().yield();
    });
    EXPECT_TRUE(runtime.sleep_for(2ms).ok());
    stop = true;
    fibers.wait();
  });
}

TEST(Offload, FromManyFibers) {
  on_host([](Runtime& runtime) {
    Fibers fibers(runtime);
    std::atomic<int> ran = 0;
    int sum = 0;
    for (int id = 0; id < 200; ++id) {
      fibers.spawn([&, id] {
        for (int i = 0; i < 10; ++i) {
          int answer = 0;  // on this fiber's stack, written by another thread
          runtime.offload([&] {
            answer = id + i;
            ++ran;
          });
          sum += answer;
        }
      });
    }
    fibers.wait();
    EXPECT_EQ(ran, 2000);
    EXPECT_EQ(sum, 200 * 10 * (199 + 9) / 2);
  });
}

TEST(Offload, FibersAndFilesGoOnMeanwhile) {
  TempDir dir;
  on_host(
      [](Runtime& runtime) {
        std::latch go(1);
        Fibers fibers(runtime);
        for (int i = 0; i < 8; ++i) {  // more than there are threads for
          fibers.spawn([&] { runtime.offload([&] { go.wait(); }); });
        }
        fibers.spawn([&] {
          auto file = runtime.disk().open("f", OpenMode::kCreate);
          ASSERT_TRUE(file.ok());
          EXPECT_TRUE((*file)->write_at(0, "x").ok());
          EXPECT_TRUE((*file)->sync().ok());
          EXPECT_TRUE(runtime.sleep_for(1ms).ok());
          go.count_down();
        });
        fibers.wait();
      },
      dir.path());
}

TEST(HostEnd, KillsWhatStillWaits) {
  TempDir dir;
  int unwound = 0;
  struct Count {
    explicit Count(int& n) : count(n) {}
    ~Count() { ++count; }
    int& count;
  };
  on_host(
      [&](Runtime& runtime) {
        auto listener = runtime.network().listen({"127.0.0.1", 0});
        ASSERT_TRUE(listener.ok());
        const Endpoint there = (*listener)->local();
        // The acceptor owns the streams that the readers read from: any order of their ends must
        // do.
        auto shared = std::make_shared<std::unique_ptr<Listener>>(std::move(*listener));
        WaitGroup reading(runtime.scheduler(), runtime.clock());
        reading.add(5);
        auto* waiting = &reading;
        runtime.spawn("accept", [&unwound, &runtime, shared, waiting] {
          const Count count(unwound);
          std::vector<std::unique_ptr<Stream>> streams;
          for (;;) {
            auto stream = (*shared)->accept();
            if (!stream.ok()) return;
            streams.push_back(std::move(*stream));
            runtime.spawn("read", [&unwound, waiting, s = streams.back().get()] {
              const Count mine(unwound);
              waiting->done();
              char byte;
              (void)s->read_some({&byte, 1});
              ADD_FAILURE() << "nothing came";
            });
          }
        });
        std::vector<std::unique_ptr<Stream>> clients;
        for (int i = 0; i < 5; ++i) {
          auto stream = runtime.network().connect(there, kNever);
          ASSERT_TRUE(stream.ok());
          clients.push_back(std::move(*stream));
        }
        (void)reading.wait();
        runtime.spawn("sleep", [&unwound, &runtime] {
          const Count count(unwound);
          (void)runtime.sleep_until(kNever);
        });
        runtime.scheduler().yield();
        // The clients live on: closing them would end the reads before the kill does.
        runtime.spawn("hold", [&unwound, &runtime,
                               held = std::make_shared<decltype(clients)>(std::move(clients))] {
          const Count count(unwound);
          (void)runtime.sleep_until(kNever);
        });
        runtime.scheduler().yield();
      },
      dir.path());
  EXPECT_EQ(unwound, 8);
}

TEST(HostEnd, WaitsForRunningJobs) {
  std::atomic<bool> ended = false;
  bool ended_before_unwinding = false;
  const auto host = make_host({}, 1);
  std::latch begun(1);
  std::latch release(1);
  host->run([&](Runtime& runtime, Cancellation&) {
    runtime.spawn("job", [&] {
      struct Unwound {
        ~Unwound() { at_unwinding = ended; }
        std::atomic<bool>& ended;
        bool& at_unwinding;
      };
      const Unwound unwound{ended, ended_before_unwinding};
      std::string on_stack(1000, 'a');
      runtime.offload([&] {
        begun.count_down();
        release.wait();
        const auto until = std::chrono::steady_clock::now() + 10ms;
        while (std::chrono::steady_clock::now() < until) {
          for (char& c : on_stack)
            c = 'b';  // the stack must be there still
        }
        ended = true;
      });
    });
    runtime.spawn("queued", [&] {
      std::string on_stack(1000, 'a');
      runtime.offload([&] { on_stack.assign(1000, 'c'); });
    });
    while (!begun.try_wait())
      runtime.scheduler().yield();
    release.count_down();
    return 0;
  });
  EXPECT_TRUE(ended_before_unwinding);
}

TEST(HostEnd, WithoutARun) {
  TempDir dir;
  EXPECT_NE(make_host(dir.path()), nullptr);
}

}  // namespace
}  // namespace drumlin::host::test
