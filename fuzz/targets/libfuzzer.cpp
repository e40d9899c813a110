// One target under libFuzzer, whose main() comes with -fsanitize=fuzzer.
#include <cstddef>
#include <cstdint>

#include "fuzz/targets/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  drumlin::fuzz::DRUMLIN_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
