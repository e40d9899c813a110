#include "runtime/scheduler.h"

#include <cxxabi.h>
#include <valgrind/valgrind.h>
#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#include <algorithm>
#include <cstring>
#include <exception>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define DRUMLIN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DRUMLIN_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define DRUMLIN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DRUMLIN_TSAN 1
#endif
#endif
#ifdef DRUMLIN_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef DRUMLIN_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace drumlin {
namespace {

namespace ctx = boost::context;

// __cxa_eh_globals, the thread's exception state: {caught exceptions, number of uncaught ones}. A
// fiber that suspends inside a catch block must find its own again (Itanium C++ ABI, 2.2.2).
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};
void swap_exception_state(ExceptionState& saved) {
  auto* live = reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
  std::swap(*live, saved);
}

// What the sanitizers want to know about a stack before we leave for it and after we arrive.
struct StackNotes {
  const void* bottom = nullptr;
  size_t size = 0;
  void* fake_stack = nullptr;
  void* tsan = nullptr;
  unsigned valgrind = 0;
};
void before_switch([[maybe_unused]] StackNotes& from, [[maybe_unused]] const StackNotes& to) {
#ifdef DRUMLIN_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
#endif
#ifdef DRUMLIN_TSAN
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
}
void after_switch([[maybe_unused]] StackNotes& here, [[maybe_unused]] StackNotes* came_from) {
#ifdef DRUMLIN_ASAN
  const void* bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(here.fake_stack, &bottom, &size);
  if (came_from != nullptr) {
    came_from->bottom = bottom;
    came_from->size = size;
  }
#endif
}

}  // namespace

// A stack that runs one body after another: when a body ends the fiber parks in the pool with its
// stack (and its sanitizer bookkeeping, which is slow to make) intact.
class Fiber {
 public:
  enum class State : unsigned char { kParked, kReady, kRunning, kSuspended };

  Fiber(Scheduler& scheduler, size_t stack_bytes) : scheduler_(scheduler) {
    ctx::protected_fixedsize_stack allocator(stack_bytes);
    ctx::stack_context stack = allocator.allocate();
    notes_.bottom = static_cast<char*>(stack.sp) - stack.size;
    notes_.size = stack.size;
#ifdef DRUMLIN_ASAN
    // The frames in which an earlier stack ended here were never left: their red zones are still marked.
    __asan_unpoison_memory_region(notes_.bottom, notes_.size);
#endif
    // A few no-ops outside valgrind, which otherwise takes a switch between neighbouring stacks for growth.
    notes_.valgrind = VALGRIND_STACK_REGISTER(notes_.bottom, stack.sp);
#ifdef DRUMLIN_TSAN
    notes_.tsan = __tsan_create_fiber(0);
#endif
    context_ = ctx::fiber(std::allocator_arg, ctx::preallocated(stack.sp, stack.size, stack),
                          allocator, [this](ctx::fiber&& reactor) {
                            reactor_ = std::move(reactor);
                            loop();
                            return std::move(reactor_);
                          });
  }

  ~Fiber() {
    DRUMLIN_CHECK(state_ == State::kParked, "fiber ", name_);
    exit_ = true;
    enter();  // loop() returns and the context's stack is freed
    VALGRIND_STACK_DEREGISTER(notes_.valgrind);
#ifdef DRUMLIN_TSAN
    __tsan_destroy_fiber(notes_.tsan);
#endif
  }

  // On the reactor's stack: run until the fiber suspends, parks or exits.
  void enter() {
#ifdef DRUMLIN_TSAN
    reactor_notes_.tsan = __tsan_get_current_fiber();
#endif
    swap_exception_state(exceptions_);
    before_switch(reactor_notes_, notes_);
    context_ = std::move(context_).resume();
    after_switch(reactor_notes_, nullptr);
    swap_exception_state(exceptions_);
  }

  // On the fiber's stack: back to the reactor.
  void leave() {
    before_switch(notes_, reactor_notes_);
    reactor_ = std::move(reactor_).resume();
    after_switch(notes_, &reactor_notes_);
  }

  Scheduler& scheduler_;
  Domain* domain_ = nullptr;
  size_t domain_position_ = 0;
  std::string name_;
  std::function<void()> body_;
  State state_ = State::kParked;
  bool started_ = false;  // the current body has begun

 private:
  void loop() {
    after_switch(notes_, &reactor_notes_);
    while (!exit_) {
      run_body();
      state_ = State::kParked;
      leave();
    }
#ifdef DRUMLIN_ASAN
    // Null: this stack's fake frames die with it.
    __sanitizer_start_switch_fiber(nullptr, reactor_notes_.bottom, reactor_notes_.size);
#endif
#ifdef DRUMLIN_TSAN
    __tsan_switch_to_fiber(reactor_notes_.tsan, 0);
#endif
  }

