// Rows: the bucket rows used lately, in memory. Every read and write of an object asks for its
// bucket's row, and the kv would have to look for it among all else each time.
//
// Holds only what the kv holds at applied(): a change is staged by apply() and enters with commit().
// What is not here is read from the kv; so when it is full it forgets everything.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "shard/types.h"

namespace drumlin::shard {

class Rows {
 public:
  static constexpr size_t kMost = 256;

  // Null: not known, which does not say that there is none.
  const BucketRow* find(std::string_view bucket) const {
    const auto it = rows_.find(bucket);
    return it == rows_.end() ? nullptr : &it->second;
  }
  // Read from the kv, at applied().
  void keep(std::string_view bucket, const BucketRow& row) {
    if (rows_.size() >= kMost) rows_.clear();
    rows_.insert_or_assign(std::string(bucket), row);
  }
  void stage(std::string_view bucket, const BucketRow& row) {
    staged_.emplace(std::string(bucket), row);
  }
  void discard() { staged_.reset(); }
  void commit() {
    if (staged_) keep(staged_->first, staged_->second);
    staged_.reset();
  }
  void clear() {
    rows_.clear();
    staged_.reset();
  }

 private:
  std::map<std::string, BucketRow, std::less<>> rows_;
  std::optional<std::pair<std::string, BucketRow>> staged_;  // one command changes one row
};

}  // namespace drumlin::shard
