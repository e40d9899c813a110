#include "runtime/fan_out.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "runtime/sync.h"

namespace drumlin {
namespace {

// Of all its fibers; the caller's may be unwound before the others.
struct Shared {
  Shared(Runtime& runtime, size_t steps, std::function<void(size_t)> what)
      : running(runtime.scheduler(), runtime.clock()), n(steps), step(std::move(what)) {}
  void work() {
    while (next < n)
      step(next++);
  }
  WaitGroup running;
  const size_t n;
  const std::function<void(size_t)> step;
  size_t next = 0;
};

}  // namespace

void fan_out(Runtime& runtime, std::string_view name, size_t n, size_t most,
             std::function<void(size_t)> step) {
  const auto shared = std::make_shared<Shared>(runtime, n, std::move(step));
  const size_t workers = std::min(most, n);
  const bool alone = runtime.buggify("runtime.no_fan_out");
  for (size_t i = 1; i < workers && !alone && !runtime.scheduler().crowded(); ++i) {
    shared->running.add();
    runtime.spawn(name, [shared] {
      shared->work();
      shared->running.done();
    });
  }
  shared->work();
  (void)shared->running.wait();
}

}  // namespace drumlin
