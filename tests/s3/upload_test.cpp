// PutObject: every form of body, everything that a client promises about one, limits of size and
// memory.
#include "tests/s3/chunked_body.h"
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

class UploadTest : public S3Test {
 public:
  UploadTest() { call("PUT", "/bucket"); }

  static std::string crc32_of(std::string_view data) {
    return compute_checksum(ChecksumKind::kCrc32, data);
  }

  // A PUT of aws-chunked, in the form that `kind` says. `bend` may change the body on its way.
  template <typename Bend>
  std::string put_chunked(std::string_view kind, std::string_view data, Bend bend,
                          size_t chunk_size = 64 << 10, bool content_encoding = true) {
    http::RequestHead head;
    head.method = "PUT";
    head.target = "/bucket/chunked";
    if (content_encoding) head.headers.append("Content-Encoding", "aws-chunked");
    head.headers.append("x-amz-decoded-content-length", std::to_string(data.size()));
    ChunkedForm form;
    form.chunk_size = chunk_size;
    if (kind.ends_with("-TRAILER")) {
      head.headers.append("x-amz-trailer", "x-amz-checksum-crc32");
      head.headers.append("x-amz-sdk-checksum-algorithm", "CRC32");
      form.trailers = {{"x-amz-checksum-crc32", crc32_of(data)}};
    }
    const auth::Signed made = sign(head, kind);
    if (kind.find("AWS4") != std::string_view::npos)
      form.chain.emplace(made.context, made.signature);
    std::string body = chunked_body(data, std::move(form));
    bend(body);
    return brief(send(head, body));
  }
  std::string put_chunked(std::string_view kind, std::string_view data) {
    return put_chunked(kind, data, [](std::string&) {});
  }
  std::string stored(const std::string& key) { return call("GET", "/bucket/" + key).body; }
};

std::string pattern(size_t n) {
  std::string out(n, '\0');
  for (size_t i = 0; i < n; ++i)
    out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}

constexpr std::string_view kForms[] = {auth::kStreamingSignedText,
                                       auth::kStreamingSignedTrailerText,
                                       auth::kStreamingUnsignedTrailerText};

TEST_F(UploadTest, EveryChunkedForm) {
  for (std::string_view form : kForms) {
    for (size_t size : {0u, 1u, 1000u, 65536u, 65537u, 300000u, 1u << 20}) {
      const std::string data = pattern(size);
      EXPECT_EQ(put_chunked(form, data), "200") << form << " " << size;
      EXPECT_TRUE(stored("chunked") == data) << form << " " << size;
    }
    EXPECT_EQ(put_chunked(
                  form, pattern(500), [](std::string&) {}, 1),
              "200")
        << form;
    EXPECT_EQ(put_chunked(
                  form, pattern(500), [](std::string&) {}, 77, false),
              "200")
        << form;
    EXPECT_TRUE(stored("chunked") == pattern(500));
    const shard::ObjectRecord* object = store.peek("bucket", "chunked");
    EXPECT_TRUE(object->attributes.headers.empty());  // no aws-chunked kept
    EXPECT_EQ(object->attributes.checksums.empty(), form == auth::kStreamingSignedText);
  }
}

TEST_F(UploadTest, TamperedChunksStoreNothing) {
  const std::string data(1000, 'd');
  const auto flip = [](std::string& body) { body[body.find("ddd") + 500] = 'e'; };
  EXPECT_EQ(put_chunked(auth::kStreamingSignedText, data, flip), "403 SignatureDoesNotMatch");
  EXPECT_EQ(put_chunked(auth::kStreamingSignedTrailerText, data, flip),
            "403 SignatureDoesNotMatch");
  EXPECT_EQ(put_chunked(auth::kStreamingUnsignedTrailerText, data, flip), "400 BadDigest");
  const auto cut = [](std::string& body) { body.resize(body.size() - 200); };
  for (std::string_view form : kForms) {
    EXPECT_EQ(put_chunked(form, data, cut), "400 IncompleteBody") << form;
  }
  const auto bad_trailer = [](std::string& body) {
    body.replace(body.find("crc32:") + 6, 4, "AAAA");
  };
  EXPECT_EQ(put_chunked(auth::kStreamingSignedTrailerText, data, bad_trailer),
            "403 SignatureDoesNotMatch");
  EXPECT_EQ(put_chunked(auth::kStreamingUnsignedTrailerText, data, bad_trailer), "400 BadDigest");
  const auto junk = [](std::string& body) { body = "not chunked at all\r\n"; };
  EXPECT_EQ(put_chunked(auth::kStreamingUnsignedTrailerText, data, junk), "400 InvalidRequest");
  EXPECT_EQ(store.peek("bucket", "chunked"), nullptr);
}

