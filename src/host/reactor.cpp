#include "host/reactor.h"

#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "host/error.h"
#include "host/system.h"

namespace drumlin::host {
namespace {

// After so many fibers sockets and timers are looked at again, even if more fibers are ready.
constexpr size_t kFibersPerTurn = 128;
constexpr size_t kEventsPerTurn = 256;
constexpr Duration kLongestWait = std::chrono::hours(1);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 1024 * 1024;  // instrumented frames are several times larger
#else
constexpr size_t kStackBytes = 256 * 1024;
#endif

Duration read_clock(clockid_t id) {
  timespec t{};
  DRUMLIN_CHECK_EQ(::clock_gettime(id, &t), 0);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

Scheduler::Options scheduler_options() {
  Scheduler::Options options;
  options.stack_bytes = kStackBytes;
  options.max_fibers = most_fibers();
  return options;
}

}  // namespace

Reactor::Reactor() : scheduler_(scheduler_options()) {
  read_clocks();
}

Status Reactor::open() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (epoll_.valid()) return {};
  return {is_exhausted(errno) ? Code::kExhausted : Code::kIo, "epoll: " + error_text(errno)};
}

void Reactor::arm(Timer& timer, Instant at) {
  if (at == kNever) {
    timer.disarm();
  } else {
    timers_.arm(timer, std::max(at, now_));
  }
}

Status Reactor::watch(int fd, uint32_t events, Watch& watch) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = &watch;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return {Code::kExhausted, "epoll: " + error_text(errno)};
}

void Reactor::unwatch(int fd) {
  DRUMLIN_CHECK_EQ(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr), 0);
}

void Reactor::turn() {
  poll();
  fire_due();
  for (size_t i = 0; i < kFibersPerTurn && scheduler_.run_one(); ++i) {
  }
}

int Reactor::patience_ms() const {
  if (!scheduler_.idle()) return 0;
  if (timers_.empty()) return -1;
  // The fibers of the last turn took time that now_ does not know of.
  const Duration left = timers_.top().at() - Instant(read_clock(CLOCK_MONOTONIC));
  if (left <= Duration::zero()) return 0;
  // Rounded up: woken too early, the loop would spin until the timer is due.
  return static_cast<int>(to_ms(std::min(left, kLongestWait) + 1ms - 1ns));
}

void Reactor::poll() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int n =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), patience_ms());
  DRUMLIN_CHECK(n >= 0 || errno == EINTR, "epoll_wait: ", error_text(errno));
  read_clocks();
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    static_cast<Watch*>(event.data.ptr)->ready(event.events);
  }
}

void Reactor::read_clocks() {
  now_ = Instant(read_clock(CLOCK_MONOTONIC));
  wall_ = WallTime(read_clock(CLOCK_REALTIME));
}

void Reactor::fire_due() {
  // A timer armed by one that fires waits for the next turn.
  for (size_t n = timers_.size(); n > 0 && !timers_.empty() && timers_.top().at() <= now_; --n) {
    timers_.pop().fire();
  }
}

}  // namespace drumlin::host
