// hold(): a RapidCheck property inside a GoogleTest case, with a seed of its own, so that a run of
// the suite is the same every time. Campaigns with other seeds live in fuzz/.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <sstream>

namespace drumlin::test {

template <typename Testable>
void hold(Testable&& testable, int cases = 200, uint64_t seed = 42) {
  rc::detail::TestParams params;
  params.seed = seed;
  params.maxSuccess = cases;
  const auto result = rc::detail::checkTestable(std::forward<Testable>(testable),
                                                rc::detail::TestMetadata(), params);
  if (!result.template is<rc::detail::SuccessResult>()) {
    std::ostringstream out;
    rc::detail::printResultMessage(result, out);
    ADD_FAILURE() << out.str();
  }
}

}  // namespace drumlin::test