// boto3 over TLS: aws-chunked inside HTTP's own chunked coding, without a Content-Length.
TEST_F(UploadTest, InsideTransferEncodingChunked) {
  http::RequestHead head;
  head.method = "PUT";
  head.target = "/bucket/te";
  head.headers.append("Content-Encoding", "aws-chunked");
  head.headers.append("x-amz-decoded-content-length", "5");
  head.headers.append("x-amz-trailer", "x-amz-checksum-crc32");
  sign(head, auth::kStreamingUnsignedTrailerText);
  std::string text =
      "PUT /bucket/te HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n";
  for (const http::Header& header : head.headers)
    http::append_header(text, header.name, header.value);
  ChunkedForm form;
  form.trailers = {{"x-amz-checksum-crc32", crc32_of("hello")}};
  const std::string inner = chunked_body("hello", std::move(form));
  text += "\r\n7\r\n" + inner.substr(0, 7) + "\r\n";
  char rest[24];
  std::snprintf(rest, sizeof(rest), "%zx", inner.size() - 7);
  text += std::string(rest) + "\r\n" + inner.substr(7) + "\r\n0\r\n\r\n";
  std::string answer;
  world.run([&] {
    auto stream = *world.connect(kHere, kNever);
    EXPECT_TRUE(stream->write_all(text).ok());
    answer = http::test::read_all(*stream, world.clock());
  });
  EXPECT_EQ(answer.substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_EQ(stored("te"), "hello");
}

TEST_F(UploadTest, LengthIsRequired) {
  http::RequestHead head;
  head.method = "PUT";
  head.target = "/bucket/te";
  sign(head, auth::kUnsignedPayloadText);
  std::string text =
      "PUT /bucket/te HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n";
  for (const http::Header& header : head.headers)
    http::append_header(text, header.name, header.value);
  text += "\r\n1\r\nx\r\n0\r\n\r\n";
  std::string answer;
  world.run([&] {
    auto stream = *world.connect(kHere, kNever);
    EXPECT_TRUE(stream->write_all(text).ok());
    answer = http::test::read_all(*stream, world.clock());
  });
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 411");
  EXPECT_EQ(element(answer, "Code"), "MissingContentLength");
  http::RequestHead streaming;
  streaming.method = "PUT";
  streaming.target = "/bucket/te";
  sign(streaming, auth::kStreamingSignedText);
  EXPECT_EQ(brief(send(streaming, "0\r\n\r\n")), "411 MissingContentLength");
}

TEST_F(UploadTest, Digests) {
  const auto put = [&](http::Headers headers) {
    return brief(call("PUT", "/bucket/key", "hello", std::move(headers)));
  };
  EXPECT_EQ(put({{"Content-MD5", base64_encode(as_view(md5("hello")))}}), "200");
  EXPECT_EQ(put({{"Content-MD5", base64_encode(as_view(md5("other")))}}), "400 BadDigest");
  EXPECT_EQ(put({{"Content-MD5", "abc"}}), "400 InvalidDigest");
  EXPECT_EQ(put({{"Content-MD5", "AAAA"}}), "400 InvalidDigest");
  for (const auto kind : {ChecksumKind::kCrc32, ChecksumKind::kCrc32c, ChecksumKind::kCrc64Nvme,
                          ChecksumKind::kSha1, ChecksumKind::kSha256}) {
    const std::string name = checksum_header(kind);
    const std::string right = compute_checksum(kind, "hello");
    EXPECT_EQ(put({{name, compute_checksum(kind, "other")}}), "400 BadDigest") << name;
    const Answer answer = call("PUT", "/bucket/key", "hello", {{name, right}});
    EXPECT_EQ(answer.head.headers.get(name), right);
    EXPECT_FALSE(call("GET", "/bucket/key").head.headers.has(name));
    const Answer get = call("GET", "/bucket/key", "", {{"x-amz-checksum-mode", "ENABLED"}});
    EXPECT_EQ(get.head.headers.get(name), right);
    EXPECT_EQ(get.head.headers.get("x-amz-checksum-type"), "FULL_OBJECT");
  }
  EXPECT_EQ(put({{"x-amz-checksum-sha512", "AAAA"}}), "501 NotImplemented");
}

TEST_F(UploadTest, EveryChecksumAsHeaderAndAsTrailer) {
  const std::string data = pattern(1000);
  for (const ChecksumKind kind :
       {ChecksumKind::kCrc32, ChecksumKind::kCrc32c, ChecksumKind::kCrc64Nvme, ChecksumKind::kSha1,
        ChecksumKind::kSha256}) {
    const std::string name = checksum_header(kind);
    const std::string right = compute_checksum(kind, data);
    const std::string wrong = compute_checksum(kind, "other");
    EXPECT_EQ(brief(call("PUT", "/bucket/header", data, {{name, right}})), "200") << name;
    EXPECT_EQ(brief(call("PUT", "/bucket/header", data, {{name, wrong}})), "400 BadDigest");
    for (std::string_view form :
         {auth::kStreamingSignedTrailerText, auth::kStreamingUnsignedTrailerText}) {
      for (const std::string& value : {right, wrong}) {
        http::RequestHead head;
        head.method = "PUT";
        head.target = "/bucket/trailer";
        head.headers.append("x-amz-decoded-content-length", std::to_string(data.size()));
        head.headers.append("x-amz-trailer", name);
        const auth::Signed made = sign(head, form);
        ChunkedForm chunks;
        chunks.trailers = {{name, value}};
        if (form == auth::kStreamingSignedTrailerText) {
          chunks.chain.emplace(made.context, made.signature);
        }
        EXPECT_EQ(brief(send(head, chunked_body(data, std::move(chunks)))),
                  value == right ? "200" : "400 BadDigest")
            << name << " " << form;
      }
    }
    for (const char* target : {"/bucket/header", "/bucket/trailer"}) {
      const Answer head = call("HEAD", target, "", {{"x-amz-checksum-mode", "ENABLED"}});
      EXPECT_EQ(head.head.headers.get(name), right) << target;
      EXPECT_FALSE(call("HEAD", target).head.headers.has(name)) << "only if it is asked for";
    }
  }
}

TEST_F(UploadTest, PayloadHash) {
  const auto put_as = [&](std::string_view payload, std::string_view body) {
    http::RequestHead head;
    head.method = "PUT";
    head.target = "/bucket/hash";
    sign(head, payload);
    return brief(send(head, body));
  };
  EXPECT_EQ(put_as(hex(sha256("right")), "wrong"), "400 XAmzContentSHA256Mismatch");
  EXPECT_EQ(store.peek("bucket", "hash"), nullptr);
  EXPECT_EQ(put_as(hex(sha256("right")), "right"), "200");
  EXPECT_EQ(put_as(auth::kUnsignedPayloadText, "anything"), "200");
  EXPECT_EQ(put_as("nonsense", "x"), "400 InvalidArgument");
  const std::string large = pattern(1 << 20);
  EXPECT_EQ(put_as(hex(sha256(large)), large), "200");
  EXPECT_TRUE(stored("hash") == large);
}

TEST_F(UploadTest, TooLargeIsRefusedUnread) {
  http::RequestHead head;
  head.method = "PUT";
  head.target = "/bucket/large";
  sign(head, auth::kUnsignedPayloadText);
  std::string text = "PUT /bucket/large HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: " +
                     std::to_string(kMaxBody + 1) + "\r\n";
  for (const http::Header& header : head.headers)
    http::append_header(text, header.name, header.value);
  std::string answer;
  world.run([&] {
    auto stream = *world.connect(kHere, kNever);
    EXPECT_TRUE(stream->write_all(text + "\r\n").ok());
    answer = http::test::read_all(*stream, world.clock());
  });
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 400");  // and no 100 before it
  EXPECT_EQ(element(answer, "Code"), "EntityTooLarge");
  EXPECT_EQ(element(answer, "MaxSizeAllowed"), std::to_string(kMaxBody));
  EXPECT_EQ(brief(call("PUT", "/bucket/large", pattern(kMaxBody))), "200");
}

TEST_F(UploadTest, ContinueIsSentForWhatIsWanted) {
  http::RequestHead head;
  head.method = "PUT";
  head.target = "/bucket/expect";
  head.expect_continue = true;
  sign(head, hex(sha256("hello")));
  EXPECT_EQ(brief(send(head, "hello")), "200");
  EXPECT_EQ(stored("expect"), "hello");
}

TEST_F(UploadTest, Metadata) {
  EXPECT_EQ(brief(call("PUT", "/bucket/meta", "x",
                       {{"x-amz-meta-a", "1"}, {"X-Amz-Meta-A", "2"}, {"x-amz-meta-b", ""}})),
            "200");
  const shard::Pairs user = store.peek("bucket", "meta")->attributes.user;
  EXPECT_EQ(user, (shard::Pairs{{"a", "1,2"}, {"b", ""}}));
  const std::string big(2047, 'v');
  EXPECT_EQ(brief(call("PUT", "/bucket/meta", "x", {{"x-amz-meta-k", big}})), "200");
  EXPECT_EQ(brief(call("PUT", "/bucket/meta", "x", {{"x-amz-meta-k", big + "v"}})),
            "400 MetadataTooLarge");
}

TEST_F(UploadTest, AClientThatStopsGetsNothingStored) {
  http::RequestHead head;
  head.method = "PUT";
  head.target = "/bucket/short";
  sign(head, auth::kUnsignedPayloadText);
  std::string text = "PUT /bucket/short HTTP/1.1\r\nContent-Length: 10\r\n";
  for (const http::Header& header : head.headers)
    http::append_header(text, header.name, header.value);
  world.run([&] {
    auto stream = *world.connect(kHere, kNever);
    EXPECT_TRUE(stream->write_all(text + "\r\nhello").ok());
    stream->shutdown_write();
    http::test::read_all(*stream, world.clock());
  });
  EXPECT_EQ(store.peek("bucket", "short"), nullptr);
}

// Bodies that are being sent slowly hold all the memory there is: the next client is told to slow
// down, and is served again once they are done.
TEST_F(UploadTest, MemoryIsBounded) {
  http::RequestHead head;
  head.method = "PUT";
  head.target = "/bucket/slow";
  sign(head, auth::kUnsignedPayloadText);
  std::string text = "PUT /bucket/slow HTTP/1.1\r\nConnection: close\r\nContent-Length: " +
                     std::to_string(kMaxBody) + "\r\n";
  for (const http::Header& header : head.headers)
    http::append_header(text, header.name, header.value);
  http::RequestHead late;
  late.method = "PUT";
  late.target = "/bucket/late";
  sign(late, auth::kUnsignedPayloadText);
  http::RequestHead read;
  read.target = "/bucket/small";
  call("PUT", "/bucket/small", "x");
  sign(read, auth::kUnsignedPayloadText);
  Answer refused, refused_read;
  world.run([&] {
    std::vector<std::unique_ptr<Stream>> slow;
    for (int i = 0; i < 4; ++i) {
      slow.push_back(*world.connect(kHere, kNever));
      ASSERT_TRUE(slow.back()->write_all(text + "\r\n").ok());
    }
    ASSERT_TRUE(world.sleep_for(1s).ok());
    http::Client client(world, kHere);
    const Instant began = world.clock().now();
    refused_read = *client.request(read, "", kNever, 1 << 20);
    refused = *client.request(late, "x", kNever, 1 << 20);
    EXPECT_EQ(world.clock().now() - began, 20s);  // each waits for its turn
    for (auto& stream : slow) {
      ASSERT_TRUE(stream->write_all(std::string(kMaxBody, 's')).ok());
      EXPECT_EQ(http::test::read_all(*stream, world.clock()).substr(0, 12), "HTTP/1.1 200");
    }
  });
  EXPECT_EQ(brief(refused), "503 SlowDown");
  EXPECT_EQ(brief(refused_read), "503 SlowDown");
  EXPECT_EQ(refused.head.headers.get("Retry-After"), "1");
  EXPECT_EQ(brief(call("PUT", "/bucket/late", "x")), "200");
  EXPECT_EQ(store.peek("bucket", "slow")->size, kMaxBody);
}

}  // namespace
}  // namespace drumlin::s3::test
