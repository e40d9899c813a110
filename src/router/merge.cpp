#include "router/merge.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "base/check.h"

namespace drumlin::router {
namespace {

// An even share of the page and the item after it, and three standard deviations more: one page in a
// hundred has a partition that must be asked on.
size_t first_quota(size_t partitions, size_t limit, bool grouped) {
  const size_t all = limit + 1;
  if (grouped || partitions <= 1) return all;
  const double share = static_cast<double>(all) / static_cast<double>(partitions);
  return std::min(all, static_cast<size_t>(std::ceil(share + 3 * std::sqrt(share))) + 1);
}

}  // namespace

Page::Page(size_t partitions, size_t limit, bool grouped)
    : limit_(limit), quota_(first_quota(partitions, limit, grouped)), parts_(partitions) {}

void Page::add(size_t partition, std::vector<shard::ListedKey> items, bool more) {
  DRUMLIN_CHECK(!more || !items.empty());
  Part& part = parts_[partition];
  part.more = more;
  if (part.items.empty()) {
    part.items = std::move(items);
  } else {
    std::move(items.begin(), items.end(), std::back_inserter(part.items));
  }
}

template <typename Visit>
std::optional<size_t> Page::walk(Visit&& visit) const {
  struct Head {
    size_t part;
    size_t at;
  };
  const auto item = [this](const Head& head) -> const shard::ListedKey& {
    return parts_[head.part].items[head.at];
  };
  const auto later = [&](const Head& a, const Head& b) { return item(a).key > item(b).key; };
  std::priority_queue<Head, std::vector<Head>, decltype(later)> heads(later);
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (!parts_[i].items.empty()) heads.push({i, 0});
  }
  std::optional<Head> before;
  while (!heads.empty()) {
    const Head head = heads.top();
    heads.pop();
    const bool repeated = before && item(*before).common_prefix && item(head).common_prefix &&
                          item(*before).key == item(head).key;
    if (!repeated && !visit(head.part, head.at)) return std::nullopt;
    if (!repeated) before = head;
    if (head.at + 1 < parts_[head.part].items.size()) {
      heads.push({head.part, head.at + 1});
    } else if (parts_[head.part].more) {
      return head.part;
    }
  }
  return std::nullopt;
}

// One item past the page says that there is more.
std::optional<size_t> Page::wants() const {
  size_t seen = 0;
  return walk([&](size_t, size_t) { return ++seen <= limit_; });
}

Listing Page::take() && {
  Listing out;
  std::vector<std::pair<size_t, size_t>> places;
  places.reserve(limit_ + 1);
  const std::optional<size_t> short_of = walk([&](size_t part, size_t at) {
    out.truncated = places.size() == limit_;
    if (!out.truncated) places.emplace_back(part, at);
    return !out.truncated;
  });
  DRUMLIN_CHECK(!short_of, "partition ", *short_of, " has not given all that the page needs");
  out.items.reserve(places.size());
  for (const auto& [part, at] : places)
    out.items.push_back(std::move(parts_[part].items[at]));
  return out;
}

}  // namespace drumlin::router
