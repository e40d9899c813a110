// What a shard stores and answers about, as plain values. Their byte forms are in shard/codec.h.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strong_id.h"
#include "base/time.h"

namespace drumlin::shard {

// Names the bytes of an object apart from its metadata: the entry that brought them, and which of its
// bodies. Never used twice.
struct BodyId {
  uint32_t shard = 0;
  uint64_t index = 0;
  uint32_t n = 0;
  bool operator==(const BodyId&) const = default;
};

// Header-like pairs, in the order in which they came.
using Pairs = std::vector<std::pair<std::string, std::string>>;

// What a client sends with an object, besides its bytes.
struct ObjectAttributes {
  std::string etag;  // lower-case hex MD5, without quotes
  Pairs headers;     // Content-Type, Cache-Control, ... as to be sent back
  Pairs user;        // x-amz-meta-*, without the prefix, lower case
  Pairs checksums;   // "crc32" -> base64 as sent
};

// An object of the present. version = index of the entry that wrote it; modified = its log time.
struct ObjectRecord {
  ObjectAttributes attributes;
  uint64_t size = 0;
  uint64_t version = 0;
  WallTime modified{};
  BodyId body;
};

// What a conditional write demands of the object that it finds. Judged when the write is applied, so
// exactly one of several writers can be right. All that is set must hold.
struct Precondition {
  bool absent = false;               // If-None-Match: *
  bool present = false;              // If-Match: *
  std::vector<std::string> etags;    // If-Match: one of these
  std::optional<uint64_t> size;      // deletes: x-amz-if-match-size
  std::optional<WallTime> modified;  // deletes: x-amz-if-match-last-modified-time, whole seconds

  bool any() const {
    return absent || present || !etags.empty() || size.has_value() || modified.has_value();
  }
  bool operator==(const Precondition&) const = default;
};

// Names a request of a client over all of the client's own retries: a digest of who sent it, the id
// that the client gave it, and all that it asks for. All zero: the client gave it no id.
struct RequestDigest {
  uint64_t high = 0;
  uint64_t low = 0;
  explicit operator bool() const { return high != 0 || low != 0; }
  auto operator<=>(const RequestDigest&) const = default;
};

enum class BucketState : uint8_t {
  kCreating = 1,  // invisible: partitions get their rows
  kActive = 2,
  kDeleting = 3,   // visible: partitions close themselves if they are empty
  kRemoving = 4,   // invisible: decided, rows become tombstones
  kReopening = 5,  // visible: decided, rows open again
};

// The record in catalogue shard 0.
struct BucketRecord {
  std::string name;
  uint64_t incarnation = 0;  // index of the create entry in shard 0
  uint32_t partitions = 1;
  uint64_t epoch = 0;
  BucketState state = BucketState::kCreating;
  WallTime created{};
  uint64_t owner = 0;  // a user's id; 0: root. The same for the whole of an incarnation
};

// How many records there are of one owner, in whatever state: it changes with their birth and death.
struct BucketCount {
  uint64_t buckets = 0;
};

enum class RowState : uint8_t { kOpen = 1, kClosed = 2, kTombstone = 3 };

// A partition's copy, checked by every put.
struct BucketRow {
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
  RowState state = RowState::kOpen;
};

// One item of a partition's ordered listing.
struct ListedKey {
  std::string key;
  bool common_prefix = false;  // `key` is a prefix up to and with the delimiter
  uint64_t size = 0;
  uint64_t version = 0;
  WallTime modified{};
  std::string etag;
};

}  // namespace drumlin::shard
