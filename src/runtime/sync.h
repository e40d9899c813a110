// Waiting on the reactor: WaitQueue and what is built from it. All of it is for the fibers of one
// reactor; nothing here is thread-safe and nothing needs to be.
//
// Every wait takes an optional deadline and an optional Cancellation. A waiter that is killed (see
// scheduler.h) leaves every queue it stands in.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "base/status.h"
#include "base/time.h"
#include "runtime/clock.h"
#include "runtime/scheduler.h"

namespace drumlin {

class Cancellation;
class WaitQueue;

enum class Wake : unsigned char { kNotified, kTimeout, kCancelled };

namespace sync_internal {
struct Waiter;
// Doubly linked, intrusive, FIFO.
struct WaiterList {
  Waiter* head = nullptr;
  Waiter* tail = nullptr;
};
}  // namespace sync_internal

// Asks waiting fibers to give up. Once cancelled it stays so; waits that begin later return at once.
class Cancellation {
 public:
  Cancellation() = default;
  ~Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;
  void cancel();
  bool cancelled() const { return cancelled_; }

 private:
  friend class WaitQueue;
  friend struct sync_internal::Waiter;
  sync_internal::WaiterList waiters_;
  bool cancelled_ = false;
};

// Fibers waiting for something, first in, first out: a condition variable that needs no mutex,
// because nothing runs between the check of the condition and the wait. No spurious wake-ups, but
// another fiber may run first: check the condition again.
class WaitQueue {
 public:
  WaitQueue(Scheduler& scheduler, Clock& clock) : scheduler_(scheduler), clock_(clock) {}
  ~WaitQueue();
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  // `tag` is for whoever notifies: see front_tag().
  Wake wait(Instant deadline = kNever, Cancellation* cancellation = nullptr, size_t tag = 0);
  bool notify_one();  // false if nobody waits
  void notify_all();
  bool empty() const { return waiters_.head == nullptr; }
  size_t front_tag() const;  // of the fiber that notify_one() would wake. REQUIRES: !empty()
  Scheduler& scheduler() const { return scheduler_; }
  Clock& clock() const { return clock_; }

 private:
  friend struct sync_internal::Waiter;
  Scheduler& scheduler_;
  Clock& clock_;
  sync_internal::WaiterList waiters_;
};

// The Status of a wait that did not end in a notification.
Status wake_status(Wake wake);

// Fair (handed over in order of arrival) mutex over suspension points. Rarely needed: code that does not suspend is atomic anyway.
class Mutex {
 public:
  Mutex(Scheduler& scheduler, Clock& clock) : queue_(scheduler, clock) {}
  struct Adopt {};
  class [[nodiscard]] Guard {
   public:
    explicit Guard(Mutex& mutex) : mutex_(&mutex) { mutex.lock(); }
    // Only unlocks: for a mutex that lock(deadline) has given.
    Guard(Mutex& mutex, Adopt) : mutex_(&mutex) {}
    ~Guard() { mutex_->unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Mutex* mutex_;
  };
  void lock();
  Status lock(Instant deadline);  // kTimeout: it is not ours
  void unlock();
  bool locked() const { return locked_; }

 private:
  WaitQueue queue_;
  bool locked_ = false;
};

// A number of permits (bytes in flight, requests at once). Fair: permits are granted in order of
// arrival, so small requests cannot starve a large one.
class Semaphore {
 public:
  Semaphore(Scheduler& scheduler, Clock& clock, size_t permits)
      : queue_(scheduler, clock), available_(permits), total_(permits) {}
  // Takes n permits, waiting for them. kInvalidArgument if n exceeds the total: it could never be.
  Status acquire(size_t n, Instant deadline = kNever, Cancellation* cancellation = nullptr);
  bool try_acquire(size_t n);
  void release(size_t n);
  size_t available() const { return available_; }
  size_t total() const { return total_; }

 private:
  void grant();
  WaitQueue queue_;  // tag = permits wanted
  size_t available_;
  size_t total_;
};

// Counts running things; wait() returns when the count is zero. For joining fibers.
class WaitGroup {
 public:
  WaitGroup(Scheduler& scheduler, Clock& clock) : queue_(scheduler, clock) {}
  void add(size_t n = 1) { count_ += n; }
  void done();
  Wake wait(Instant deadline = kNever);
  size_t count() const { return count_; }

 private:
  WaitQueue queue_;
  size_t count_ = 0;
};

// Bounded queue of T between fibers. close() lets receivers drain what is there, then fail.
template <typename T>
class Channel {
 public:
  Channel(Scheduler& scheduler, Clock& clock, size_t capacity)
      : senders_(scheduler, clock), receivers_(scheduler, clock), capacity_(capacity) {}

  // kClosed after close(); kTimeout, kCancelled as usual. The item is moved from only on success.
  Status send(T&& item, Instant deadline = kNever, Cancellation* cancellation = nullptr) {
    while (!closed_ && items_.size() >= capacity_) {
      const Wake wake = senders_.wait(deadline, cancellation);
      if (wake != Wake::kNotified) return wake_status(wake);
    }
    if (!try_send(std::move(item))) return {Code::kClosed, "channel closed"};
    return {};
  }
  // False, and `item` untouched, when full or closed.
  bool try_send(T&& item) {
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    receivers_.notify_one();
    return true;
  }
  Result<T> receive(Instant deadline = kNever, Cancellation* cancellation = nullptr) {
    while (items_.empty()) {
      if (closed_) return Status(Code::kClosed, "channel closed");
      const Wake wake = receivers_.wait(deadline, cancellation);
      if (wake != Wake::kNotified) return wake_status(wake);
    }
    return take();
  }
  std::optional<T> try_receive() {
    if (items_.empty()) return std::nullopt;
    return take();
  }
  void close() {
    closed_ = true;
    senders_.notify_all();
    receivers_.notify_all();
  }
  bool closed() const { return closed_; }
  size_t size() const { return items_.size(); }

 private:
  T take() {
    T item = std::move(items_.front());
    items_.pop_front();
    senders_.notify_one();
    return item;
  }
  WaitQueue senders_;
  WaitQueue receivers_;
  std::deque<T> items_;
  size_t capacity_;
  bool closed_ = false;
};

}  // namespace drumlin
