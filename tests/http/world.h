// The shared world, under the name by which the tests of http know it.
#pragma once

#include "tests/support/world.h"

namespace drumlin::http::test {

using namespace drumlin::test;  // NOLINT(google-build-using-namespace): all of it, by design

}  // namespace drumlin::http::test
