// What the simulator's own tests share: small worlds and bodies that must come to their end.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "sim/runtime/world.h"

namespace drumlin::sim::test {

// Latencies without spikes or partial moves: for tests that say when something happens.
inline World::Options plain() {
  World::Options options;
  options.network.link.spike_per_million = 0;
  options.network.link.partial_per_1024 = 0;
  return options;
}

// Boots the machine with `body` as its main and runs the world until that has ended.
inline void run_on(World& world, Machine& machine, std::function<void(Runtime&)> body,
                   Duration limit = 1h) {
  bool ended = false;
  machine.boot([&, body = std::move(body)](Runtime& runtime) {
    body(runtime);
    ended = true;
  });
  ASSERT_TRUE(world.run_until([&] { return ended && !machine.running(); }, world.now() + limit))
      << "stuck at " << to_seconds(world.now().time_since_epoch()) << " s";
}

inline std::string pattern(size_t n, uint64_t seed = 1) {
  Rng rng(seed);
  std::string out(n, '\0');
  uint64_t word = 0;
  for (size_t i = 0; i < n; ++i, word >>= 8) {
    if (i % 8 == 0) word = rng.next();
    out[i] = static_cast<char>(word);
  }
  return out;
}

inline Status write_file(Disk& disk, std::string_view path, std::string_view bytes, bool sync) {
  DRUMLIN_ASSIGN(const auto file, disk.open(path, OpenMode::kCreate));
  DRUMLIN_TRY(file->write_at(0, bytes));
  return sync ? file->sync() : Status();
}

// All of it; the error's text if there is one.
inline std::string read_file(Disk& disk, std::string_view path) {
  const auto file = disk.open(path, OpenMode::kRead);
  if (!file.ok()) return file.status().to_string();
  const auto size = file.value()->size();
  if (!size.ok()) return size.status().to_string();
  std::string out(*size, '\0');
  const auto n = file.value()->read_at(0, out);
  if (!n.ok()) return n.status().to_string();
  out.resize(*n);
  return out;
}

}  // namespace drumlin::sim::test
