// Quorum: majorities of a fixed set of voters.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "base/strong_id.h"

namespace drumlin::raft {

inline size_t majority_of(size_t voters) {
  return voters / 2 + 1;
}

// The highest value that a majority has reached.
template <typename T>
T majority_reached(std::vector<T> values) {
  std::sort(values.begin(), values.end(), std::greater<T>());
  return values[majority_of(values.size()) - 1];
}

enum class Tally : unsigned char { kPending, kWon, kLost };

// Counts the answers to one campaign; the first answer of a voter stands.
class Votes {
 public:
  void reset() { votes_.clear(); }
  void record(NodeId voter, bool granted) { votes_.emplace(voter, granted); }
  Tally tally(size_t voters) const {
    const auto yes = static_cast<size_t>(
        std::count_if(votes_.begin(), votes_.end(), [](const auto& vote) { return vote.second; }));
    if (yes >= majority_of(voters)) return Tally::kWon;
    if (votes_.size() - yes > voters - majority_of(voters)) return Tally::kLost;
    return Tally::kPending;
  }

 private:
  std::map<NodeId, bool> votes_;
};

}  // namespace drumlin::raft
