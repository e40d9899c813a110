// The body of a PUT: planned from the headers before a byte is read (and before "100 Continue"),
// then read, freed of its framing and checked against everything that the client promised about it.
#pragma once

#include <optional>
#include <string>

#include "s3/checksum.h"
#include "s3/request.h"

namespace drumlin::s3 {

struct BodyPlan {
  uint64_t size = 0;  // decoded
  bool streaming = false;
  std::optional<std::string> md5;  // raw, from Content-MD5
  ChecksumPlan checksum;
};

// kMissingContentLength, kEntityTooLarge, kInvalidDigest, kInvalidRequest, kNotImplemented.
// `required`: without a length there is an error instead of an empty body.
Outcome<BodyPlan> plan_body(const Request& request, uint64_t max_bytes, bool required);

struct Body {
  std::string bytes;
  std::string md5_hex;               // the ETag
  std::optional<Checksum> checksum;  // as promised, and confirmed
};

// Waits for memory for `size` bytes in the caller's share and in the whole: kSlowDown after the deadline.
// Yields.
Outcome<BodyBudget::Bytes> acquire_body_bytes(Context& context, uint64_t size, Instant deadline);

// Yields; hashes in offload where it is worth a hop. kIncompleteBody, kRequestTimeout, kBadDigest,
// kXAmzContentSha256Mismatch, and what AwsChunkedDecoder says.
Outcome<Body> read_body(Context& context, const Request& request, const BodyPlan& plan);

}  // namespace drumlin::s3
