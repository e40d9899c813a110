// A campaign: one property held against cases that RapidCheck draws, for a time or for a number of
// batches, from a seed. A failing case is shrunk and printed with the command that repeats it.
//
//   NAME [--seed S] [--seconds T] [--batches N]
//
// Batch i is made from seed S + i alone, so `--seed S+i --batches 1` repeats a failing one exactly;
// T only says how many batches there are.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace drumlin::fuzz {

struct Campaign {
  std::string name;
  int cases = 100;                 // of a batch
  std::function<void()> property;  // draws what it needs; RC_ASSERT and exceptions fail it
  // What has been seen, in one line: a campaign in which nothing happens proves nothing.
  std::function<std::string()> totals;
  // A failed CHECK is an exception, so that its case can be shrunk. Not out of a fiber: then it ends
  // the process, with the command that repeats the batch.
  bool checks_throw = true;
};

// The exit code: 0 held, 1 failed, 2 usage.
int run_campaign(const Campaign& campaign, const std::vector<std::string>& args);

}  // namespace drumlin::fuzz
