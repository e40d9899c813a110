// Machine: one boot of a node on a FakeDisk: hand-cranked clock, fibers, power that fails when
// asked to.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fake_disk.h"
#include "observe/observer.h"
#include "runtime/runtime.h"

namespace drumlin::wal::test {

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

 private:
  Instant now_{};
  TimerHeap heap_;
};

class Machine : public Runtime {
 public:
  explicit Machine(const Image& image = {}) : Machine(std::make_shared<FakeDisk>(image)) {}
  // On a disk that another machine has left behind when its process was killed.
  explicit Machine(std::shared_ptr<FakeDisk> disk);
  ~Machine() override;

  Scheduler& scheduler() override { return scheduler_; }
  Domain& domain() override { return domain_; }
  Clock& clock() override { return clock_; }
  Network& network() override { DRUMLIN_UNREACHABLE("no network"); }
  FakeDisk& disk() override { return *disk_; }
  const std::shared_ptr<FakeDisk>& shared_disk() const { return disk_; }
  const Rng& random() override { return random_; }
  void secure_random(std::span<char> into) override;
  void offload(std::function<void()> job) override { job(); }
  [[noreturn]] void halt(std::string_view reason) override;
  std::string boot_id() override { return "boot"; }

  observe::Observer observer() { return {log_, metrics_, nullptr}; }

  // Runs `body` in a fiber until nothing is left to do. True if it came to its end: false if the
  // node halted or lost power before.
  bool run(std::function<void()> body);

  const std::string& halted() const { return halted_; }  // the reason, empty if it did not
  const std::vector<std::string>& log_lines() const { return lines_; }

 private:
  [[noreturn]] void die();
  std::shared_ptr<FakeDisk> disk_;
  CrankedClock clock_;
  Scheduler& scheduler_;  // one for all machines: it keeps stacks for reuse
  Domain domain_{"node"};
  Rng random_{1};
  std::vector<std::string> lines_;
  observe::Log log_;
  observe::Metrics metrics_;
  std::string halted_;
  unsigned char next_random_ = 0;
};

// Every sequence of choices, one after the other: call body(choose) until next() is false.
class Odometer {
 public:
  size_t operator()(size_t n) {
    if (at_ == digits_.size()) digits_.push_back({0, n});
    DRUMLIN_CHECK_EQ(digits_[at_].second, n);
    return digits_[at_++].first;
  }
  bool next() {
    digits_.resize(at_);
    at_ = 0;
    while (!digits_.empty() && digits_.back().first + 1 == digits_.back().second)
      digits_.pop_back();
    if (digits_.empty()) return false;
    ++digits_.back().first;
    return true;
  }

 private:
  std::vector<std::pair<size_t, size_t>> digits_;
  size_t at_ = 0;
};

// All power-cut images of a disk.
template <typename Body>
size_t for_each_crash(const FakeDisk& disk, const Body& body) {
  Odometer odometer;
  size_t images = 0;
  do {
    body(disk.crash([&](size_t n) { return odometer(n); }));
    ++images;
  } while (odometer.next());
  return images;
}

// Some of them, where all are too many: one fate for every write, then chance. Equal ones count
// once.
template <typename Body>
void for_some_crashes(const FakeDisk& disk, size_t drawn, const Body& body) {
  std::vector<Image> seen;
  const auto once = [&](Image image) {
    if (std::find(seen.begin(), seen.end(), image) != seen.end()) return;
    seen.push_back(std::move(image));
    body(seen.back());
  };
  for (size_t fate = 0; fate < 5; ++fate) {
    once(disk.crash([&](size_t n) { return std::min(fate, n - 1); }));
  }
  Rng rng(disk.operations);
  for (size_t i = 0; i < drawn; ++i)
    once(disk.crash([&](size_t n) { return rng.below(n); }));
}

}  // namespace drumlin::wal::test
