// std::mutex and std::condition_variable with clang's thread-safety attributes: a member marked
// DRUMLIN_GUARDED_BY(mutex_) cannot be touched without it, or clang does not compile the room.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define DRUMLIN_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define DRUMLIN_THREAD_ATTRIBUTE(x)
#endif
#define DRUMLIN_GUARDED_BY(x) DRUMLIN_THREAD_ATTRIBUTE(guarded_by(x))
#define DRUMLIN_REQUIRES(x) DRUMLIN_THREAD_ATTRIBUTE(requires_capability(x))

namespace drumlin::host {

class DRUMLIN_THREAD_ATTRIBUTE(capability("mutex")) ThreadMutex {
 public:
  void lock() DRUMLIN_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() DRUMLIN_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class ThreadCondition;
  std::mutex mutex_;
};

class [[nodiscard]] DRUMLIN_THREAD_ATTRIBUTE(scoped_lockable) ThreadLock {
 public:
  explicit ThreadLock(ThreadMutex& mutex) DRUMLIN_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~ThreadLock() DRUMLIN_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  ThreadLock(const ThreadLock&) = delete;
  ThreadLock& operator=(const ThreadLock&) = delete;

 private:
  ThreadMutex& mutex_;
};

class ThreadCondition {
 public:
  void wait(ThreadMutex& mutex) DRUMLIN_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();  // still locked, and the caller's again
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace drumlin::host
