// Page: the listings of a bucket's partitions merged into one page. Pure.
//
// Keys are spread over partitions by their hash, so a page needs about the same number of each: every
// partition is first asked for quota() items, not for a whole page. A partition that had more, and
// whose items ran out before the page was full, is asked on (wants()); that is rare. Of a partition
// asked twice, keys are shown as they were at two moments, as those of two partitions are anyway.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "router/store.h"
#include "shard/types.h"

namespace drumlin::router {

class Page {
 public:
  // `grouped`: with common prefixes, which any number of partitions may share.
  Page(size_t partitions, size_t limit, bool grouped);

  // How many items to ask each partition for at first, and one that is asked on.
  size_t quota() const { return quota_; }
  size_t refill() const { return limit_ + 1; }

  // The next items of a partition, ascending by key and after those that it gave before. `more`: there
  // may be some after the last of these. REQUIRES: not without any.
  void add(size_t partition, std::vector<shard::ListedKey> items, bool more);
  // The partition without whose further items the page is not known, if there is one. REQUIRES: each
  // partition has given its first items.
  std::optional<size_t> wants() const;
  // What it gave last. REQUIRES: it gave something.
  const shard::ListedKey& last_of(size_t partition) const { return parts_[partition].items.back(); }

  // A common prefix of several partitions is listed once. REQUIRES: !wants().
  Listing take() &&;

 private:
  struct Part {
    std::vector<shard::ListedKey> items;
    bool more = false;  // there may be some after the last
  };
  // Walks the union in order; `visit(part, at)` is told of each item that is not a repetition, and
  // ends the walk by returning false. Returns the part that ran out, if the walk could not go on.
  template <typename Visit>
  std::optional<size_t> walk(Visit&& visit) const;

  size_t limit_;
  size_t quota_;
  std::vector<Part> parts_;
};

}  // namespace drumlin::router
