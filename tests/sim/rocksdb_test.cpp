// sim/rocksdb: the real engine on the simulated disk, without any fault.
#include "sim/rocksdb/rocksdb.h"

#include "tests/sim/harness.h"

namespace drumlin::sim::test {
namespace {

TEST(SimRocks, TheHooksFit) {
  const Status status = self_test();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

}  // namespace
}  // namespace drumlin::sim::test
