// Kv: a node's ordered map from bytes to bytes, shared by all of its shards. Plain synchronous
// calls.
//
// A write is atomic and becomes durable with the next flush, all earlier writes with it: what is
// lost in between is replayed from the write-ahead log. Engines differ in speed only; tests/kv is
// their conformance suite.
//
// Access says whether a call may wait for the disk. On the reactor it may not: kWouldBlock then
// means "run me again in an offload job with kBlocking". An engine in memory never answers
// kWouldBlock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace drumlin::kv {

enum class Access : unsigned char { kNonBlocking, kBlocking };

// A position in the keys of a range, in ascending byte order. Keys and values are valid until the
// next call on the cursor.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;  // false at the end, and after an error: look at status()
  virtual void next() = 0;
  virtual void seek(std::string_view key) = 0;  // to the first key >= `key` within the range
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual Status status() const = 0;  // kWouldBlock, kCorrupt, kIo
};

// What can be read. Errors: kWouldBlock, kCorrupt, kIo.
class View {
 public:
  virtual ~View() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  // Keys in [lower, upper), at the first of them; an empty upper means no end.
  virtual std::unique_ptr<Cursor> cursor(std::string_view lower, std::string_view upper) const = 0;
};

// Changes to be made at once. Later ones win.
class Batch {
 public:
  struct Change {
    std::string key;
    std::optional<std::string> value;  // nothing: the key is removed
  };
  void put(std::string_view key, std::string value) {
    bytes_ += key.size() + value.size();
    changes_.push_back({std::string(key), std::move(value)});
  }
  void remove(std::string_view key) {
    bytes_ += key.size();
    changes_.push_back({std::string(key), std::nullopt});
  }
  void clear() {
    changes_.clear();
    bytes_ = 0;
  }
  bool empty() const { return changes_.empty(); }
  size_t bytes() const { return bytes_; }
  const std::vector<Change>& changes() const { return changes_; }

 private:
  std::vector<Change> changes_;
  size_t bytes_ = 0;
};

class Kv : public View {
 public:
  // get() and cursor() of the Kv itself are kNonBlocking and see the latest writes. A cursor stays
  // at the state in which it was made.

  // The state of this moment, for as long as the view lives; may be used from an offload job if
  // kBlocking.
  virtual std::unique_ptr<View> snapshot(Access access) const = 0;
  // kWouldBlock (nothing written) only with kNonBlocking, when the engine is behind with its
  // flushes.
  virtual Status write(const Batch& batch, Access access) = 0;
  // Everything written before is durable when this returns OK, if the engine keeps anything at all. Blocks:
  // only in an offload job.
  virtual Status flush() = 0;
  // False: nothing survives the process, whatever is flushed.
  virtual bool durable() const = 0;
  virtual std::string_view engine() const = 0;
};

}  // namespace drumlin::kv
