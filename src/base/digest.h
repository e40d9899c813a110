// Checksums and digests. CRC32C guards our own formats, XXH3-64 places keys and folds traces, CRC32
// (zlib's) and the cryptographic digests are what S3 clients send. None of these yields or locks.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace drumlin {

// CRC-32C (Castagnoli), as in iSCSI: crc32c("123456789") == 0xe3069283. `seed` chains calls:
// crc32c(b, crc32c(a)) == crc32c(a + b).
uint32_t crc32c(std::string_view bytes, uint32_t seed = 0);
// CRC-32 as in zlib and S3's x-amz-checksum-crc32: crc32("123456789") == 0xcbf43926. Chains likewise.
uint32_t crc32(std::string_view bytes, uint32_t seed = 0);
// XXH3-64. Seed 0 is what places keys on shards: frozen, vectors under test.
uint64_t xxh3(std::string_view bytes, uint64_t seed = 0);

using Sha256Digest = std::array<unsigned char, 32>;
using Md5Digest = std::array<unsigned char, 16>;

Sha256Digest sha256(std::string_view bytes);
Md5Digest md5(std::string_view bytes);
Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes);

// A digest fed in pieces. One use: update()* then finish() once.
class Hasher {
 public:
  enum class Kind : unsigned char { kSha256, kSha1, kMd5 };
  explicit Hasher(Kind kind);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(std::string_view bytes);
  std::string finish();  // raw digest bytes

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// HMAC-SHA256 (RFC 2104) with a key that is used again and again: what depends on the key alone is done
// once. Not copyable; one user at a time.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  ~HmacSha256();
  HmacSha256(HmacSha256&&) noexcept;
  HmacSha256& operator=(HmacSha256&&) noexcept;
  // Of the pieces one after the other.
  Sha256Digest of(std::initializer_list<std::string_view> pieces);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// True if equal, in time that depends only on the lengths. For secrets, signatures and MACs.
bool constant_time_equal(std::string_view a, std::string_view b);

std::string hex(std::span<const unsigned char> bytes);  // lower case
std::string hex(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
// False (and `out` unspecified) on anything but canonical, padded base64.
bool base64_decode(std::string_view text, std::string& out);

inline std::string_view as_view(std::span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace drumlin
