// Signals: SIGINT, SIGTERM and, if it is wanted, SIGHUP as events of the reactor, SIGPIPE ignored, for
// as long as it lives. The second SIGINT or SIGTERM ends the process at once with 128 + its number, from the handler: it
// works also when the reactor is stuck.
#pragma once

#include <signal.h>

#include <functional>

#include "base/status.h"
#include "host/fd.h"
#include "host/reactor.h"

namespace drumlin::host {

class Signals final : public Watch {
 public:
  // Both run on the reactor and may only wake or spawn fibers. `first`: once, for SIGINT or SIGTERM.
  // `hangup`: for SIGHUPs, several of which may be one call; without it SIGHUP is left alone.
  Signals(Reactor& reactor, std::function<void()> first, std::function<void()> hangup = {});
  ~Signals();  // the former handlers are back
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Must be called once. Only one in a process at a time.
  Status install();
  void ready(uint32_t events) override;

 private:
  Reactor& reactor_;
  std::function<void()> first_;
  std::function<void()> hangup_;
  Fd event_;
  struct sigaction former_interrupt_ {};
  struct sigaction former_terminate_ {};
  struct sigaction former_pipe_ {};
  struct sigaction former_hangup_ {};
};

}  // namespace drumlin::host
