#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include <isa-l/crc.h>

#include <algorithm>

#include "base/check.h"

namespace drumlin {
namespace {

unsigned char* mutable_bytes(std::string_view v) {
  // ISA-L takes a non-const pointer but does not write through it.
  return reinterpret_cast<unsigned char*>(const_cast<char*>(v.data()));
}

// EVP_MD_fetch walks provider tables; once per process is enough. The object is immutable.
const EVP_MD* fetched(Hasher::Kind kind) {
  static const EVP_MD* const sha256_md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const sha1_md = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  static const EVP_MD* const md5_md = EVP_MD_fetch(nullptr, "MD5", nullptr);
  switch (kind) {
    case Hasher::Kind::kSha256:
      return sha256_md;
    case Hasher::Kind::kSha1:
      return sha1_md;
    case Hasher::Kind::kMd5:
      return md5_md;
  }
  DRUMLIN_UNREACHABLE();
}

template <typename Digest>
Digest one_shot(Hasher::Kind kind, std::string_view bytes) {
  Digest out;
  unsigned int size = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, fetched(kind), nullptr);
  DRUMLIN_CHECK(ok == 1);
  DRUMLIN_CHECK_EQ(size, out.size());
  return out;
}

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t seed) {
  if (bytes.empty()) return seed;
  return ~crc32_iscsi(mutable_bytes(bytes), static_cast<int>(bytes.size()), ~seed);
}

uint32_t crc32(std::string_view bytes, uint32_t seed) {
  if (bytes.empty()) return seed;
  return crc32_gzip_refl(seed, mutable_bytes(bytes), bytes.size());
}

uint64_t xxh3(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Sha256Digest sha256(std::string_view bytes) {
  return one_shot<Sha256Digest>(Hasher::Kind::kSha256, bytes);
}

Md5Digest md5(std::string_view bytes) {
  return one_shot<Md5Digest>(Hasher::Kind::kMd5, bytes);
}

Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  return HmacSha256(key).of({bytes});
}

// Not OpenSSL's HMAC(), which looks its algorithm up anew each time: that costs more than the hashing of a
// short text.
struct HmacSha256::Impl {
  EVP_MD_CTX* inner = EVP_MD_CTX_new();  // has eaten the key, as `outer` has
  EVP_MD_CTX* outer = EVP_MD_CTX_new();
  EVP_MD_CTX* work = EVP_MD_CTX_new();
  ~Impl() {
    for (EVP_MD_CTX* ctx : {inner, outer, work})
      EVP_MD_CTX_free(ctx);
  }
  void finish(Sha256Digest& out) const {
    unsigned int size = 0;
    DRUMLIN_CHECK(EVP_DigestFinal_ex(work, out.data(), &size) == 1);
    DRUMLIN_CHECK_EQ(size, out.size());
  }
};

HmacSha256::HmacSha256(std::string_view key) : impl_(std::make_unique<Impl>()) {
  constexpr size_t kBlock = 64;
  std::array<unsigned char, kBlock> pad{};
  if (key.size() > kBlock) {
    const Sha256Digest digest = sha256(key);
    std::copy(digest.begin(), digest.end(), pad.begin());
  } else {
    std::copy(key.begin(), key.end(), pad.begin());
  }
  const auto begin = [&pad](EVP_MD_CTX* ctx, unsigned char mask) {
    for (unsigned char& byte : pad)
      byte ^= mask;
    DRUMLIN_CHECK(EVP_DigestInit_ex(ctx, fetched(Hasher::Kind::kSha256), nullptr) == 1);
    DRUMLIN_CHECK(EVP_DigestUpdate(ctx, pad.data(), pad.size()) == 1);
  };
  begin(impl_->inner, 0x36);
  begin(impl_->outer, 0x36 ^ 0x5c);  // the pad has the inner mask on already
  OPENSSL_cleanse(pad.data(), pad.size());
}
HmacSha256::~HmacSha256() = default;
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;

Sha256Digest HmacSha256::of(std::initializer_list<std::string_view> pieces) {
  Sha256Digest out;
  EVP_MD_CTX* const work = impl_->work;
  DRUMLIN_CHECK(EVP_MD_CTX_copy_ex(work, impl_->inner) == 1);
  for (const std::string_view piece : pieces)
    DRUMLIN_CHECK(EVP_DigestUpdate(work, piece.data(), piece.size()) == 1);
  impl_->finish(out);
  DRUMLIN_CHECK(EVP_MD_CTX_copy_ex(work, impl_->outer) == 1);
  DRUMLIN_CHECK(EVP_DigestUpdate(work, out.data(), out.size()) == 1);
  impl_->finish(out);
  return out;
}

struct Hasher::Impl {
  EVP_MD_CTX* ctx = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(ctx); }
};

Hasher::Hasher(Kind kind) : impl_(std::make_unique<Impl>()) {
  DRUMLIN_CHECK(EVP_DigestInit_ex(impl_->ctx, fetched(kind), nullptr) == 1);
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::string_view bytes) {
  DRUMLIN_CHECK(EVP_DigestUpdate(impl_->ctx, bytes.data(), bytes.size()) == 1);
}

std::string Hasher::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  DRUMLIN_CHECK(EVP_DigestFinal_ex(impl_->ctx, out, &size) == 1);
  return {reinterpret_cast<const char*>(out), size};
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex(std::span<const unsigned char> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char b : bytes) {
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
  return out;
}

std::string hex(std::string_view bytes) {
  return hex(std::span(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(n));
  return out;
}

bool base64_decode(std::string_view text, std::string& out) {
  if (text.size() % 4 != 0) return false;
  out.resize(text.size() / 4 * 3);
  if (text.empty()) return true;
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size()));
  if (n < 0) return false;
  size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=')
    ++padding;
  out.resize(static_cast<size_t>(n) - padding);
  // EVP_DecodeBlock trims white space and ignores stray bits: only the canonical form is accepted.
  return base64_encode(out) == text;
}

}  // namespace drumlin
