#include "host/signals.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>

#include "base/check.h"
#include "host/error.h"

namespace drumlin::host {
namespace {

// A handler reaches nothing but globals.
std::atomic<int> event_to_write{-1};
std::atomic<bool> seen{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

// What one signal adds to the event's count.
constexpr eventfd_t kFirst = 1;
constexpr eventfd_t kHangup = eventfd_t{1} << 32;

void handle(int signal) {
  const int saved = errno;
  if (seen.exchange(true)) ::_exit(128 + signal);
  (void)::eventfd_write(event_to_write.load(), kFirst);
  errno = saved;
}

void handle_hangup(int) {
  const int saved = errno;
  (void)::eventfd_write(event_to_write.load(), kHangup);
  errno = saved;
}

void set_handler(int signal, void (*handler)(int), struct sigaction& former) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  DRUMLIN_CHECK_EQ(::sigaction(signal, &action, &former), 0);
}

}  // namespace

Signals::Signals(Reactor& reactor, std::function<void()> first, std::function<void()> hangup)
    : reactor_(reactor), first_(std::move(first)), hangup_(std::move(hangup)) {}

Signals::~Signals() {
  if (!event_.valid()) return;
  ::sigaction(SIGINT, &former_interrupt_, nullptr);
  ::sigaction(SIGTERM, &former_terminate_, nullptr);
  ::sigaction(SIGPIPE, &former_pipe_, nullptr);
  if (hangup_) ::sigaction(SIGHUP, &former_hangup_, nullptr);
  event_to_write = -1;
  reactor_.unwatch(event_.get());
}

Status Signals::install() {
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return {Code::kExhausted, "eventfd: " + error_text(errno)};
  DRUMLIN_TRY(reactor_.watch(event.get(), EPOLLIN, *this));
  event_ = std::move(event);
  DRUMLIN_CHECK_EQ(event_to_write.exchange(event_.get()), -1);
  seen = false;
  set_handler(SIGINT, handle, former_interrupt_);
  set_handler(SIGTERM, handle, former_terminate_);
  set_handler(SIGPIPE, SIG_IGN, former_pipe_);
  if (hangup_) set_handler(SIGHUP, handle_hangup, former_hangup_);
  return {};
}

void Signals::ready(uint32_t) {
  eventfd_t count = 0;
  if (::eventfd_read(event_.get(), &count) != 0) return;
  if (count >= kHangup) hangup_();
  if (count % kHangup != 0) first_();
}

}  // namespace drumlin::host
