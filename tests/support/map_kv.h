// MapKv: a Kv in a std::map for tests of what lives above kv. It can be told to answer kWouldBlock
// to whoever may not wait, and it counts its flushes.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "kv/api/kv.h"

namespace drumlin::test {

class MapKv final : public kv::Kv {
 public:
  using Map = std::map<std::string, std::string>;

  Result<std::optional<std::string>> get(std::string_view key) const override {
    return get_in(state_, key, blocked);
  }
  std::unique_ptr<kv::Cursor> cursor(std::string_view lower,
                                     std::string_view upper) const override {
    return std::make_unique<MapCursor>(state_, lower, upper, blocked);
  }
  std::unique_ptr<kv::View> snapshot(kv::Access access) const override {
    return std::make_unique<Snapshot>(state_, blocked && access == kv::Access::kNonBlocking);
  }
  Status write(const kv::Batch& batch, kv::Access access) override {
    if (blocked && access == kv::Access::kNonBlocking) return Status(Code::kWouldBlock);
    for (const kv::Batch::Change& change : batch.changes()) {
      if (change.value) {
        state_.insert_or_assign(change.key, *change.value);
      } else {
        state_.erase(change.key);
      }
    }
    return {};
  }
  Status flush() override {
    ++flushes;
    return {};
  }
  bool durable() const override { return true; }
  std::string_view engine() const override { return "map"; }

  const Map& state() const { return state_; }
  Map& state() { return state_; }

  bool blocked = false;  // calls that may not wait answer kWouldBlock
  size_t flushes = 0;

 private:
  static Result<std::optional<std::string>> get_in(const Map& map, std::string_view key,
                                                   bool would_block) {
    if (would_block) return Status(Code::kWouldBlock);
    const auto it = map.find(std::string(key));
    if (it == map.end()) return std::optional<std::string>();
    return std::optional<std::string>(it->second);
  }

  class MapCursor final : public kv::Cursor {
   public:
    MapCursor(Map state, std::string_view lower, std::string_view upper, bool would_block)
        : state_(std::move(state)), lower_(lower), upper_(upper), blocked_(would_block) {
      seek(lower);
    }
    bool valid() const override {
      return !blocked_ && at_ != state_.end() && (upper_.empty() || at_->first < upper_);
    }
    void next() override {
      DRUMLIN_CHECK(valid());
      ++at_;
    }
    void seek(std::string_view key) override {
      at_ = state_.lower_bound(std::max(std::string(key), lower_));
    }
    std::string_view key() const override { return at_->first; }
    std::string_view value() const override { return at_->second; }
    Status status() const override { return blocked_ ? Status(Code::kWouldBlock) : Status(); }

   private:
    Map state_;
    std::string lower_;
    std::string upper_;
    bool blocked_;
    Map::const_iterator at_;
  };

  class Snapshot final : public kv::View {
   public:
    Snapshot(Map state, bool would_block) : state_(std::move(state)), blocked_(would_block) {}
    Result<std::optional<std::string>> get(std::string_view key) const override {
      return get_in(state_, key, blocked_);
    }
    std::unique_ptr<kv::Cursor> cursor(std::string_view lower,
                                       std::string_view upper) const override {
      return std::make_unique<MapCursor>(state_, lower, upper, blocked_);
    }

   private:
    Map state_;
    bool blocked_;
  };

  Map state_;
};

}  // namespace drumlin::test
