// Timer and TimerHeap: callbacks at an instant, with removal. Intrusive: a Timer is a member (or a
// stack object) of whoever waits, so arming allocates nothing; its destructor disarms it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/time.h"

namespace drumlin {

class TimerHeap;

class Timer {
 public:
  Timer() = default;
  virtual ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Runs on the reactor between fibers; the timer is disarmed by then. Must not suspend.
  virtual void fire() = 0;

  bool armed() const { return heap_ != nullptr; }
  Instant at() const { return at_; }
  void disarm();

 private:
  friend class TimerHeap;
  TimerHeap* heap_ = nullptr;
  size_t position_ = 0;
  Instant at_{};
  uint64_t sequence_ = 0;
};

// Binary heap ordered by (instant, order of arming): ties never break by address.
class TimerHeap {
 public:
  ~TimerHeap();
  void arm(Timer& timer, Instant at);
  void disarm(Timer& timer);
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  // The earliest timer; not removed. REQUIRES: !empty().
  Timer& top() const { return *heap_[0]; }
  // Removes and returns the earliest. REQUIRES: !empty().
  Timer& pop();

 private:
  static bool before(const Timer& a, const Timer& b) {
    return a.at_ != b.at_ ? a.at_ < b.at_ : a.sequence_ < b.sequence_;
  }
  void place(Timer* timer, size_t position);
  void up(size_t position);
  void down(size_t position);
  std::vector<Timer*> heap_;
  uint64_t next_sequence_ = 0;
};

}  // namespace drumlin
