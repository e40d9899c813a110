// Signals: SIGINT and SIGTERM as an event of the reactor, SIGPIPE ignored, for as long as it lives.
// The second SIGINT or SIGTERM ends the process at once with 128 + its number, from the handler: it
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
  // `first` runs on the reactor, once; it may only wake fibers.
  Signals(Reactor& reactor, std::function<void()> first);
  ~Signals();  // the former handlers are back
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Must be called once. Only one in a process at a time.
  Status install();
  void ready(uint32_t events) override;

 private:
  Reactor& reactor_;
  std::function<void()> first_;
  Fd event_;
  struct sigaction former_interrupt_ {};
  struct sigaction former_terminate_ {};
  struct sigaction former_pipe_ {};
};

}  // namespace drumlin::host
