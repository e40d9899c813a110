// base: checksums against published vectors, codecs, generators, Result.
#include <gtest/gtest.h>

#include "base/blob.h"
#include "base/codec.h"
#include "base/digest.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/strong_id.h"

namespace drumlin {
namespace {

TEST(Digest, PublishedVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283u);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xcbf43926u);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(md5("")), "d41d8cd98f00b204e9800998ecf8427e");
  // RFC 4231, test case 2.
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // RFC 4231, test case 6: a key longer than a block of the hash; then one of just a block, and one
  // byte more.
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'),
                            "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(hmac_sha256(std::string(64, 'k'), std::string(100, 'm'))),
            "cf90f2bd3d834da81ed00241edca4400cd0286aca0dc917f775169e8f09b46cb");
  EXPECT_EQ(hex(hmac_sha256(std::string(65, 'k'), "")),
            "41f1c4cc3107cd5b8d92460f61032902bfdb06484eef17e861b83a5012d3b7f3");
}

TEST(Digest, AKeyedMacIsTheSameEachTimeAndInPieces) {
  HmacSha256 keyed("Jefe");
  const Sha256Digest whole = hmac_sha256("Jefe", "what do ya want for nothing?");
  EXPECT_EQ(keyed.of({"what do ya want for nothing?"}), whole);
  EXPECT_NE(keyed.of({}), whole);
  HmacSha256 moved = std::move(keyed);
  EXPECT_EQ(moved.of({"what do ya ", "", "want for nothing?"}), whole);
}

TEST(Digest, PlacementHashIsFrozen) {
  // Changing any of these moves every key of every cluster ever made.
  EXPECT_EQ(xxh3(""), 0x2d06800538d394c2ULL);
  EXPECT_EQ(xxh3("a"), 0xe6c632b61e964e1fULL);
  EXPECT_EQ(xxh3("bucket"), xxh3(std::string("bucket")));
  EXPECT_NE(xxh3("bucket"), xxh3("bucket", 1));
}

TEST(Digest, HasherEqualsOneShot) {
  Hasher h(Hasher::Kind::kSha256);
  h.update("a");
  h.update("bc");
  EXPECT_EQ(h.finish(), as_view(sha256("abc")));
}

TEST(Base64, CanonicalOnly) {
  std::string out;
  for (std::string s : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    ASSERT_TRUE(base64_decode(base64_encode(s), out)) << s;
    EXPECT_EQ(out, s);
  }
  EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
  for (std::string bad : {"Zg=", "Zg", "Z===", "Zh==", "Zg==\n", "!!!!", "===="}) {
    EXPECT_FALSE(base64_decode(bad, out)) << bad;
  }
}

TEST(Codec, RoundTripAndShortInput) {
  std::string bytes;
  Writer w(bytes);
  w.u8(1);
  w.u16(0x0203);
  w.u32(4);
  w.u64(UINT64_MAX);
  w.u64_be(0x0102030405060708ULL);
  w.bytes("hello");
  EXPECT_EQ(bytes.substr(15, 8), std::string("\1\2\3\4\5\6\7\10", 8));
  Reader r(bytes);
  EXPECT_EQ(r.u8(), 1);
  EXPECT_EQ(r.u16(), 0x0203);
  EXPECT_EQ(r.u32(), 4u);
  EXPECT_EQ(r.u64(), UINT64_MAX);
  EXPECT_EQ(r.u64_be(), 0x0102030405060708ULL);
  EXPECT_EQ(r.bytes(), "hello");
  EXPECT_TRUE(r.done());
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    Reader s(std::string_view(bytes).substr(0, cut));
    s.u8(), s.u16(), s.u32(), s.u64(), s.u64_be(), s.bytes();
    EXPECT_FALSE(s.ok()) << cut;
    EXPECT_EQ(s.u64(), 0u) << "a failed reader stays failed";
  }
}

TEST(Rng, SameSeedSameDrawsAndStreamsAreIndependent) {
  Rng a(7), b(7);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(a.next(), b.next());
  EXPECT_EQ(Rng(7).stream("net").next(), a.stream("net").next()) << "draws do not shift a stream";
  EXPECT_NE(a.stream("net").next(), a.stream("disk").next());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(a.below(10), 10u);
    const auto v = a.log_uniform(3, 1000);
    EXPECT_TRUE(v >= 3 && v <= 1000) << v;
  }
}

TEST(Rng, FirstDrawsAreFrozen) {
  // A plan written today must expand to the same run tomorrow.
  Rng r(1);
  EXPECT_EQ(r.next(), 12966619160104079557ULL);
  EXPECT_EQ(r.next(), 9600361134598540522ULL);
}

Result<int> half(int x) {
  if (x % 2 != 0) return Status(Code::kInvalidArgument, "odd");
  return x / 2;
}
Result<int> quarter(int x) {
  DRUMLIN_ASSIGN(const int h, half(x));
  return half(h);
}

TEST(Result, PropagatesAndHoldsValues) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).status().to_string(), "invalid_argument: odd");
  EXPECT_DEATH((void)half(3).value(), "odd");
}

TEST(Check, PrintsOperands) {
  EXPECT_DEATH(DRUMLIN_CHECK_EQ(Term(3), Term(4)), "Term.3. == Term.4. -- 3 vs 4");
  EXPECT_DEATH(DRUMLIN_CHECK(1 > 2, "while ", 5), "1 > 2 -- while 5");
}

}  // namespace
}  // namespace drumlin
