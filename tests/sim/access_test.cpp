// The checker of keys and owners: what it must say, and what it must let pass.
#include "sim/check/access.h"

#include <gtest/gtest.h>

namespace drumlin::sim {
namespace {

Instant at(int64_t ms) {
  return Instant(std::chrono::milliseconds(ms));
}

struct AccessTest : ::testing::Test {
  // A request with the key from `began` to `ended`; what the checker says of it.
  std::string used(int64_t began, int64_t ended, bool refused) {
    Verdict verdict;
    AccessChecker checker(verdict);
    checker.created("K", at(1000));
    if (revoking) checker.revoking("K", at(*revoking));
    if (revoked) checker.revoked("K", at(*revoked));
    checker.used("K", at(began), at(ended), refused);
    EXPECT_EQ(verdict.evaluations().at("access"), 1u);
    return verdict.checker();
  }
  std::optional<int64_t> revoking;
  std::optional<int64_t> revoked;
};

TEST_F(AccessTest, AKeyIsGoodASecondAfterItWasMade) {
  EXPECT_EQ(used(1500, 1600, true), "") << "not known there yet";
  EXPECT_EQ(used(1500, 1600, false), "");
  EXPECT_EQ(used(2000, 2100, true), "") << "the second is not over";
  EXPECT_EQ(used(2001, 2100, true), "access");
  EXPECT_EQ(used(2001, 2100, false), "");
}

TEST_F(AccessTest, ARevokedKeyIsRefusedASecondAfterTheAnswer) {
  revoking = 5000;
  revoked = 5500;
  EXPECT_EQ(used(4000, 4900, true), "access") << "before anybody asked for it";
  EXPECT_EQ(used(4000, 5000, true), "");
  EXPECT_EQ(used(5200, 5300, true), "") << "on its way";
  EXPECT_EQ(used(5200, 5300, false), "");
  EXPECT_EQ(used(6500, 9000, false), "") << "begun in time";
  EXPECT_EQ(used(6501, 6600, false), "access");
  EXPECT_EQ(used(6501, 6600, true), "");
}

TEST_F(AccessTest, ARevocationWithoutAnAnswerMayBeOrNot) {
  revoking = 5000;
  EXPECT_EQ(used(90000, 90001, false), "");
  EXPECT_EQ(used(90000, 90001, true), "");
}

TEST(Access, KnowsNothingOfOtherKeys) {
  Verdict verdict;
  AccessChecker checker(verdict);
  checker.used("root", at(1), at(2), true);
  EXPECT_FALSE(verdict.violated());
}

TEST(Access, AnIntruderIsGrantedNothing) {
  Verdict verdict;
  AccessChecker checker(verdict);
  checker.intruded("GET", false, "403 AccessDenied");
  EXPECT_FALSE(verdict.violated());
  checker.intruded("GET", true, "200");
  EXPECT_EQ(verdict.checker(), "owner");
  EXPECT_EQ(verdict.evaluations().at("owner"), 2u);
}

}  // namespace
}  // namespace drumlin::sim
