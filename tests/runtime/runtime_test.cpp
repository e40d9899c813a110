// runtime: fibers, timers and waiting, on a hand-cranked clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/rng.h"
#include "runtime/clock.h"
#include "runtime/network.h"
#include "runtime/scheduler.h"
#include "runtime/sync.h"

namespace drumlin {
namespace {

// Virtual time: run() jumps from timer to timer.
class CrankedClock : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override { return WallTime(now_.time_since_epoch()); }
  void arm(Timer& timer, Instant at) override {
    if (at == kNever) {
      timer.disarm();
    } else {
      heap_.arm(timer, std::max(at, now_));
    }
  }
  void run(Scheduler& scheduler) {
    scheduler.run_ready();
    while (!heap_.empty()) {
      now_ = heap_.top().at();
      heap_.pop().fire();
      scheduler.run_ready();
    }
  }
  Instant now_{};
  TimerHeap heap_;
};

class RuntimeTest : public ::testing::Test {
 public:
  ~RuntimeTest() override { scheduler.kill(domain); }
  void spawn(std::function<void()> body) { scheduler.spawn(domain, "test", std::move(body)); }
  void run() { clock.run(scheduler); }
  void log(std::string line) { lines.push_back(std::move(line)); }

  Scheduler scheduler;
  CrankedClock clock;
  Domain domain{"node"};
  std::vector<std::string> lines;
};

using Lines = std::vector<std::string>;

TEST_F(RuntimeTest, FibersInterleaveInOrder) {
  for (const char* name : {"a", "b"}) {
    spawn([this, name] {
      for (int i = 0; i < 2; ++i) {
        log(name + std::to_string(i));
        scheduler.yield();
      }
    });
  }
  run();
  EXPECT_EQ(lines, (Lines{"a0", "b0", "a1", "b1"}));
  EXPECT_EQ(domain.fibers(), 0u);
}

TEST_F(RuntimeTest, ExceptionStateIsPerFiber) {
  // Each fiber suspends inside its catch block while the others throw and catch.
  for (int id = 0; id < 3; ++id) {
    spawn([this, id] {
      try {
        throw std::runtime_error("e" + std::to_string(id));
      } catch (const std::exception&) {
        scheduler.yield();
        try {
          throw;
        } catch (const std::exception& again) {
          log(again.what());
        }
      }
    });
  }
  run();
  EXPECT_EQ(lines, (Lines{"e0", "e1", "e2"}));
}

TEST_F(RuntimeTest, WaitTimesOutAtItsDeadline) {
  WaitQueue queue(scheduler, clock);
  spawn([&] {
    EXPECT_EQ(queue.wait(clock.now() + 5ms), Wake::kTimeout);
    EXPECT_EQ(clock.now().time_since_epoch(), 5ms);
    EXPECT_EQ(queue.wait(clock.now()), Wake::kTimeout) << "a deadline that has passed";
  });
  run();
  EXPECT_TRUE(queue.empty());
}

TEST_F(RuntimeTest, NotifyIsFifoAndDisarmsTheTimer) {
  WaitQueue queue(scheduler, clock);
  for (int i = 0; i < 3; ++i) {
    spawn([&, i] {
      EXPECT_EQ(queue.wait(clock.now() + 1s), Wake::kNotified);
      log(std::to_string(i));
    });
  }
  spawn([&] {
    while (queue.notify_one()) {
    }
  });
  run();
  EXPECT_EQ(lines, (Lines{"0", "1", "2"}));
  EXPECT_EQ(clock.now().time_since_epoch(), 0ms);
}

TEST_F(RuntimeTest, CancellationWakesAndStays) {
  WaitQueue queue(scheduler, clock);
  Cancellation cancellation;
  spawn([&] {
    EXPECT_EQ(queue.wait(kNever, &cancellation), Wake::kCancelled);
    EXPECT_EQ(queue.wait(kNever, &cancellation), Wake::kCancelled);
    log("gave up");
  });
  spawn([&] { cancellation.cancel(); });
  run();
  EXPECT_EQ(lines, (Lines{"gave up"}));
}

TEST_F(RuntimeTest, WhoGivesUpAMutexIsNotHandedIt) {
  Mutex mutex(scheduler, clock);
  const Instant start = clock.now();
  spawn([&] {
    Mutex::Guard guard(mutex);
    WaitQueue nobody(scheduler, clock);
    (void)nobody.wait(start + 10s);
  });
  spawn([&] {
    EXPECT_TRUE(mutex.lock(start + 5s).is(Code::kTimeout));
    log("gave up");
  });
  spawn([&] {
    EXPECT_TRUE(mutex.lock(start + 20s).ok());
    Mutex::Guard guard(mutex, Mutex::Adopt());
    log("has it");
  });
  run();
  EXPECT_FALSE(mutex.locked());
  EXPECT_EQ(lines, (Lines{"gave up", "has it"}));
}

TEST_F(RuntimeTest, KillUnwindsEveryFiber) {
  WaitQueue queue(scheduler, clock);
  Mutex mutex(scheduler, clock);
  struct Note {
    ~Note() { test->log("unwound " + name); }
    RuntimeTest* test;
    std::string name;
  };
  spawn([&] {
    Note note{this, "waiting"};
    (void)queue.wait();
    log("never");
  });
  spawn([&] {
    Mutex::Guard guard(mutex);
    Note note{this, "holding"};
    try {
      (void)queue.wait(clock.now() + 1h);
    } catch (const std::exception&) {
      log("a kill is no std::exception");
    }
  });
  spawn([&] {
    Mutex::Guard guard(mutex);  // woken by the unwinding above, yet never runs
    log("never");
  });
  scheduler.run_ready();
  spawn([&] { log("never started"); });
  scheduler.kill(domain);
  EXPECT_EQ(domain.fibers(), 0u);
  EXPECT_TRUE(queue.empty());
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (Lines{"unwound holding", "unwound waiting"}));
  spawn([&] { log("dropped"); });
  run();
  EXPECT_EQ(lines.size(), 2u) << "a dead domain spawns nothing";
}

