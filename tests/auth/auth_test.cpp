// auth: Signature Version 4 against the examples of the S3 documentation, every refusal, and Basic.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "auth/basic.h"
#include "auth/sigv4.h"
#include "base/digest.h"

namespace drumlin::auth {
namespace {

const Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
constexpr std::string_view kRegion = "us-east-1";
constexpr std::string_view kEmpty =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

WallTime example_time() {
  return parse_amz_date("20130524T000000Z").value();
}

// A request that owns its text; signed by sign(), then bent by the tests.
struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;

  std::string& header(const std::string& name) {
    for (auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return headers.emplace_back(name, "").second;
  }
  Signed sign_it(std::string_view payload, WallTime now = example_time(),
                 const Credentials& credentials = kExample, std::string_view region = kRegion) {
    const std::vector<HeaderView> views = header_views();
    Signed made = sign({method, target, views}, credentials, region, now, payload);
    header("X-Amz-Date") = made.amz_date;
    header("X-Amz-Content-SHA256") = made.content_sha256;
    header("Authorization") = made.authorization;
    return made;
  }
  VerifyResult verify(WallTime now = example_time()) const {
    const std::vector<HeaderView> views = header_views();
    return Verifier{std::string(kRegion), single_key(kExample)}.verify({method, target, views},
                                                                       now);
  }
  std::vector<HeaderView> header_views() const {
    std::vector<HeaderView> views;
    for (const auto& [name, value] : headers)
      views.push_back({name, value});
    return views;
  }
};

Request simple() {
  return {"GET", "/examplebucket/test.txt", {{"Host", "s3.amazonaws.com"}}};
}

std::string failure_of(const VerifyResult& result) {
  if (std::holds_alternative<Verified>(result)) return "verified";
  switch (std::get<AuthError>(result).failure) {
    case AuthFailure::kMissing:
      return "missing";
    case AuthFailure::kUnsupported:
      return "unsupported";
    case AuthFailure::kMalformed:
      return "malformed";
    case AuthFailure::kWrongRegion:
      return "wrong region";
    case AuthFailure::kUnknownAccessKey:
      return "unknown key";
    case AuthFailure::kSignatureMismatch:
      return "mismatch";
    case AuthFailure::kTimeSkewed:
      return "skewed";
    case AuthFailure::kExpired:
      return "expired";
    case AuthFailure::kInvalidDate:
      return "date";
    case AuthFailure::kUnsignedHeaders:
      return "unsigned headers";
    case AuthFailure::kMissingContentSha256:
      return "no sha256";
    case AuthFailure::kInvalidContentSha256:
      return "bad sha256";
  }
  return "?";
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
TEST(SigV4Examples, GetObject) {
  Request request{
      "GET", "/test.txt", {{"Host", "examplebucket.s3.amazonaws.com"}, {"Range", "bytes=0-9"}}};
  const Signed made = request.sign_it(kEmpty);
  EXPECT_EQ(made.signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(made.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=" +
                made.signature);
  EXPECT_EQ(failure_of(request.verify()), "verified");
}

TEST(SigV4Examples, PutObject) {
  Request request{"PUT",
                  "/test%24file.text",
                  {{"Host", "examplebucket.s3.amazonaws.com"},
                   {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}};
  const Signed made = request.sign_it(hex(sha256("Welcome to Amazon S3.")));
  EXPECT_EQ(made.signature, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  const VerifyResult result = request.verify();
  ASSERT_TRUE(std::holds_alternative<Verified>(result));
  const Verified& verified = std::get<Verified>(result);
  EXPECT_EQ(verified.payload, PayloadKind::kExact);
  EXPECT_EQ(verified.payload_sha256, hex(sha256("Welcome to Amazon S3.")));
  EXPECT_EQ(verified.access_key, kExample.access_key);
  EXPECT_EQ(verified.signature, made.signature);
}

TEST(SigV4Examples, Queries) {
  Request lifecycle{"GET", "/?lifecycle", {{"Host", "examplebucket.s3.amazonaws.com"}}};
  EXPECT_EQ(lifecycle.sign_it(kEmpty).signature,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  Request list{"GET", "/?max-keys=2&prefix=J", {{"Host", "examplebucket.s3.amazonaws.com"}}};
  EXPECT_EQ(list.sign_it(kEmpty).signature,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
TEST(SigV4Examples, Presigned) {
  Request request{"GET", "/test.txt", {{"host", "examplebucket.s3.amazonaws.com"}}};
  const std::vector<HeaderView> views = request.header_views();
  // The documentation's example encodes as the presigner here does.
  const std::string target =
      presign({request.method, request.target, views}, kExample, kRegion, example_time(), 86400);
  EXPECT_EQ(target,
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"
            "20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires="
            "86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  request.target = target;
  const VerifyResult result = request.verify(example_time() + 24h);
  ASSERT_TRUE(std::holds_alternative<Verified>(result));
  EXPECT_TRUE(std::get<Verified>(result).presigned);
  EXPECT_EQ(std::get<Verified>(result).payload, PayloadKind::kUnsigned);
  EXPECT_EQ(failure_of(request.verify(example_time() + 24h + 1s)), "expired");
  EXPECT_EQ(failure_of(request.verify(example_time() - 16min)), "skewed");
  request.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 x");
  EXPECT_EQ(failure_of(request.verify()), "malformed");
}

TEST(SigV4, PresignedRefusals) {
  const Request base{"GET", "/b/k?x-id=GetObject", {{"host", "h"}}};
  const std::vector<HeaderView> views = base.header_views();
  const auto presigned = [&](uint64_t seconds) {
    Request request = base;
    request.target =
        presign({base.method, base.target, views}, kExample, kRegion, example_time(), seconds);
    return request;
  };
  EXPECT_EQ(failure_of(presigned(1).verify()), "verified");
  EXPECT_EQ(failure_of(presigned(604800).verify()), "verified");
  EXPECT_EQ(failure_of(presigned(604801).verify()), "malformed");
  EXPECT_EQ(failure_of(presigned(0).verify()), "malformed");
  Request added = presigned(60);
  added.target += "&acl";
  EXPECT_EQ(failure_of(added.verify()), "mismatch");
  Request stripped = presigned(60);
  stripped.target = stripped.target.substr(0, stripped.target.find("&X-Amz-Signature"));
  EXPECT_EQ(failure_of(stripped.verify()), "malformed");
  Request header = presigned(60);
  header.header("x-amz-acl") = "public-read";
  EXPECT_EQ(failure_of(header.verify()), "unsigned headers");
  Request method = presigned(60);
  method.method = "PUT";
  EXPECT_EQ(failure_of(method.verify()), "mismatch");
  Request version_2 = base;
  version_2.target = "/b/k?AWSAccessKeyId=AK&Signature=c2ln&Expires=1369353600";
  EXPECT_EQ(failure_of(version_2.verify()), "unsupported");
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
TEST(SigV4Examples, StreamingChunks) {
  Request request{"PUT",
                  "/examplebucket/chunkObject.txt",
                  {{"Host", "s3.amazonaws.com"},
                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                   {"Content-Encoding", "aws-chunked"},
                   {"x-amz-decoded-content-length", "66560"},
                   {"Content-Length", "66824"}}};
  const Signed made = request.sign_it(kStreamingSignedText);
  EXPECT_EQ(made.signature, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
  ChunkChain chain(made.context, made.signature);
  EXPECT_EQ(chain.next(hex(sha256(std::string(65536, 'a')))),
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
  EXPECT_EQ(chain.next(hex(sha256(std::string(1024, 'a')))),
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
  EXPECT_EQ(chain.next(kEmpty), "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
  const VerifyResult result = request.verify();
  ASSERT_TRUE(std::holds_alternative<Verified>(result));
  EXPECT_EQ(std::get<Verified>(result).payload, PayloadKind::kStreamingSigned);
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
TEST(SigV4Examples, StreamingTrailer) {
  Request request{"PUT",
                  "/examplebucket/chunkObject.txt",
                  {{"Host", "s3.amazonaws.com"},
                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                   {"Content-Encoding", "aws-chunked"},
                   {"x-amz-decoded-content-length", "66560"},
                   {"x-amz-trailer", "x-amz-checksum-crc32c"}}};
  const Signed made = request.sign_it(kStreamingSignedTrailerText);
  EXPECT_EQ(made.signature, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
  ChunkChain chain(made.context, made.signature);
  EXPECT_EQ(chain.next(hex(sha256(std::string(65536, 'a')))),
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
  EXPECT_EQ(chain.next(hex(sha256(std::string(1024, 'a')))),
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
  EXPECT_EQ(chain.next(kEmpty), "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
  EXPECT_EQ(chain.trailer("x-amz-checksum-crc32c:sOO8/Q==\n"),
            "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

TEST(SigV4, EveryChangeBreaksTheSignature) {
  const auto changed = [](auto change) {
    Request request = simple();
    request.header("x-amz-meta-a") = "1";
    request.target = "/examplebucket/a%20b?prefix=x&list-type=2";
    request.sign_it(kUnsignedPayloadText);
    EXPECT_EQ(failure_of(request.verify()), "verified");
    change(request);
    return failure_of(request.verify());
  };
  EXPECT_EQ(changed([](Request& r) { r.method = "HEAD"; }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.target = "/examplebucket/a+b?prefix=x&list-type=2"; }),
            "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.target += "&k"; }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.target.replace(r.target.find("prefix=x"), 8, "prefix=y"); }),
            "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.header("Host") = "other"; }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.header("x-amz-meta-a") = "2"; }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.headers.emplace_back("x-amz-meta-a", "2"); }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.header("X-Amz-Content-SHA256") = kEmpty; }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.header("X-Amz-Date") = "20130524T000001Z"; }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.header("x-amz-acl") = "private"; }), "unsigned headers");
  EXPECT_EQ(changed([](Request& r) { r.header("Authorization").back() ^= 1; }), "mismatch");
  EXPECT_EQ(changed([](Request& r) { r.header("Authorization").pop_back(); }), "mismatch");
  // What does not change the meaning does not change the signature.
  EXPECT_EQ(changed([](Request& r) { r.target = "/examplebucket/a%20b?list-type=2&prefix=x"; }),
            "verified");
  EXPECT_EQ(changed([](Request& r) { r.header("x-amz-meta-a") = "  1\t"; }), "verified");
  EXPECT_EQ(changed([](Request& r) { r.header("User-Agent") = "unsigned, and free"; }), "verified");
}

// One verifier that remembers derived keys judges like one that remembers nothing.
TEST(SigV4, DerivedKeysAreKeptOnlyForWhoCanSign) {
  std::string secret = kExample.secret_key;
  const Verifier verifier{std::string(kRegion), [&](std::string_view) { return secret; }};
  const auto judge = [&](const Request& request, WallTime now) {
    const std::vector<HeaderView> views = request.header_views();
    return failure_of(verifier.verify({request.method, request.target, views}, now));
  };
  Request good = simple();
  good.sign_it(kUnsignedPayloadText);
  Request forged = simple();
  forged.sign_it(kUnsignedPayloadText, example_time(), {kExample.access_key, "another secret"});
  EXPECT_EQ(judge(forged, example_time()), "mismatch");
  EXPECT_EQ(verifier.keys.size(), 0u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(judge(good, example_time()), "verified");
    EXPECT_EQ(judge(forged, example_time()), "mismatch");
  }
  EXPECT_EQ(verifier.keys.size(), 1u);

  // The secret is replaced: what was signed with the old one is refused at once.
  secret = "another secret";
  EXPECT_EQ(judge(good, example_time()), "mismatch");
  EXPECT_EQ(judge(forged, example_time()), "verified");
  secret = kExample.secret_key;
  EXPECT_EQ(judge(good, example_time()), "verified");
  EXPECT_EQ(verifier.keys.size(), 2u);

  for (int day = 1; day <= 100; ++day) {
    const WallTime then = example_time() + day * 24h;
    Request later = simple();
    later.sign_it(kUnsignedPayloadText, then);
    EXPECT_EQ(judge(later, then), "verified");
    EXPECT_EQ(judge(later, then), "verified");
  }
  EXPECT_EQ(verifier.keys.size(), SigningKeys::kMost);
  EXPECT_EQ(judge(good, example_time()), "verified");
}

TEST(SigV4, Refusals) {
  const auto signed_with = [](auto sign_it) {
    Request request = simple();
    sign_it(request);
    return failure_of(request.verify());
  };
  EXPECT_EQ(signed_with([](Request&) {}), "missing");
  EXPECT_EQ(signed_with([](Request& r) { r.header("Authorization") = "AWS key:signature"; }),
            "unsupported");
  EXPECT_EQ(signed_with([](Request& r) {
              r.sign_it(kEmpty, example_time(), {"NOBODY", kExample.secret_key});
            }),
            "unknown key");
  EXPECT_EQ(signed_with([](Request& r) {
              r.sign_it(kEmpty, example_time(), {kExample.access_key, "wrong"});
            }),
            "mismatch");
  EXPECT_EQ(signed_with([](Request& r) { r.sign_it(kEmpty, example_time(), kExample, "eu-1"); }),
            "wrong region");
  EXPECT_EQ(signed_with([](Request& r) { r.sign_it(kEmpty, example_time() + 15min); }), "verified");
  EXPECT_EQ(signed_with([](Request& r) { r.sign_it(kEmpty, example_time() - 15min); }), "verified");
  EXPECT_EQ(signed_with([](Request& r) { r.sign_it(kEmpty, example_time() + 15min + 1s); }),
            "skewed");
  EXPECT_EQ(signed_with([](Request& r) { r.sign_it(kEmpty, example_time() - 15min - 1s); }),
            "skewed");
  EXPECT_EQ(signed_with([](Request& r) { r.sign_it("not a digest"); }), "bad sha256");
  EXPECT_EQ(signed_with([](Request& r) { r.sign_it("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"); }),
            "unsupported");
  EXPECT_EQ(signed_with([](Request& r) {
              r.sign_it(kEmpty);
              std::erase_if(r.headers, [](auto& h) { return h.first == "X-Amz-Content-SHA256"; });
            }),
            "no sha256");
  EXPECT_EQ(signed_with([](Request& r) {
              r.sign_it(kEmpty);
              r.header("X-Amz-Date") = "yesterday";
            }),
            "date");
  EXPECT_EQ(signed_with([](Request& r) {
              r.headers.clear();
              r.sign_it(kEmpty);
            }),
            "unsigned headers");
}

TEST(SigV4, MalformedHeaders) {
  const auto with_header = [](const std::string& text) {
    Request request = simple();
    request.sign_it(kEmpty);
    request.header("Authorization") = text;
    return failure_of(request.verify());
  };
  const std::string credential = "Credential=AK/20130524/us-east-1/s3/aws4_request";
  const std::string names = "SignedHeaders=host;x-amz-content-sha256;x-amz-date";
  const std::string signature = "Signature=" + std::string(64, '0');
  const std::string prefix = "AWS4-HMAC-SHA256 ";
  EXPECT_EQ(with_header(prefix + credential + "," + names + "," + signature), "unknown key");
  EXPECT_EQ(with_header("AWS4-HMAC-SHA256"), "unsupported");
  EXPECT_EQ(with_header(prefix + "x"), "malformed");
  EXPECT_EQ(with_header(prefix + credential + "," + names), "malformed");
  EXPECT_EQ(with_header(prefix + credential + "," + names + "," + signature + "," + signature),
            "malformed");
  EXPECT_EQ(with_header(prefix + "Credential=AK/20130524/us-east-1/s3," + names + "," + signature),
            "malformed");
  EXPECT_EQ(with_header(prefix + "Credential=AK/20130524/us-east-1/ec2/aws4_request," + names +
                        "," + signature),
            "malformed");
  EXPECT_EQ(with_header(prefix + "Credential=AK/20130525/us-east-1/s3/aws4_request," + names + "," +
                        signature),
            "malformed");
  EXPECT_EQ(with_header(prefix + credential + ",SignedHeaders=Host," + signature), "malformed");
  EXPECT_EQ(with_header(prefix + credential + ",SignedHeaders=x;host," + signature), "malformed");
  EXPECT_EQ(with_header(prefix + credential + ",SignedHeaders=host;host," + signature),
            "malformed");
}

TEST(Canonical, QueryIsSortedRaw) {
  EXPECT_EQ(canonical_query(""), "");
  EXPECT_EQ(canonical_query("delete"), "delete=");
  EXPECT_EQ(canonical_query("delete="), "delete=");
  EXPECT_EQ(canonical_query("b=2&a=%2F&a=+&&A=1"), "A=1&a=%2F&a=+&b=2");
  EXPECT_EQ(canonical_query("a=b=c"), "a=b=c");
}

TEST(Canonical, PathIsRaw) {
  const std::string text = canonical_request({"GET", "/b//a/../%7e+~?x", "h:1\n", "h", "p"});
  EXPECT_EQ(text, "GET\n/b//a/../%7e+~\nx=\nh:1\n\nh\np");
}

TEST(Canonical, Dates) {
  EXPECT_EQ(format_amz_date(parse_amz_date("20240229T235959Z").value()), "20240229T235959Z");
  EXPECT_EQ(unix_nanos(parse_amz_date("19700101T000001Z").value()), 1000000000);
  for (const char* bad : {"", "20130524T000000", "20130229T000000Z", "20130524T240000Z",
                          "2013-05-24T00:00Z", "99990101T000000Z", "+0130524T000000Z"}) {
    EXPECT_FALSE(parse_amz_date(bad).has_value()) << bad;
  }
}

TEST(Basic, ParsesAndVerifies) {
  const SecretLookup lookup = single_key({"user", "pass:word"});
  EXPECT_EQ(verify_basic(make_basic({"user", "pass:word"}), lookup), "user");
  EXPECT_EQ(verify_basic("bAsIc dXNlcjpwYXNzOndvcmQ=", lookup), "user");
  EXPECT_FALSE(verify_basic(make_basic({"user", "pass"}), lookup).has_value());
  EXPECT_FALSE(verify_basic(make_basic({"user", ""}), lookup).has_value());
  EXPECT_FALSE(verify_basic(make_basic({"", "pass:word"}), lookup).has_value());
  EXPECT_FALSE(verify_basic(make_basic({"", ""}), single_key({"", ""})).has_value());
  for (const char* bad : {"", "Basic", "Basic ", "Bearer dXNlcjp4", "Basic dXNlcg==", "Basic !!!!",
                          "Basic dXNlcjp4 x"}) {
    EXPECT_FALSE(parse_basic(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace drumlin::auth
