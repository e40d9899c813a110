// Additional checksums of objects: x-amz-checksum-* headers, sent before the body or in its
// trailer. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "s3/errors.h"

namespace drumlin::s3 {

enum class ChecksumKind : uint8_t { kCrc32, kCrc32c, kCrc64Nvme, kSha1, kSha256 };

// "crc32": as in header names and in ObjectAttributes::checksums.
std::string_view checksum_name(ChecksumKind kind);
std::string checksum_header(ChecksumKind kind);  // "x-amz-checksum-crc32"

// Base64 of the checksum, big-endian. CPU: run it in offload for large bodies.
std::string compute_checksum(ChecksumKind kind, std::string_view bytes);

// CRC-64/NVME: crc64nvme("123456789") == 0xae8b14860a799888.
uint64_t crc64nvme(std::string_view bytes);

struct Checksum {
  ChecksumKind kind = ChecksumKind::kCrc32;
  std::string base64;
};

// True if `base64` is canonical and of the length of that kind.
bool well_formed(const Checksum& checksum);

// What the headers promise: a checksum at once, or one in the trailer, or none.
struct ChecksumPlan {
  std::optional<Checksum> expected;
  std::optional<ChecksumKind> in_trailer;
  std::vector<std::string> trailers;  // all names of x-amz-trailer, lower case
};

// kInvalidRequest: several checksums, a malformed one, or x-amz-sdk-checksum-algorithm without its
// checksum. kNotImplemented: an algorithm that is not above.
Outcome<ChecksumPlan> plan_checksum(const http::Headers& headers);

}  // namespace drumlin::s3
