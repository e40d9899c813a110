// Store: what the S3 handlers need of the cluster, whichever node they run on. All calls yield, take a
// deadline, and are linearizable: they see every call that was answered before they began.
//
// Common errors: kUnavailable (nothing done, retry), kOutcomeUnknown (a write may or may not have been
// done), kExhausted (slow down), kInvalidArgument.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/status.h"
#include "base/time.h"
#include "shard/types.h"

namespace drumlin::router {

// A range of bytes as RFC 9110 asks for it: first-last, first-, or the last `last` bytes (no first).
struct ByteRange {
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;
};

struct GotObject {
  bool found = false;
  uint64_t version = 0;  // of the object; if not found, of the last delete in its shard (0: none)
  shard::ObjectRecord object;
  // If the body was asked for: bytes [first, first + body.size()) of it. `unsatisfiable`: the range
  // begins past the end.
  bool unsatisfiable = false;
  uint64_t first = 0;
  Blob body;
  bool body_left_out = false;  // it has more than max_body bytes; all else is as with it
};

struct Listing {
  std::vector<shard::ListedKey> items;  // ascending by key bytes
  bool truncated = false;
};

struct ListRequest {
  std::string bucket;
  std::string prefix;
  std::string delimiter;
  std::string after;  // keys (and common prefixes) strictly greater than this...
  bool after_is_prefix =
      false;  // ...and, if it is a common prefix, than all keys that begin with it
  size_t limit = 1000;
};

// What a write of an object may add.
struct WriteTerms {
  shard::Precondition when;
  // The client's own name of the request: a retry under it gets the first answer, for some minutes
  // (shard/outcomes.h).
  shard::RequestDigest request;
};

struct Written {
  enum class Outcome : uint8_t {
    kDone,
    kConditionFailed,
    kNothingToMatch,  // a put that wants to match something, and nothing is there
  };
  Outcome outcome = Outcome::kDone;
  // Of the write. If it was refused: of the object that is there, else of the last delete in its shard.
  uint64_t version = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // kAlreadyExists: it exists (ACTIVE). kAborted: a delete of that name is under way.
  virtual Status create_bucket(std::string_view name, Instant deadline) = 0;
  // kNotFound; kFailedPrecondition: not empty; kAborted: a concurrent change.
  virtual Status delete_bucket(std::string_view name, Instant deadline) = 0;
  virtual Result<shard::BucketRecord> get_bucket(std::string_view name, Instant deadline) = 0;
  virtual Result<std::vector<shard::BucketRecord>> list_buckets(Instant deadline) = 0;

  // kNotFound: no such bucket. kAborted: the bucket is being deleted.
  virtual Result<Written> put_object(std::string_view bucket, std::string_view key,
                                     shard::ObjectAttributes attributes, Blob body,
                                     const WriteTerms& terms, Instant deadline) = 0;
  // kNotFound: no such bucket; an object that is not there is an OK with found = false. No
  // more than max_body bytes of the body are brought into memory: all that was asked for, or none.
  virtual Result<GotObject> get_object(std::string_view bucket, std::string_view key,
                                       bool with_body, std::optional<ByteRange> range,
                                       uint64_t max_body, Instant deadline) = 0;
  // Idempotent without a condition. Errors as put_object's.
  virtual Result<Written> delete_object(std::string_view bucket, std::string_view key,
                                        const WriteTerms& terms, Instant deadline) = 0;
  virtual Result<Listing> list_objects(const ListRequest& request, Instant deadline) = 0;
};

}  // namespace drumlin::router
