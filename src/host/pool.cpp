#include "host/pool.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <system_error>

#include "base/check.h"
#include "host/error.h"

namespace drumlin::host {

Pool::Pool(Reactor& reactor, std::string name, size_t threads)
    : reactor_(reactor), name_(std::move(name)), size_(threads) {}

Pool::~Pool() {
  stop();
  if (event_.valid()) reactor_.unwatch(event_.get());
}

Status Pool::start() {
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return {Code::kExhausted, "eventfd: " + error_text(errno)};
  DRUMLIN_TRY(reactor_.watch(event.get(), EPOLLIN, *this));
  event_ = std::move(event);
  try {
    for (size_t i = 0; i < size_; ++i) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (const std::system_error& e) {
    return {Code::kExhausted, "cannot start a thread: " + std::string(e.what())};
  }
  return {};
}

void Pool::stop() {
  {
    ThreadLock lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  arrived_.notify_all();
  for (std::thread& thread : threads_)
    thread.join();
  threads_.clear();
  ThreadLock lock(mutex_);
  done_.clear();
}

void Pool::run(std::function<void()> work) {
  Scheduler& scheduler = reactor_.scheduler();
  Job job{std::move(work), scheduler.current()};
  DRUMLIN_CHECK(job.fiber != nullptr, "only a fiber can wait for a job");
  {
    ThreadLock lock(mutex_);
    if (!stopping_) queue_.push_back(&job);
  }
  arrived_.notify_one();
  scheduler.suspend();
}

void Pool::work() noexcept {
  ::pthread_setname_np(::pthread_self(), name_.c_str());
  while (Job* job = take()) {
    job->work();
    complete(job);
  }
}

Pool::Job* Pool::take() {
  ThreadLock lock(mutex_);
  while (queue_.empty() && !stopping_)
    arrived_.wait(mutex_);
  if (stopping_) return nullptr;
  Job* job = queue_.front();
  queue_.pop_front();
  return job;
}

void Pool::complete(Job* job) {
  bool first = false;
  {
    ThreadLock lock(mutex_);
    first = done_.empty();
    done_.push_back(job);
  }
  // Whoever found done_ not empty relies on the one before: the reactor empties it as a whole.
  if (first) DRUMLIN_CHECK_EQ(::eventfd_write(event_.get(), 1), 0);
}

void Pool::ready(uint32_t) {
  eventfd_t count = 0;
  (void)::eventfd_read(event_.get(), &count);  // before done_ is emptied, else a wake-up is lost
  std::vector<Job*> done;
  {
    ThreadLock lock(mutex_);
    done.swap(done_);
  }
  for (Job* job : done)
    reactor_.scheduler().wake(job->fiber);
}

}  // namespace drumlin::host
