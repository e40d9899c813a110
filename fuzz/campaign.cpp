#include "fuzz/campaign.h"

#include <rapidcheck.h>
#include <rapidcheck/detail/TestListener.h>

#include <chrono>
#include <iostream>
#include <map>
#include <stdexcept>

#include "base/check.h"

namespace drumlin {
namespace {

// What a failed CHECK does just now.
struct Failing {
  bool throws = false;
  std::string replay;
};
Failing& failing() {
  static Failing state;
  return state;
}

}  // namespace

// Found before the definition in the library.
void check_failed(const char* file, int line, const char* expression, const std::string& operands) {
  const std::string what = std::string("CHECK failed: ") + file + ":" + std::to_string(line) +
                           ": " + expression + (operands.empty() ? "" : " -- ") + operands;
  if (failing().throws) throw std::logic_error(what);
  std::cout << what << "\n\n" << failing().replay << std::endl;
  std::abort();
}

}  // namespace drumlin

namespace drumlin::fuzz {
namespace {

class Silent : public rc::detail::TestListener {
 public:
  void onTestCaseFinished(const rc::detail::CaseDescription&) override {}
  void onShrinkTried(const rc::detail::CaseDescription&, bool) override {}
  void onTestFinished(const rc::detail::TestMetadata&, const rc::detail::TestResult&) override {}
};

bool run_batch(const Campaign& campaign, uint64_t seed) {
  failing() = {campaign.checks_throw,
               "replay: " + campaign.name + " --seed " + std::to_string(seed) + " --batches 1"};
  rc::detail::TestParams params;
  params.seed = seed;
  params.maxSuccess = campaign.cases;
  Silent silent;
  const auto result =
      rc::detail::checkProperty(rc::detail::toProperty(campaign.property), {}, params, silent, {});
  if (result.is<rc::detail::SuccessResult>()) return true;
  rc::detail::printResultMessage(result, std::cout);
  std::cout << "\n\n" << failing().replay << "\n";
  return false;
}

}  // namespace

int run_campaign(const Campaign& campaign, const std::vector<std::string>& args) {
  std::map<std::string, uint64_t> options = {{"--seed", 1}, {"--seconds", 10}, {"--batches", 0}};
  for (size_t i = 0; i < args.size(); i += 2) {
    const std::string value = i + 1 < args.size() ? args[i + 1] : "";
    if (!options.contains(args[i]) || value.empty() ||
        value.find_first_not_of("0123456789") != std::string::npos) {
      std::cerr << campaign.name << " [--seed S] [--seconds T] [--batches N]\n";
      return 2;
    }
    options[args[i]] = std::stoull(value);
  }
  using Watch = std::chrono::steady_clock;
  const Watch::time_point end = Watch::now() + std::chrono::seconds(options["--seconds"]);
  const uint64_t seed = options["--seed"];
  const uint64_t batches = options["--batches"];
  std::cout << campaign.name << " --seed " << seed << std::endl;
  bool held = true;
  uint64_t i = 0;
  for (; held && (batches > 0 ? i < batches : i == 0 || Watch::now() < end); ++i) {
    held = run_batch(campaign, seed + i);
  }
  std::cout << i << " batches, " << campaign.totals() << ": " << (held ? "held" : "FAILED") << "\n";
  return held ? 0 : 1;
}

}  // namespace drumlin::fuzz