TEST_F(RuntimeTest, DoomStopsTheOthersAtOnce) {
  Domain other("other");
  scheduler.spawn(other, "a", [&] {
    scheduler.doom(other);
    scheduler.yield();
    log("never");
  });
  scheduler.spawn(other, "b", [&] { log("never"); });
  run();
  EXPECT_EQ(lines, Lines{});
  scheduler.kill(other);
}

TEST_F(RuntimeTest, SemaphoreIsFairToLargeRequests) {
  Semaphore permits(scheduler, clock, 10);
  spawn([&] {
    EXPECT_TRUE(permits.acquire(8).ok());
    scheduler.yield();
    scheduler.yield();
    permits.release(8);
  });
  spawn([&] {
    EXPECT_TRUE(permits.acquire(10).ok());
    log("large");
    permits.release(10);
  });
  spawn([&] {
    EXPECT_TRUE(permits.acquire(1).ok());
    log("small");
    permits.release(1);
  });
  spawn([&] {
    EXPECT_TRUE(permits.acquire(11).is(Code::kInvalidArgument));
    EXPECT_FALSE(permits.try_acquire(1)) << "others wait already";
  });
  run();
  EXPECT_EQ(lines, (Lines{"large", "small"}));
  EXPECT_EQ(permits.available(), 10u);
}

TEST_F(RuntimeTest, SemaphoreTimeoutLetsTheNextOneThrough) {
  Semaphore permits(scheduler, clock, 10);
  spawn([&] {
    EXPECT_TRUE(permits.acquire(5).ok());
    (void)WaitQueue(scheduler, clock).wait(clock.now() + 1s);
    permits.release(5);
  });
  spawn([&] { EXPECT_TRUE(permits.acquire(10, clock.now() + 5ms).is(Code::kTimeout)); });
  spawn([&] {
    EXPECT_TRUE(permits.acquire(5).ok());
    EXPECT_EQ(clock.now().time_since_epoch(), 5ms);
    permits.release(5);
  });
  run();
  EXPECT_EQ(permits.available(), 10u);
}

TEST_F(RuntimeTest, ChannelBlocksWhenFullAndDrainsAfterClose) {
  Channel<int> channel(scheduler, clock, 2);
  spawn([&] {
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(channel.send(int{i}).ok());
    channel.close();
    EXPECT_TRUE(channel.send(9).is(Code::kClosed));
  });
  spawn([&] {
    for (;;) {
      auto item = channel.receive();
      if (!item.ok()) {
        EXPECT_TRUE(item.is(Code::kClosed));
        break;
      }
      log(std::to_string(*item));
    }
  });
  run();
  EXPECT_EQ(lines, (Lines{"0", "1", "2", "3", "4"}));
}

TEST_F(RuntimeTest, WaitGroupJoins) {
  WaitGroup group(scheduler, clock);
  for (int i = 0; i < 3; ++i) {
    group.add();
    spawn([&, i] {
      (void)WaitQueue(scheduler, clock).wait(clock.now() + i * 1ms);
      group.done();
    });
  }
  spawn([&] {
    EXPECT_EQ(group.wait(clock.now() + 1us), Wake::kTimeout);
    EXPECT_EQ(group.wait(), Wake::kNotified);
    EXPECT_EQ(clock.now().time_since_epoch(), 2ms);
  });
  run();
}

TEST(TimerHeap, PopsInOrderWhateverIsRemoved) {
  struct T : Timer {
    void fire() override {}
  };
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    TimerHeap heap;
    std::vector<std::unique_ptr<T>> timers;
    for (int i = 0; i < 40; ++i) {
      timers.push_back(std::make_unique<T>());
      heap.arm(*timers.back(), Instant(Duration(static_cast<int64_t>(rng.below(20)))));
    }
    for (int i = 0; i < 20; ++i) {
      auto& t = *rng.pick(timers);
      if (rng.chance(1, 2)) {
        t.disarm();
      } else {
        heap.arm(t, Instant(Duration(static_cast<int64_t>(rng.below(20)))));
      }
    }
    Instant last{};
    while (!heap.empty()) {
      EXPECT_LE(last, heap.top().at());
      last = heap.pop().at();
    }
  }
}

TEST(Endpoint, ParsesWhatItPrints) {
  for (const char* text : {"127.0.0.1:9000", "[::1]:1", "10.0.0.1:65535"}) {
    EXPECT_EQ(Endpoint::parse(text).value().to_string(), text);
  }
  for (const char* bad : {"", "a", ":1", "a:", "a:x", "a:70000", "::1:9", "a:1x"}) {
    EXPECT_FALSE(Endpoint::parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace drumlin
