// Store: what the S3 handlers need of the cluster, whichever node they run on. All calls yield, take a
// deadline, and are linearizable: they see every call that was answered before they began.
//
// Common errors: kUnavailable (nothing done, retry), kOutcomeUnknown (a write may or may not have been
// done), kExhausted (slow down), kInvalidArgument; kPermissionDenied (the bucket exists and is not of
// Call::only_owner).
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
  uint64_t owner = 0;  // of the bucket
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

struct ListBucketsRequest {
  std::string prefix;
  std::string after;    // names strictly greater than this
  size_t limit = 1000;  // may be 0
};

// Each bucket as it was at some moment of the call; a long list is not one moment's.
struct BucketListing {
  std::vector<shard::BucketRecord> buckets;  // ascending by name
  bool truncated = false;
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

// Who asks, and until when. There is no call on nobody's behalf: root's is said to be root's.
struct Call {
  Instant deadline;
  // The owner that a bucket must have. Checked against the very record that the operation then uses:
  // a bucket that was deleted and made again by another is another's. Nothing: any will do.
  std::optional<uint64_t> only_owner;
  uint64_t user = 0;  // of whom a bucket that is made will be

  static Call of_root(Instant deadline) { return {deadline, std::nullopt, 0}; }
  bool may_use(const shard::BucketRecord& bucket) const {
    return !only_owner || bucket.owner == *only_owner;
  }
};

class Store {
 public:
  virtual ~Store() = default;

  // OK if the call may use the bucket, as far as this node remembers: for refusing early what would be
  // refused later. kNotFound, kPermissionDenied (never by memory alone).
  virtual Status check_bucket(std::string_view name, const Call& call) = 0;

  // kAlreadyExists: it exists (ACTIVE) and is the caller's; kFailedPrecondition: it is another's.
  // kAborted: a delete of that name is under way. kPermissionDenied: there is no such user any more.
  // kTooLarge: the user has as many buckets as one may have.
  virtual Status create_bucket(std::string_view name, const Call& call) = 0;
  // kNotFound; kFailedPrecondition: not empty; kAborted: a concurrent change.
  virtual Status delete_bucket(std::string_view name, const Call& call) = 0;
  virtual Result<shard::BucketRecord> get_bucket(std::string_view name, const Call& call) = 0;
  // Those that the call may use.
  virtual Result<BucketListing> list_buckets(const ListBucketsRequest& request,
                                             const Call& call) = 0;

  // kNotFound: no such bucket. kAborted: the bucket is being deleted.
  virtual Result<Written> put_object(std::string_view bucket, std::string_view key,
                                     shard::ObjectAttributes attributes, Blob body,
                                     const WriteTerms& terms, const Call& call) = 0;
  // kNotFound: no such bucket; an object that is not there is an OK with found = false. No
  // more than max_body bytes of the body are brought into memory: all that was asked for, or none.
  virtual Result<GotObject> get_object(std::string_view bucket, std::string_view key,
                                       bool with_body, std::optional<ByteRange> range,
                                       uint64_t max_body, const Call& call) = 0;
  // Idempotent without a condition. Errors as put_object's.
  virtual Result<Written> delete_object(std::string_view bucket, std::string_view key,
                                        const WriteTerms& terms, const Call& call) = 0;
  virtual Result<Listing> list_objects(const ListRequest& request, const Call& call) = 0;
};

}  // namespace drumlin::router
