// The aws-chunked decoder: every form, cut at every position; every way to lie.
#include <gtest/gtest.h>

#include "s3/aws_chunked.h"
#include "tests/s3/chunked_body.h"

namespace drumlin::s3 {
namespace {

using test::chunked_body;
using test::ChunkedForm;

const auth::SigningContext kContext{std::string(32, 'k'), "20130524T000000Z",
                                    "20130524/us-east-1/s3/aws4_request"};
const std::string kSeed(64, '0');

struct Case {
  bool is_signed;
  bool trailer;
};
constexpr Case kCases[] = {{true, false}, {true, true}, {false, true}, {false, false}};

ChunkedForm form_of(Case c, size_t chunk = 5) {
  ChunkedForm form;
  form.chunk_size = chunk;
  if (c.is_signed) form.chain.emplace(kContext, kSeed);
  if (c.trailer) form.trailers = {{"x-amz-checksum-crc32", "y/Q5Jg=="}};
  return form;
}

AwsChunkedDecoder decoder_for(Case c, uint64_t length) {
  AwsChunkedDecoder::Form form;
  form.decoded_length = length;
  if (c.is_signed) form.chain.emplace(kContext, kSeed);
  form.with_trailer = c.trailer;
  if (c.trailer) form.trailers = {"x-amz-checksum-crc32"};
  return AwsChunkedDecoder(std::move(form));
}

// The data, or the name of the error.
std::string decode(AwsChunkedDecoder decoder, std::initializer_list<std::string_view> pieces) {
  std::string out;
  for (std::string_view piece : pieces) {
    const Check fed = decoder.feed(piece, out);
    if (!fed.ok()) return std::string(info(fed.error().code).name);
  }
  const Check finished = decoder.finish();
  return finished.ok() ? out : std::string(info(finished.error().code).name);
}

TEST(AwsChunked, EveryFormCutInTwoEverywhere) {
  for (const Case c : kCases) {
    for (const std::string data : {"", "x", "hello world, 23 bytes."}) {
      const std::string body = chunked_body(data, form_of(c));
      for (size_t cut = 0; cut <= body.size(); ++cut) {
        const std::string_view view = body;
        EXPECT_EQ(decode(decoder_for(c, data.size()), {view.substr(0, cut), view.substr(cut)}),
                  data)
            << body << " cut at " << cut;
      }
    }
  }
}

TEST(AwsChunked, ByteByByte) {
  for (const Case c : kCases) {
    const std::string data = "hello\r\nworld\r\n0\r\n\r\n";
    AwsChunkedDecoder decoder = decoder_for(c, data.size());
    std::string out;
    for (char byte : chunked_body(data, form_of(c, 3))) {
      ASSERT_TRUE(decoder.feed({&byte, 1}, out).ok());
    }
    EXPECT_TRUE(decoder.finish().ok());
    EXPECT_EQ(out, data);
    EXPECT_EQ(decoder.trailers().size(), c.trailer ? 1u : 0u);
  }
}

TEST(AwsChunked, CutShortIsNeverWhole) {
  for (const Case c : kCases) {
    const std::string data = "hello world";
    const std::string body = chunked_body(data, form_of(c));
    // Only the very last CRLF may be missing, or half of it.
    for (size_t n = 0; n + 2 < body.size(); ++n) {
      EXPECT_NE(decode(decoder_for(c, data.size()), {std::string_view(body).substr(0, n)}), data)
          << n << " of " << body;
    }
    EXPECT_EQ(
        decode(decoder_for(c, data.size()), {std::string_view(body).substr(0, body.size() - 2)}),
        data);
    EXPECT_NE(decode(decoder_for(c, data.size()), {body, "x"}), data);
  }
}

TEST(AwsChunked, EveryBitUnderTheSignature) {
  for (const Case c : {Case{true, false}, Case{true, true}}) {
    const std::string data = "hello world";
    const std::string body = chunked_body(data, form_of(c));
    for (size_t i = 0; i < body.size(); ++i) {
      std::string changed = body;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      const std::string got = decode(decoder_for(c, data.size()), {changed});
      // Whatever passes must be the same data (an "A" for an "a" in a size or a header's name).
      if (got == data) continue;
      EXPECT_TRUE(got == "SignatureDoesNotMatch" || got == "InvalidRequest" ||
                  got == "IncompleteBody" || got == "MalformedTrailerError")
          << i << ": " << got;
    }
  }
}

TEST(AwsChunked, TamperedDataIsASignatureMismatch) {
  const Case c{true, false};
  std::string body = chunked_body("hello world", form_of(c));
  body[body.find("worl")] = 'W';  // of the second chunk
  EXPECT_EQ(decode(decoder_for(c, 11), {body}), "SignatureDoesNotMatch");
  // Chunks that are right one by one, but in another order.
  const std::string good_body = chunked_body("hellohello", form_of(c));
  const size_t first = good_body.find("5;");
  const size_t second = good_body.find("5;", first + 1);
  const size_t last = good_body.find("0;", second + 80);
  const std::string swapped = good_body.substr(second, last - second) +
                              good_body.substr(first, second - first) + good_body.substr(last);
  EXPECT_EQ(decode(decoder_for(c, 10), {swapped}), "SignatureDoesNotMatch");
}

TEST(AwsChunked, Lengths) {
  const Case c{false, true};
  const std::string body = chunked_body("hello", form_of(c));
  EXPECT_EQ(decode(decoder_for(c, 5), {body}), "hello");
  EXPECT_EQ(decode(decoder_for(c, 4), {body}), "IncompleteBody");
  EXPECT_EQ(decode(decoder_for(c, 6), {body}), "IncompleteBody");
  EXPECT_EQ(decode(decoder_for(c, 5), {"ffffffffffffffffffff\r\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 5), {"ffffffffffffffff\r\n"}), "IncompleteBody");
}

TEST(AwsChunked, Framing) {
  const Case c{false, true};
  EXPECT_EQ(decode(decoder_for(c, 1), {"1\nx\r\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 1), {"\r\nx\r\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 1), {"-1\r\nx\r\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 1), {"1 \r\nx\r\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 1), {"1;a=b\r\nx\r\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 1), {"1;chunk-signature=00\r\nx\r\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 1), {"1\r\nxy\n"}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for(c, 1), {std::string(10000, '0')}), "InvalidRequest");
  EXPECT_EQ(decode(decoder_for({true, false}, 1), {"1\r\nx\r\n"}), "InvalidRequest");
}

TEST(AwsChunked, Trailers) {
  const Case c{false, true};
  const std::string start = "1\r\nx\r\n0\r\n";
  const std::string good_line = "x-amz-checksum-crc32:y/Q5Jg==";
  const auto with = [&](const std::string& rest) {
    return decode(decoder_for(c, 1), {start + rest});
  };
  EXPECT_EQ(with(good_line + "\r\n\r\n"), "x");
  EXPECT_EQ(with(good_line + "\n\r\n"), "x");
  EXPECT_EQ(with("X-Amz-Checksum-CRC32:  y/Q5Jg== \r\n\r\n"), "x");
  EXPECT_EQ(with("\r\n"), "MalformedTrailerError");
  EXPECT_EQ(with(good_line + "\r\n" + good_line + "\r\n\r\n"), "MalformedTrailerError");
  EXPECT_EQ(with(good_line + "\r\nx-amz-meta-a:b\r\n\r\n"), "MalformedTrailerError");
  EXPECT_EQ(with("no colon\r\n\r\n"), "MalformedTrailerError");
  EXPECT_EQ(with(":empty name\r\n\r\n"), "MalformedTrailerError");
  EXPECT_EQ(with("x-amz-trailer-signature:00\r\n\r\n"), "MalformedTrailerError");
  EXPECT_EQ(with("a:" + std::string(5000, 'b')), "MalformedTrailerError");
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += "a:b\r\n";
  EXPECT_EQ(with(many), "MalformedTrailerError");
}

TEST(AwsChunked, SignedTrailerNeedsItsSignature) {
  const Case c{true, true};
  const std::string body = chunked_body("x", form_of(c));
  const size_t signature = body.find("x-amz-trailer-signature");
  EXPECT_EQ(decode(decoder_for(c, 1), {body.substr(0, signature), "\r\n"}),
            "MalformedTrailerError");
  std::string changed = body;
  changed[body.find("y/Q5")] = 'z';
  EXPECT_EQ(decode(decoder_for(c, 1), {changed}), "SignatureDoesNotMatch");
  // As minio-go sends it: LF after the trailer, an empty line before its signature.
  std::string loose = body;
  loose.replace(signature - 2, 2, "\n\r\n");
  EXPECT_EQ(decode(decoder_for(c, 1), {loose}), "x");
}

}  // namespace
}  // namespace drumlin::s3