  void run_body() {
    if (!body_) return;
    started_ = true;
    try {
      body_();
    } catch (const FiberKilled&) {
      DRUMLIN_CHECK(domain_->dying(), "FiberKilled without a kill in ", name_);
    } catch (const std::exception& e) {
      check_failed(__FILE__, __LINE__, "no exception leaves a fiber", name_ + ": " + e.what());
    }
    body_ = nullptr;
  }

  ctx::fiber context_;
  ctx::fiber reactor_;
  StackNotes notes_;
  StackNotes reactor_notes_;
  ExceptionState exceptions_;
  bool exit_ = false;
};

Domain::~Domain() {
  DRUMLIN_CHECK(fibers_.empty(), name_, " still has fibers");
}

Scheduler::Scheduler(Options options) : options_(options) {}

Scheduler::~Scheduler() {
  DRUMLIN_CHECK(ready_.empty());
}

void Scheduler::spawn(Domain& domain, std::string_view name, std::function<void()> body) {
  if (domain.dying_) return;
  std::unique_ptr<Fiber> fiber;
  if (pool_.empty()) {
    fiber = std::make_unique<Fiber>(*this, options_.stack_bytes);
  } else {
    fiber = std::move(pool_.back());
    pool_.pop_back();
  }
  fiber->domain_ = &domain;
  fiber->domain_position_ = domain.fibers_.size();
  fiber->name_ = name;
  fiber->body_ = std::move(body);
  fiber->started_ = false;
  fiber->state_ = Fiber::State::kReady;
  domain.fibers_.push_back(fiber.get());
  ++fibers_;
  ready_.push_back(fiber.release());
}

void Scheduler::run_ready() {
  while (run_one()) {
  }
}

bool Scheduler::run_one() {
  DRUMLIN_CHECK(current_ == nullptr, "run from inside a fiber");
  if (ready_.empty()) return false;
  Fiber* fiber = ready_.front();
  ready_.pop_front();
  if (!fiber->domain_->dying_) resume(fiber);  // else kill() will find it in its domain
  return true;
}

void Scheduler::resume(Fiber* fiber) {
  Fiber* const previous = current_;
  DRUMLIN_CHECK(previous == nullptr, "fibers nest");
  current_ = fiber;
  fiber->state_ = Fiber::State::kRunning;
  ++switches_;
  fiber->enter();
  current_ = nullptr;
  if (fiber->state_ == Fiber::State::kParked) retire(fiber);
}

void Scheduler::retire(Fiber* fiber) {
  Domain& domain = *fiber->domain_;
  Fiber* last = domain.fibers_.back();
  domain.fibers_[fiber->domain_position_] = last;
  last->domain_position_ = fiber->domain_position_;
  domain.fibers_.pop_back();
  --fibers_;
  fiber->domain_ = nullptr;
  fiber->body_ = nullptr;
  std::unique_ptr<Fiber> owned(fiber);
  if (pool_.size() < options_.pooled_stacks) pool_.push_back(std::move(owned));
}

void Scheduler::kill(Domain& domain) {
  DRUMLIN_CHECK(current_ == nullptr, "kill from inside a fiber");
  domain.dying_ = true;
  std::erase_if(ready_, [&](Fiber* f) { return f->domain_ == &domain; });
  while (!domain.fibers_.empty()) {
    Fiber* fiber = domain.fibers_.back();
    if (!fiber->started_) fiber->body_ = nullptr;  // never ran: nothing to unwind
    resume(fiber);
    DRUMLIN_CHECK(domain.fibers_.empty() || domain.fibers_.back() != fiber,
                  "fiber survived its kill: ", fiber->name_);
  }
}

void Scheduler::suspend() {
  Fiber* fiber = current_;
  DRUMLIN_CHECK(fiber != nullptr, "suspend outside a fiber");
  if (fiber->domain_->dying_) {
    DRUMLIN_CHECK(std::uncaught_exceptions() == 0, "suspend in a destructor of ", fiber->name_);
    throw FiberKilled();
  }
  fiber->state_ = Fiber::State::kSuspended;
  fiber->leave();
  if (fiber->domain_->dying_) throw FiberKilled();
}

void Scheduler::wake(Fiber* fiber) {
  if (fiber->domain_->dying_) return;
  DRUMLIN_CHECK(fiber->state_ == Fiber::State::kSuspended,
                "wake of a running or ready fiber: ", fiber->name_);
  fiber->state_ = Fiber::State::kReady;
  ready_.push_back(fiber);
}

void Scheduler::yield() {
  Fiber* fiber = current_;
  DRUMLIN_CHECK(fiber != nullptr, "yield outside a fiber");
  if (fiber->domain_->dying_) throw FiberKilled();
  fiber->state_ = Fiber::State::kReady;
  ready_.push_back(fiber);
  fiber->leave();
  if (fiber->domain_->dying_) throw FiberKilled();
}

std::string_view fiber_name(const Fiber& fiber) {
  return fiber.name_;
}

}  // namespace drumlin
