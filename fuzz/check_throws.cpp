// In this program a failed CHECK of the core is a violation like others, so that its schedule can
// be shrunk: this definition is found before the one in the library, which ends the process.
#include <string>

#include "base/check.h"
#include "tests/raft/cluster.h"

namespace drumlin {

void check_failed(const char* file, int line, const char* expression, const std::string& operands) {
  throw raft::test::Violation(std::string("CHECK failed: ") + file + ":" + std::to_string(line) +
                              ": " + expression + (operands.empty() ? "" : " -- ") + operands);
}

}  // namespace drumlin
