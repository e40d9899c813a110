#include "router/merge.h"

#include <algorithm>
#include <queue>

namespace drumlin::router {

// Why limit + 1 of each suffice: a part that was cut still has limit + 1 different items, all of them
// at or before its cut, so the first `limit` of the union, and whether there is one more, are known.
Listing merge(std::vector<std::vector<shard::ListedKey>> parts, size_t limit) {
  struct Head {
    size_t part;
    size_t at;
  };
  const auto later = [&](const Head& a, const Head& b) {
    return parts[a.part][a.at].key > parts[b.part][b.at].key;
  };
  std::priority_queue<Head, std::vector<Head>, decltype(later)> heads(later);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].empty()) heads.push({i, 0});
  }
  Listing out;
  while (!heads.empty()) {
    const Head head = heads.top();
    heads.pop();
    shard::ListedKey& item = parts[head.part][head.at];
    const bool repeated = !out.items.empty() && out.items.back().common_prefix &&
                          item.common_prefix && out.items.back().key == item.key;
    if (!repeated) {
      if (out.items.size() == limit) {
        out.truncated = true;
        break;
      }
      out.items.push_back(std::move(item));
    }
    if (head.at + 1 < parts[head.part].size()) heads.push({head.part, head.at + 1});
  }
  return out;
}

}  // namespace drumlin::router
