// Inside of the room: what a Context holds.
#pragma once

#include "tls/context.h"
#include "tls/library.h"

namespace drumlin::tls {

struct Context::Parts {
  explicit Parts(Runtime& runtime)
      : library([&runtime](std::span<char> into) { runtime.secure_random(into); }) {}
  Library library;
  SslContextPtr ssl;
  Trust trust = Trust::kIssuer;  // client()'s
};

}  // namespace drumlin::tls
