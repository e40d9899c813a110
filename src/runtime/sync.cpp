#include "runtime/sync.h"

#include "base/check.h"

namespace drumlin {
namespace sync_internal {

// One wait, on the waiting fiber's stack: a member of the queue, of the cancellation's list and of
// the timer heap until one of the three wakes it (or its stack is unwound).
struct Waiter final : Timer {
  struct Links {
    Waiter* prev = nullptr;
    Waiter* next = nullptr;
    WaiterList* list = nullptr;
  };

  Waiter(Scheduler& s, size_t t) : scheduler(s), fiber(s.current()), tag(t) {}
  ~Waiter() override {
    unlink(&Waiter::in_queue);
    unlink(&Waiter::in_cancellation);
  }

  void fire() override { finish(Wake::kTimeout); }

  void finish(Wake how) {
    unlink(&Waiter::in_queue);
    unlink(&Waiter::in_cancellation);
    disarm();
    result = how;
    scheduler.wake(fiber);
  }

  void link(WaiterList& list, Links Waiter::*links) {
    Links& mine = this->*links;
    mine.list = &list;
    mine.prev = list.tail;
    if (list.tail != nullptr) {
      (list.tail->*links).next = this;
    } else {
      list.head = this;
    }
    list.tail = this;
  }

  void unlink(Links Waiter::*links) {
    Links& mine = this->*links;
    if (mine.list == nullptr) return;
    (mine.prev != nullptr ? (mine.prev->*links).next : mine.list->head) = mine.next;
    (mine.next != nullptr ? (mine.next->*links).prev : mine.list->tail) = mine.prev;
    mine = {};
  }

  Scheduler& scheduler;
  Fiber* fiber;
  size_t tag;
  Links in_queue;
  Links in_cancellation;
  Wake result = Wake::kNotified;
};

}  // namespace sync_internal

using sync_internal::Waiter;

Cancellation::~Cancellation() {
  DRUMLIN_CHECK(waiters_.head == nullptr, "fibers still wait on it");
}

void Cancellation::cancel() {
  cancelled_ = true;
  while (waiters_.head != nullptr)
    waiters_.head->finish(Wake::kCancelled);
}

WaitQueue::~WaitQueue() {
  DRUMLIN_CHECK(waiters_.head == nullptr, "fibers still wait in it");
}

Wake WaitQueue::wait(Instant deadline, Cancellation* cancellation, size_t tag) {
  if (cancellation != nullptr && cancellation->cancelled()) return Wake::kCancelled;
  if (deadline != kNever && deadline <= clock_.now()) return Wake::kTimeout;
  Waiter waiter(scheduler_, tag);
  waiter.link(waiters_, &Waiter::in_queue);
  if (cancellation != nullptr) waiter.link(cancellation->waiters_, &Waiter::in_cancellation);
  if (deadline != kNever) clock_.arm(waiter, deadline);
  scheduler_.suspend();
  return waiter.result;
}

size_t WaitQueue::front_tag() const {
  DRUMLIN_CHECK(waiters_.head != nullptr);
  return waiters_.head->tag;
}

bool WaitQueue::notify_one() {
  if (waiters_.head == nullptr) return false;
  waiters_.head->finish(Wake::kNotified);
  return true;
}

void WaitQueue::notify_all() {
  while (notify_one()) {
  }
}

Status wake_status(Wake wake) {
  switch (wake) {
    case Wake::kNotified:
      return {};
    case Wake::kTimeout:
      return {Code::kTimeout, "deadline passed"};
    case Wake::kCancelled:
      return {Code::kCancelled, "cancelled"};
  }
  DRUMLIN_UNREACHABLE();
}

void Mutex::lock() {
  (void)lock(kNever);  // cannot time out
}

Status Mutex::lock(Instant deadline) {
  if (locked_) return wake_status(queue_.wait(deadline));  // unlock() hands the mutex to us
  locked_ = true;
  return {};
}

void Mutex::unlock() {
  DRUMLIN_CHECK(locked_);
  if (!queue_.notify_one()) locked_ = false;
}

Status Semaphore::acquire(size_t n, Instant deadline, Cancellation* cancellation) {
  if (n > total_) return {Code::kInvalidArgument, "more permits than there are"};
  if (try_acquire(n)) return {};
  const Wake wake = queue_.wait(deadline, cancellation, n);
  if (wake != Wake::kNotified) grant();  // we may have been the one that the others waited behind
  return wake_status(wake);
}

bool Semaphore::try_acquire(size_t n) {
  if (available_ < n || !queue_.empty()) return false;
  available_ -= n;
  return true;
}

void Semaphore::release(size_t n) {
  available_ += n;
  DRUMLIN_CHECK_LE(available_, total_);
  grant();
}

void Semaphore::grant() {
  while (!queue_.empty() && queue_.front_tag() <= available_) {
    available_ -= queue_.front_tag();
    queue_.notify_one();
  }
}

void WaitGroup::done() {
  DRUMLIN_CHECK_GT(count_, size_t{0});
  if (--count_ == 0) queue_.notify_all();
}

Wake WaitGroup::wait(Instant deadline) {
  while (count_ > 0) {
    const Wake wake = queue_.wait(deadline);
    if (wake != Wake::kNotified) return wake;
  }
  return Wake::kNotified;
}

}  // namespace drumlin
