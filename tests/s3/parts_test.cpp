// The pure parts of s3: targets, names, ranges, conditions, tokens, checksums, errors, routing.
#include <gtest/gtest.h>

#include "base/digest.h"
#include "http/date.h"
#include "s3/checksum.h"
#include "s3/conditions.h"
#include "s3/errors.h"
#include "s3/list_token.h"
#include "s3/operations.h"
#include "s3/range.h"
#include "s3/uri.h"
#include "s3/xml.h"

namespace drumlin::s3 {
namespace {

std::string name_of(const Error& error) {
  return std::string(info(error.code).name);
}

std::string parsed(std::string_view raw) {
  const auto target = parse_target(raw);
  if (!target.ok()) return name_of(target.error());
  return target->bucket + "|" + target->key;
}

TEST(Target, PathStyle) {
  EXPECT_EQ(parsed("/"), "|");
  EXPECT_EQ(parsed("/bucket"), "bucket|");
  EXPECT_EQ(parsed("/bucket/"), "bucket|");
  EXPECT_EQ(parsed("/bucket/key"), "bucket|key");
  EXPECT_EQ(parsed("/bucket//a//b/"), "bucket|/a//b/");
  EXPECT_EQ(parsed("/bucket/../x/./y"), "bucket|../x/./y");
  EXPECT_EQ(parsed("/bucket/a+b%20c%2Fd%25"), "bucket|a+b c/d%");
  EXPECT_EQ(parsed("/bucket/%F0%9F%98%80"), "bucket|\xF0\x9F\x98\x80");
  EXPECT_EQ(parsed("/bucket?x=/y"), "bucket|");
  EXPECT_EQ(parsed("bucket"), "InvalidURI");
  EXPECT_EQ(parsed(""), "InvalidURI");
  EXPECT_EQ(parsed("/bucket/%"), "InvalidURI");
  EXPECT_EQ(parsed("/bucket/%4"), "InvalidURI");
  EXPECT_EQ(parsed("/bucket/%zz"), "InvalidURI");
  EXPECT_EQ(parsed("/bucket/a%00b"), "InvalidURI");
  EXPECT_EQ(parsed("/bucket/%C0%AF"), "InvalidURI");        // overlong
  EXPECT_EQ(parsed("/bucket/%ED%A0%80"), "InvalidURI");     // surrogate
  EXPECT_EQ(parsed("/bucket/%F4%90%80%80"), "InvalidURI");  // above U+10FFFF
  EXPECT_EQ(parsed("/bucket/%E2%82"), "InvalidURI");        // cut off
  EXPECT_EQ(parsed("//key"), "InvalidBucketName");
  EXPECT_EQ(parsed("/../key"), "InvalidBucketName");
  EXPECT_EQ(parsed("/a%2Fb/key"), "InvalidBucketName");
  EXPECT_EQ(parsed("/bucket/" + std::string(1024, 'k')), "bucket|" + std::string(1024, 'k'));
  EXPECT_EQ(parsed("/bucket/" + std::string(1025, 'k')), "KeyTooLongError");
}

TEST(Target, Query) {
  const auto target = parse_target("/b-1?prefix=a%2Fb+c&delete&x=&prefix=2&&%6Bey=v=w");
  ASSERT_TRUE(target.ok());
  const Query& query = target->query;
  EXPECT_EQ(query.get("prefix"), "a/b c");
  EXPECT_TRUE(query.has("delete"));
  EXPECT_EQ(query.find("x"), "");
  EXPECT_EQ(query.get("key"), "v=w");
  EXPECT_FALSE(query.has("y"));
  EXPECT_EQ(query.items().size(), 5u);
  EXPECT_EQ(parsed("/b-1?a=%x"), "InvalidURI");
}

TEST(BucketName, Rules) {
  for (const char* good_name : {"abc", "a-b.c", "1.2.3", "my-bucket-2", "1.2.3.4.5", "a.b-c"}) {
    EXPECT_TRUE(valid_bucket_name(good_name)) << good_name;
  }
  EXPECT_TRUE(valid_bucket_name(std::string(63, 'a')));
  EXPECT_FALSE(valid_bucket_name(std::string(64, 'a')));
  for (const char* bad :
       {"", "ab", "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b", "10.0.0.1", "xn--abc",
        "sthree-x", "a-s3alias", "a--ol-s3", "a b", "a/b", "\xC3\xA4xx"}) {
    EXPECT_FALSE(valid_bucket_name(bad)) << bad;
  }
}

TEST(Encoding, RoundTrip) {
  std::string all;
  for (int c = 0; c < 256; ++c)
    all.push_back(static_cast<char>(c));
  EXPECT_EQ(percent_decode(percent_encode(all), false), all);
  EXPECT_EQ(percent_decode(percent_encode(all), true), all);  // '+' is encoded
  EXPECT_EQ(percent_encode("a/b c~+\xC3\xA4"), "a/b%20c~%2B%C3%A4");
}

std::string ranged(std::string_view header, uint64_t size) {
  const auto range = parse_range(header);
  if (!range.has_value()) return "ignored";
  const auto span = resolve(*range, size);
  if (!span.has_value()) return "unsatisfiable";
  return std::to_string(span->first) + "+" + std::to_string(span->count);
}

TEST(Range, ParseAndResolve) {
  EXPECT_EQ(ranged("bytes=0-0", 10), "0+1");
  EXPECT_EQ(ranged("bytes=2-5", 10), "2+4");
  EXPECT_EQ(ranged("bytes=2-", 10), "2+8");
  EXPECT_EQ(ranged("bytes=2-99999999999999999999999", 10), "2+8");
  EXPECT_EQ(ranged("bytes=-3", 10), "7+3");
  EXPECT_EQ(ranged("bytes=-30", 10), "0+10");
  EXPECT_EQ(ranged("bytes=-0", 10), "unsatisfiable");
  EXPECT_EQ(ranged("bytes=10-", 10), "unsatisfiable");
  EXPECT_EQ(ranged("bytes=9-9", 10), "9+1");
  EXPECT_EQ(ranged("bytes=0-", 0), "unsatisfiable");
  EXPECT_EQ(ranged("bytes=-5", 0), "unsatisfiable");
  for (const char* text : {"", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=1-2,4-5",
                           "items=0-1", "bytes=+1-2", "bytes= 1-2", "0-1"}) {
    EXPECT_EQ(ranged(text, 10), "ignored") << text;
  }
}

TEST(Conditions, Precedence) {
  const WallTime modified = http::parse_date("Sun, 06 Nov 1994 08:49:37 GMT").value() + 500ms;
  const std::string same = "Sun, 06 Nov 1994 08:49:37 GMT";
  const std::string before = "Sun, 06 Nov 1994 08:49:36 GMT";
  const auto judged = [&](http::Headers headers) {
    switch (evaluate(headers, "abc", modified)) {
      case Condition::kHolds:
        return "holds";
      case Condition::kNotModified:
        return "304";
      case Condition::kFailed:
        break;
    }
    return "412";
  };
  EXPECT_STREQ(judged({}), "holds");
  EXPECT_STREQ(judged({{"If-Match", "\"abc\""}}), "holds");
  EXPECT_STREQ(judged({{"If-Match", "abc"}}), "holds");
  EXPECT_STREQ(judged({{"If-Match", "\"x\", \"abc\""}}), "holds");
  EXPECT_STREQ(judged({{"If-Match", "*"}}), "holds");
  EXPECT_STREQ(judged({{"If-Match", "\"abcd\""}}), "412");
  EXPECT_STREQ(judged({{"If-Match", ""}}), "412");
  EXPECT_STREQ(judged({{"If-Match", "W/\"abc\""}}), "412");  // compares strongly
  EXPECT_STREQ(judged({{"If-Match", "\"x\""}, {"If-Match", "\"abc\""}}), "holds");
  EXPECT_STREQ(judged({{"If-None-Match", "W/\"abc\""}}), "304");
  EXPECT_STREQ(judged({{"If-None-Match", "*"}}), "304");
  EXPECT_STREQ(judged({{"If-None-Match", "\"x\""}}), "holds");
  EXPECT_STREQ(judged({{"If-Modified-Since", same}}), "304");
  EXPECT_STREQ(judged({{"If-Modified-Since", before}}), "holds");
  EXPECT_STREQ(judged({{"If-Unmodified-Since", same}}), "holds");
  EXPECT_STREQ(judged({{"If-Unmodified-Since", before}}), "412");
  EXPECT_STREQ(judged({{"If-Unmodified-Since", "yesterday"}}), "holds");
  // An entity tag beats a date.
  EXPECT_STREQ(judged({{"If-Match", "abc"}, {"If-Unmodified-Since", before}}), "holds");
  EXPECT_STREQ(judged({{"If-None-Match", "x"}, {"If-Modified-Since", same}}), "holds");
}

TEST(Conditions, IfRange) {
  const WallTime modified = http::parse_date("Sun, 06 Nov 1994 08:49:37 GMT").value() + 500ms;
  const auto applies = [&](http::Headers headers) {
    return range_applies(headers, "abc", modified);
  };
  EXPECT_TRUE(applies({}));
  EXPECT_TRUE(applies({{"If-Range", "\"abc\""}}));
  EXPECT_FALSE(applies({{"If-Range", "W/\"abc\""}}));
  EXPECT_FALSE(applies({{"If-Range", "\"abd\""}}));
  EXPECT_TRUE(applies({{"If-Range", "Sun, 06 Nov 1994 08:49:37 GMT"}}));
  EXPECT_FALSE(applies({{"If-Range", "Sun, 06 Nov 1994 08:49:38 GMT"}}));
}

TEST(Conditions, OfPuts) {
  const auto parsed = [](http::Headers headers) -> std::string {
    const auto when = put_condition(headers);
    if (!when.ok()) return name_of(when.error());
    std::string out = when->absent ? "absent" : when->present ? "present" : "";
    for (const std::string& tag : when->etags)
      out += "[" + tag + "]";
    return when->any() ? out : "none";
  };
  EXPECT_EQ(parsed({}), "none");
  EXPECT_EQ(parsed({{"If-None-Match", "*"}}), "absent");
  EXPECT_EQ(parsed({{"If-None-Match", "\"abc\""}}), "NotImplemented");
  EXPECT_EQ(parsed({{"If-None-Match", "*"}, {"If-Match", "*"}}), "NotImplemented");
  EXPECT_EQ(parsed({{"If-Match", "*"}}), "present");
  EXPECT_EQ(parsed({{"If-Match", "abc"}}), "[abc]");
  EXPECT_EQ(parsed({{"If-Match", "\"a\", \"b\""}, {"If-Match", "c"}}), "[a][b][c]");
  // Never nothing: that would be no condition at all.
  EXPECT_EQ(parsed({{"If-Match", ""}}), "[]");
  EXPECT_EQ(parsed({{"If-Match", "W/\"a\""}}), "[W/\"a\"]");
}

TEST(Conditions, OfDeletes) {
  const auto when =
      delete_condition({{"If-Match", "\"a\""},
                        {"x-amz-if-match-size", "12"},
                        {"x-amz-if-match-last-modified-time", "Sun, 06 Nov 1994 08:49:37 GMT"}});
  ASSERT_TRUE(when.ok());
  EXPECT_EQ(when->etags, (std::vector<std::string>{"a"}));
  EXPECT_EQ(when->size, 12u);
  EXPECT_EQ(when->modified, http::parse_date("Sun, 06 Nov 1994 08:49:37 GMT"));
  EXPECT_EQ(name_of(delete_condition({{"x-amz-if-match-size", "1x"}}).error()), "InvalidArgument");
  EXPECT_EQ(name_of(delete_condition({{"x-amz-if-match-size", ""}}).error()), "InvalidArgument");
  EXPECT_EQ(name_of(delete_condition(std::nullopt, std::nullopt, "yesterday").error()),
            "InvalidArgument");
}

TEST(ListToken, OpaqueAndTamperProof) {
  const ListPosition position{"a/b \xC3\xA4", true};
  const std::string token = make_list_token(position, "bucket", "secret");
  EXPECT_EQ(read_list_token(token, "bucket", "secret"), position);
  EXPECT_FALSE(read_list_token(token, "other", "secret").has_value());
  EXPECT_FALSE(read_list_token(token, "bucket", "other").has_value());
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(read_list_token(changed, "bucket", "secret").has_value()) << i;
    EXPECT_FALSE(read_list_token(token.substr(0, i), "bucket", "secret").has_value()) << i;
  }
}

TEST(Checksum, KnownValues) {
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc64nvme(digits), 0xae8b14860a799888u);
  EXPECT_EQ(compute_checksum(ChecksumKind::kCrc32, digits), "y/Q5Jg==");
  EXPECT_EQ(compute_checksum(ChecksumKind::kCrc32c, digits), "4waSgw==");
  EXPECT_EQ(compute_checksum(ChecksumKind::kCrc64Nvme, digits), "rosUhgp5mIg=");
  EXPECT_EQ(compute_checksum(ChecksumKind::kSha1, "abc"), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
  EXPECT_EQ(compute_checksum(ChecksumKind::kSha256, ""),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  // The part of eight at a time and the rest agree with one at a time.
  std::string text(100, 'x');
  for (size_t n = 0; n < 40; ++n) {
    uint64_t crc = ~uint64_t{0};
    for (size_t i = 0; i < n; ++i) {
      crc ^= static_cast<unsigned char>(text[i]);
      for (int bit = 0; bit < 8; ++bit)
        crc = (crc >> 1) ^ ((crc & 1) ? 0x9a6c9329ac4bc9b5u : 0);
    }
    EXPECT_EQ(crc64nvme(std::string_view(text).substr(0, n)), ~crc) << n;
  }
}

TEST(Checksum, Plans) {
  const auto planned = [](http::Headers headers) -> std::string {
    const auto plan = plan_checksum(headers);
    if (!plan.ok()) return name_of(plan.error());
    if (plan->in_trailer.has_value())
      return "trailer " + std::string(checksum_name(*plan->in_trailer));
    if (!plan->expected.has_value()) return "none";
    return std::string(checksum_name(plan->expected->kind)) + " " + plan->expected->base64;
  };
  EXPECT_EQ(planned({}), "none");
  EXPECT_EQ(planned({{"X-Amz-Checksum-CRC32", "y/Q5Jg=="}}), "crc32 y/Q5Jg==");
  EXPECT_EQ(
      planned({{"x-amz-checksum-crc32", "y/Q5Jg=="}, {"x-amz-sdk-checksum-algorithm", "CRC32"}}),
      "crc32 y/Q5Jg==");
  EXPECT_EQ(planned({{"x-amz-trailer", "x-amz-checksum-crc64nvme"}}), "trailer crc64nvme");
  EXPECT_EQ(planned({{"x-amz-checksum-mode", "ENABLED"}, {"x-amz-checksum-type", "FULL_OBJECT"}}),
            "none");
  EXPECT_EQ(planned({{"x-amz-checksum-crc32", "y/Q5"}}), "InvalidRequest");
  EXPECT_EQ(planned({{"x-amz-checksum-crc32", "!"}}), "InvalidRequest");
  EXPECT_EQ(planned({{"x-amz-checksum-crc32", "y/Q5Jg=="}, {"x-amz-checksum-crc32c", "4waSgw=="}}),
            "InvalidRequest");
  EXPECT_EQ(
      planned({{"x-amz-checksum-crc32", "y/Q5Jg=="}, {"x-amz-trailer", "x-amz-checksum-sha1"}}),
      "InvalidRequest");
  EXPECT_EQ(
      planned({{"x-amz-checksum-crc32", "y/Q5Jg=="}, {"x-amz-sdk-checksum-algorithm", "SHA1"}}),
      "InvalidRequest");
  EXPECT_EQ(planned({{"x-amz-sdk-checksum-algorithm", "CRC32"}}), "InvalidRequest");
  EXPECT_EQ(planned({{"x-amz-trailer", "x-amz-meta-a"}}), "InvalidRequest");
  EXPECT_EQ(planned({{"x-amz-checksum-xxhash64", "AAAA"}}), "NotImplemented");
  EXPECT_EQ(planned({{"x-amz-trailer", "x-amz-checksum-sha512"}}), "NotImplemented");
}

TEST(Errors, Rendering) {
  const Error error = Error(ErrorCode::kNoSuchKey).with("Key", "a<b>&\"c");
  EXPECT_EQ(render(error, "/b/a", "ID1", "ID2"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The "
            "specified key does not exist.</Message><Key>a&lt;b&gt;&amp;\"c</Key><Resource>/b/a"
            "</Resource><RequestId>ID1</RequestId><HostId>ID2</HostId></Error>");
}

TEST(Errors, FromStore) {
  const auto mapped = [](Code code) {
    const Error error = from_store(Status(code));
    return std::to_string(info(error.code).status) + " " + name_of(error) +
           (error.headers.has("Retry-After") ? " retry" : "");
  };
  EXPECT_EQ(mapped(Code::kNotFound), "404 NoSuchBucket");
  EXPECT_EQ(mapped(Code::kAborted), "409 OperationAborted");
  EXPECT_EQ(mapped(Code::kUnavailable), "503 ServiceUnavailable retry");
  EXPECT_EQ(mapped(Code::kExhausted), "503 SlowDown retry");
  EXPECT_EQ(mapped(Code::kOutcomeUnknown), "500 InternalError");
  EXPECT_EQ(mapped(Code::kNoSpace), "507 InsufficientStorage");
  EXPECT_EQ(mapped(Code::kCorrupt), "500 InternalError");
  EXPECT_NE(from_store(Status(Code::kOutcomeUnknown)).message.find("outcome is unknown"),
            std::string::npos);
}

TEST(Xml, ReadsWithAndWithoutNamespace) {
  const std::string plain = "<Top><A>1</A><B> two </B></Top>";
  EXPECT_EQ(read_xml_child(plain, "Top", "A"), "1");
  EXPECT_EQ(read_xml_child(plain, "Top", "B"), "two");
  EXPECT_EQ(read_xml_child(plain, "Top", "C"), "");
  EXPECT_FALSE(read_xml_child(plain, "Other", "A").has_value());
  EXPECT_EQ(read_xml_child("<?xml version=\"1.0\"?><s:Top xmlns:s=\"x\"><s:A>1</s:A></s:Top>",
                           "Top", "A"),
            "1");
  for (const char* broken : {"", "<Top>", "<Top></Bottom>", "text", "<Top><A>1</Top>"}) {
    EXPECT_FALSE(read_xml_child(broken, "Top", "A").has_value()) << broken;
  }
}

TEST(Xml, ALineEndInATextIsNotTheReadersToChange) {
  XmlDocument document("Root");
  document.root().text("Key", "a\r\nb\rc");
  const std::string xml = document.to_string();
  EXPECT_NE(xml.find("a&#13;\nb&#13;c"), std::string::npos) << xml;
  EXPECT_EQ(read_xml_child(xml, "Root", "Key"), "a\r\nb\rc");
}

TEST(Xml, ReadsTrees) {
  const auto tree = read_xml(
      "<?xml version=\"1.0\"?><n:Top xmlns:n=\"u\"><n:A> x </n:A><A>&#x20;</A>"
      "<B><C><![CDATA[<&]]>1</C></B><D/></n:Top>",
      "Top", 10);
  ASSERT_TRUE(tree.has_value());
  ASSERT_EQ(tree->children.size(), 4u);
  EXPECT_EQ(tree->children[0].name, "A");
  EXPECT_EQ(tree->children[0].text, " x ") << "white space is a part of keys";
  EXPECT_EQ(tree->children[1].text, " ");
  EXPECT_EQ(tree->children[2].children.at(0).text, "<&1");
  EXPECT_EQ(tree->children[3].text, "");
  EXPECT_FALSE(read_xml("<Other/>", "Top", 10).has_value());
  EXPECT_FALSE(read_xml("<Top><A></Top>", "Top", 10).has_value());
  std::string many = "<Top>";
  for (int i = 0; i < 15; ++i)
    many += "<A/>";
  EXPECT_FALSE(read_xml(many + "</Top>", "Top", 10).has_value()) << "bounded";
  std::string deep;
  for (int i = 0; i < 30; ++i)
    deep += "<Top>";
  for (int i = 0; i < 30; ++i)
    deep += "</Top>";
  EXPECT_FALSE(read_xml(deep, "Top", 100).has_value()) << "no deep recursion";
}

TEST(Routing, MethodsAndSubresources) {
  const auto routed = [](std::string_view method, std::string_view raw) -> std::string {
    const auto target = parse_target(raw);
    if (!target.ok()) return name_of(target.error());
    const auto operation = route(method, *target);
    return operation.ok() ? std::string(operation_name(*operation)) : name_of(operation.error());
  };
  EXPECT_EQ(routed("GET", "/"), "ListBuckets");
  EXPECT_EQ(routed("GET", "/?x-id=ListBuckets"), "ListBuckets");
  EXPECT_EQ(routed("PUT", "/"), "MethodNotAllowed");
  EXPECT_EQ(routed("PUT", "/bucket/"), "CreateBucket");
  EXPECT_EQ(routed("HEAD", "/bucket"), "HeadBucket");
  EXPECT_EQ(routed("DELETE", "/bucket"), "DeleteBucket");
  EXPECT_EQ(routed("GET", "/bucket?location"), "GetBucketLocation");
  EXPECT_EQ(routed("GET", "/bucket?location="), "GetBucketLocation");
  EXPECT_EQ(routed("GET", "/bucket/?list-type=2&delimiter="), "ListObjectsV2");
  EXPECT_EQ(routed("GET", "/bucket"), "ListObjects");
  EXPECT_EQ(routed("GET", "/bucket?list-type=3"), "InvalidArgument");
  EXPECT_EQ(routed("POST", "/bucket?delete"), "DeleteObjects");
  EXPECT_EQ(routed("POST", "/bucket"), "NotImplemented");
  EXPECT_EQ(routed("PATCH", "/bucket"), "MethodNotAllowed");
  EXPECT_EQ(routed("PUT", "/bucket/key?x-id=PutObject"), "PutObject");
  EXPECT_EQ(routed("GET", "/bucket/key?X-Amz-Date=1&X-Amz-Signature="), "GetObject");
  EXPECT_EQ(routed("HEAD", "/bucket/key?versionId=null"), "HeadObject");
  EXPECT_EQ(routed("HEAD", "/bucket/key?versionId=abc"), "InvalidArgument");
  EXPECT_EQ(routed("DELETE", "/bucket/key"), "DeleteObject");
  EXPECT_EQ(routed("POST", "/bucket/key?uploads"), "NotImplemented");
  EXPECT_EQ(routed("POST", "/bucket/key"), "MethodNotAllowed");
  EXPECT_EQ(routed("PUT", "/bucket/key?partNumber=1&uploadId=x"), "NotImplemented");
  EXPECT_EQ(routed("GET", "/bucket/key?versionId="), "InvalidArgument");
  EXPECT_EQ(routed("DELETE", "/bucket/key?versionId=null"), "DeleteObject");
  EXPECT_EQ(routed("PUT", "/bucket/key?versionId=null"), "InvalidArgument");
  EXPECT_EQ(routed("POST", "/bucket?delete="), "DeleteObjects");
  EXPECT_EQ(routed("POST", "/bucket/key?delete"), "NotImplemented");
  EXPECT_EQ(routed("GET", "/bucket?versions&key-marker="), "ListObjectVersions");
  EXPECT_EQ(routed("GET", "/bucket/key?tagging"), "GetConfiguration");
  EXPECT_EQ(routed("GET", "/bucket?policy="), "GetConfiguration");
  EXPECT_EQ(routed("GET", "/bucket?policy&cors"), "NotImplemented");
  EXPECT_EQ(routed("PUT", "/bucket?policy"), "NotImplemented");
  EXPECT_EQ(routed("DELETE", "/bucket?policy"), "DeleteConfiguration");
  EXPECT_EQ(routed("DELETE", "/bucket?versioning"), "NotImplemented");
  EXPECT_EQ(routed("DELETE", "/bucket/key?acl"), "NotImplemented");
  EXPECT_EQ(routed("GET", "/?policy"), "NotImplemented");
  EXPECT_EQ(routed("GET", "/bucket?something-new"), "NotImplemented");
  EXPECT_EQ(routed("GET", "/bucket?something=new"), "ListObjects");
}

TEST(Routing, RefusedHeaders) {
  const auto judged = [](Operation operation, http::Headers headers) -> std::string {
    const auto check = refuse_unbuilt_headers(operation, headers);
    return check.ok() ? "ok" : name_of(check.error());
  };
  EXPECT_EQ(judged(Operation::kPutObject, {{"x-amz-acl", "private"}, {"x-amz-meta-a", "b"}}), "ok");
  EXPECT_EQ(judged(Operation::kPutObject, {{"x-amz-acl", "public-read"}}), "NotImplemented");
  EXPECT_EQ(judged(Operation::kPutObject, {{"x-amz-storage-class", "STANDARD"}}), "ok");
  EXPECT_EQ(judged(Operation::kPutObject, {{"x-amz-storage-class", "GLACIER"}}), "NotImplemented");
  for (const char* name :
       {"x-amz-copy-source", "X-Amz-Tagging", "x-amz-server-side-encryption", "x-amz-grant-read",
        "x-amz-object-lock-mode", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
        "x-amz-if-match-size", "x-drumlin-ttl", "x-amz-write-offset-bytes", "x-amz-mfa"}) {
    EXPECT_EQ(judged(Operation::kPutObject, {{name, "1"}}), "NotImplemented") << name;
  }
  EXPECT_EQ(judged(Operation::kGetObject, {{"If-None-Match", "1"}}), "ok");
  EXPECT_EQ(judged(Operation::kGetObject, {{"If-Range", "1"}}), "ok");
  EXPECT_EQ(judged(Operation::kPutObject, {{"If-Match", "1"}}), "ok");
  EXPECT_EQ(judged(Operation::kDeleteObject, {{"If-Match", "1"}, {"x-amz-if-match-size", "1"}}),
            "ok");
  EXPECT_EQ(judged(Operation::kDeleteObject, {{"If-None-Match", "1"}}), "NotImplemented");
  for (const Operation operation : {Operation::kListObjectsV2, Operation::kCreateBucket,
                                    Operation::kDeleteBucket, Operation::kDeleteObjects}) {
    EXPECT_EQ(judged(operation, {{"If-Match", "1"}}), "NotImplemented");
    EXPECT_EQ(judged(operation, {{"x-drumlin-request-id", "1"}}), "NotImplemented");
  }
  EXPECT_EQ(judged(Operation::kPutObject, {{"x-drumlin-request-id", "1"}}), "ok");
  EXPECT_EQ(judged(Operation::kPutObject, {{"x-drumlin-request-id", ""}}), "InvalidArgument");
  EXPECT_EQ(judged(Operation::kGetObject, {{"x-amz-security-token", "1"}}), "InvalidToken");
}

}  // namespace
}  // namespace drumlin::s3
