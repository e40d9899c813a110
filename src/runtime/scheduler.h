// Scheduler: stackful fibers (Boost.Context) on one reactor thread.
//
// A fiber runs until it suspends; nothing preempts it, so code between two suspension points is
// atomic with respect to all other fibers. Ready fibers run first in, first out. Stacks have a guard
// page and are pooled. The C++ exception state is kept per fiber, so a fiber may suspend inside a
// catch block. Sanitizers are told about every switch.
//
// Every fiber belongs to a Domain (one node, in practice). Killing a domain unwinds the stacks of all
// of its fibers: suspend() throws FiberKilled, destructors run, nothing else does. Hence the rules:
//   - never suspend in a destructor or a noexcept function;
//   - `catch (...)` must rethrow; catch std::exception (FiberKilled is not one);
//   - what a fiber leaves behind must be right without code after the suspension point.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace drumlin {

class Fiber;
class Scheduler;

// Thrown out of suspend() when the fiber's domain is killed. Deliberately not a std::exception.
struct FiberKilled {};

// The fibers of one node. Outlives them: kill it (Scheduler::kill) before destroying it.
class Domain {
 public:
  explicit Domain(std::string name) : name_(std::move(name)) {}
  ~Domain();
  Domain(const Domain&) = delete;
  Domain& operator=(const Domain&) = delete;

  const std::string& name() const { return name_; }
  size_t fibers() const { return fibers_.size(); }
  bool dying() const { return dying_; }

 private:
  friend class Scheduler;
  friend class Fiber;
  std::string name_;
  std::vector<Fiber*> fibers_;  // swap-remove; order is part of no contract but deterministic
  bool dying_ = false;
};

class Scheduler {
 public:
  struct Options {
    size_t stack_bytes = 256 * 1024;
    size_t pooled_stacks = 256;     // kept for reuse; more are unmapped as their fibers end
    size_t max_fibers = 28 * 1024;  // crowded() from here on
  };
  Scheduler() : Scheduler(Options{}) {}
  explicit Scheduler(Options options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Makes a fiber, ready to run after those that already are. A dying domain spawns nothing (the
  // body is dropped). `body` must let FiberKilled pass; any other exception is a failed CHECK.
  void spawn(Domain& domain, std::string_view name, std::function<void()> body);

  // Runs ready fibers, and those that they make ready, until none is. Not from a fiber.
  void run_ready();
  // Runs one ready fiber. False if there was none.
  bool run_one();
  bool idle() const { return ready_.empty(); }

  // Unwinds and ends every fiber of the domain, which can spawn no more. The domain's first fiber is
  // unwound last, so what lives on its stack outlives all others. Not from within a fiber.
  void kill(Domain& domain);

  // Marks the domain as dying: its fibers run no more, and the running one, if it is of this domain,
  // ends at its next suspension. The reactor must kill() it soon after.
  void doom(Domain& domain) { domain.dying_ = true; }

  // The running fiber; null on the reactor's own stack (timer callbacks, event handlers).
  Fiber* current() const { return current_; }
  // Suspends the running fiber until wake(). Spurious returns do not happen: one wake, one return.
  void suspend();
  // Makes a suspended fiber ready; waking a ready or running fiber is a programmer's error.
  void wake(Fiber* fiber);
  // Goes to the end of the ready queue.
  void yield();

  // Whether there are max_fibers of all domains. A stack and its guard page are two mappings of memory, of which
  // an operating system gives a process only so many; beyond it there is no fiber, and no going on. So whoever
  // spawns as many as others ask for (connections, requests, parts of a request) looks here before, and refuses or
  // does with fewer. spawn() itself does not.
  bool crowded() const { return fibers_ >= options_.max_fibers; }
  size_t fibers() const { return fibers_; }

  uint64_t switches() const { return switches_; }

 private:
  friend class Fiber;
  void resume(Fiber* fiber);
  void retire(Fiber* fiber);
  Options options_;
  std::deque<Fiber*> ready_;
  std::vector<std::unique_ptr<Fiber>> pool_;
  Fiber* current_ = nullptr;
  uint64_t switches_ = 0;
  size_t fibers_ = 0;
};

// Name of a fiber, for logs and deadlock reports.
std::string_view fiber_name(const Fiber& fiber);

}  // namespace drumlin
