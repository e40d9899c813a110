// Pool: threads for what would block the reactor. A fiber hands in a job and is suspended until the
// job has ended; the way there and back costs 10 to 15 us.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/fd.h"
#include "host/mutex.h"
#include "host/reactor.h"

namespace drumlin::host {

class Pool final : public Watch {
 public:
  Pool(Reactor& reactor, std::string name, size_t threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Starts the threads. kExhausted when out of descriptors or threads.
  Status start();

  // Waits for running jobs and drops those not begun; their fibers never return from run(). Must
  // come before the kill of any fiber inside run(): jobs refer to its stack. Idempotent.
  void stop();

  // On a fiber. Jobs begin in the order of arrival. `work` must not throw.
  void run(std::function<void()> work);

  // The same for a call with an answer.
  template <typename Call>
  auto ask(Call call) -> decltype(call()) {
    std::optional<decltype(call())> answer;
    run([&] { answer.emplace(call()); });
    return std::move(*answer);
  }

  void ready(uint32_t events) override;

 private:
  // On the stack of the fiber that waits for it.
  struct Job {
    std::function<void()> work;
    Fiber* fiber;
  };

  void work() noexcept;
  Job* take();
  void complete(Job* job);

  Reactor& reactor_;
  const std::string name_;
  const size_t size_;
  Fd event_;  // readable: done_ may have something
  std::vector<std::thread> threads_;

  ThreadMutex mutex_;
  ThreadCondition arrived_;
  std::deque<Job*> queue_ DRUMLIN_GUARDED_BY(mutex_);
  std::vector<Job*> done_ DRUMLIN_GUARDED_BY(mutex_);
  bool stopping_ DRUMLIN_GUARDED_BY(mutex_) = false;
};

}  // namespace drumlin::host
