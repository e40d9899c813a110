// fan_out: the same step for many parts of one request, several at once.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "runtime/runtime.h"

namespace drumlin {

// Runs step(0) to step(n - 1), each once, at most `most` at a time, and returns when all have ended. They begin in
// order. The calling fiber takes part, the others are new ones named `name`; where the process has as many fibers as
// it can carry (Scheduler::crowded), there are fewer, at worst none: slower, but done. Yields, and so may `step`,
// which waits for nothing without a deadline. When the domain is killed the caller's stack may be unwound before a
// step's: let `step` own what its destructors touch.
void fan_out(Runtime& runtime, std::string_view name, size_t n, size_t most,
             std::function<void(size_t)> step);

}  // namespace drumlin
