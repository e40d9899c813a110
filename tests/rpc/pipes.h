// Two ends of a connection with nobody behind them, so that a test may speak for either side, and
// see and bend every byte.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tests/support/world.h"

namespace drumlin::rpc::test {

using drumlin::test::Pipe;
using drumlin::test::PipeStream;
using drumlin::test::World;

struct Pipes {
  explicit Pipes(World& world)
      : there(std::make_shared<Pipe>(world.scheduler(), world.clock())),
        back(std::make_shared<Pipe>(world.scheduler(), world.clock())),
        near(std::make_unique<PipeStream>(world.clock(), back, there)),
        far(std::make_unique<PipeStream>(world.clock(), there, back)) {
    there->capacity = back->capacity = 256u << 20;
  }
  // What lies in a direction, taken out of it.
  static std::string drain(Pipe& pipe) {
    std::string out;
    for (const std::string& packet : pipe.packets)
      out += packet;
    pipe.packets.clear();
    pipe.bytes = 0;
    return out;
  }
  static void feed(Pipe& pipe, std::string bytes) {
    pipe.bytes += bytes.size();
    pipe.packets.push_back(std::move(bytes));
    pipe.readers.notify_all();
  }
  std::shared_ptr<Pipe> there;  // near writes, far reads
  std::shared_ptr<Pipe> back;   // far writes, near reads
  std::unique_ptr<PipeStream> near;
  std::unique_ptr<PipeStream> far;
};

}  // namespace drumlin::rpc::test
