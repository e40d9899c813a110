// The S3 API end to end, over HTTP on byte pipes: who may, buckets, reading, deleting, and what is
// refused.
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

TEST_F(S3Test, EveryAnswerIsMarked) {
  const Answer answer = call("GET", "/");
  EXPECT_EQ(answer.head.status, 200);
  const http::Headers& headers = answer.head.headers;
  EXPECT_EQ(headers.get("x-amz-request-id").size(), 16u);
  EXPECT_FALSE(headers.get("x-amz-id-2").empty());
  EXPECT_EQ(headers.get("Server"), "Drumlin");
  EXPECT_EQ(headers.count("Date"), 1u);
  const Answer other = call("GET", "/");
  EXPECT_NE(other.head.headers.get("x-amz-request-id"), headers.get("x-amz-request-id"));
  const Answer error = call("GET", "/nothing-here/key");
  EXPECT_EQ(error.head.headers.get("Content-Type"), "application/xml");
  EXPECT_EQ(element(error.body, "RequestId"), error.head.headers.get("x-amz-request-id"));
  EXPECT_EQ(element(error.body, "HostId"), error.head.headers.get("x-amz-id-2"));
  EXPECT_EQ(element(error.body, "Resource"), "/nothing-here/key");
}

TEST_F(S3Test, WhoMayNot) {
  http::RequestHead bare;
  bare.headers.append("Host", "drumlin.test");
  EXPECT_EQ(brief(send(bare, "")), "403 AccessDenied");
  bare.headers.append("Authorization", "AWS4-HMAC-SHA256 Credential=x");
  bare.headers.append("x-amz-date", "19941106T084937Z");
  bare.headers.append("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  EXPECT_EQ(brief(send(bare, "")), "400 AuthorizationHeaderMalformed");
  keys.secret_key = "wrong";
  EXPECT_EQ(brief(call("GET", "/")), "403 SignatureDoesNotMatch");
  keys.access_key = "NOBODY";
  EXPECT_EQ(brief(call("GET", "/")), "403 InvalidAccessKeyId");
  keys = kKeys;
  skew = 16min;
  EXPECT_EQ(brief(call("GET", "/")), "403 RequestTimeTooSkewed");
  skew = {};
  region = "eu-central-1";
  const Answer wrong = call("GET", "/");
  EXPECT_EQ(brief(wrong), "400 AuthorizationHeaderMalformed");
  EXPECT_EQ(element(wrong.body, "Region"), "us-east-1");
  region = "us-east-1";
  EXPECT_EQ(brief(call("GET", "/")), "200");
}

TEST_F(S3Test, PresignedUrl) {
  call("PUT", "/bucket");
  call("PUT", "/bucket/key", "hello");
  http::RequestHead head;
  head.headers.append("Host", "drumlin.test");
  const std::vector<auth::HeaderView> views = {{"host", "drumlin.test"}};
  head.target = auth::presign({"GET", "/bucket/key", views}, kKeys, "us-east-1", now(), 60);
  EXPECT_EQ(send(head, "").body, "hello");
  head.method = "DELETE";
  EXPECT_EQ(brief(send(head, "")), "403 SignatureDoesNotMatch");
  head.method = "GET";
  head.target = auth::presign({"GET", "/bucket/key", views}, kKeys, "us-east-1", now() - 61s, 60);
  EXPECT_EQ(brief(send(head, "")), "403 AccessDenied");
  head.target = auth::presign({"GET", "/bucket/key", views}, kKeys, "us-east-1", now(), 0);
  EXPECT_EQ(brief(send(head, "")), "400 AuthorizationQueryParametersError");
}

TEST_F(S3Test, LifeOfABucket) {
  EXPECT_EQ(brief(call("HEAD", "/bucket")), "404");
  EXPECT_EQ(brief(call("GET", "/bucket?location")), "404 NoSuchBucket");
  EXPECT_EQ(brief(call("DELETE", "/bucket")), "404 NoSuchBucket");
  const Answer created = call("PUT", "/bucket");
  EXPECT_EQ(brief(created), "200");
  EXPECT_EQ(created.head.headers.get("Location"), "/bucket");
  store.most_buckets = 1;
  const Answer beyond = call("PUT", "/another");
  EXPECT_EQ(brief(beyond), "400 TooManyBuckets");
  EXPECT_EQ(element(beyond.body, "Message"),
            "You have attempted to create more buckets than allowed");
  const Answer again = call("PUT", "/bucket");
  EXPECT_EQ(brief(again), "409 BucketAlreadyOwnedByYou");
  EXPECT_EQ(element(again.body, "BucketName"), "bucket");
  const Answer head = call("HEAD", "/bucket/");
  EXPECT_EQ(brief(head), "200");
  EXPECT_EQ(head.head.headers.get("x-amz-bucket-region"), "us-east-1");
  EXPECT_NE(
      call("GET", "/bucket?location")
          .body.find("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"),
      std::string::npos);
  call("PUT", "/bucket/key", "x");
  EXPECT_EQ(brief(call("DELETE", "/bucket")), "409 BucketNotEmpty");
  call("DELETE", "/bucket/key");
  EXPECT_EQ(brief(call("DELETE", "/bucket")), "204");
  EXPECT_EQ(brief(call("HEAD", "/bucket")), "404");
}

TEST_F(S3Test, CreateBucketConfiguration) {
  const auto create = [&](const std::string& name, const std::string& body) {
    return brief(call("PUT", "/" + name, body));
  };
  const std::string open =
      "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  const std::string close = "</CreateBucketConfiguration>";
  EXPECT_EQ(create("one", open + close), "200");
  EXPECT_EQ(create("two", open + "<LocationConstraint>us-east-1</LocationConstraint>" + close),
            "200");
  EXPECT_EQ(create("three", open + "<LocationConstraint>mars-1</LocationConstraint>" + close),
            "400 InvalidLocationConstraint");
  EXPECT_EQ(create("three", "<Something/>"), "400 MalformedXML");
  EXPECT_EQ(create("three", "{}"), "400 MalformedXML");
  EXPECT_EQ(create("three", std::string(70000, ' ')), "400 EntityTooLarge");
  EXPECT_EQ(brief(call("PUT", "/three", "", {{"x-amz-acl", "public-read"}})), "501 NotImplemented");
  EXPECT_EQ(brief(call("PUT", "/Three")), "400 InvalidBucketName");
  EXPECT_EQ(brief(call("HEAD", "/three")), "404");
}

TEST_F(S3Test, ListBucketsInPages) {
  for (const char* name : {"bb-2", "aa-1", "bb-1", "bb-3"})
    call("PUT", std::string("/") + name);
  const Answer all = call("GET", "/");
  EXPECT_EQ(elements(all.body, "Name"), (std::vector<std::string>{"aa-1", "bb-1", "bb-2", "bb-3"}));
  EXPECT_EQ(element(all.body, "CreationDate").size(), 24u);
  EXPECT_EQ(element(all.body, "DisplayName"), "drumlin");
  const Answer first = call("GET", "/?prefix=bb&max-buckets=2");
  EXPECT_EQ(elements(first.body, "Name"), (std::vector<std::string>{"bb-1", "bb-2"}));
  const std::string token = percent_encode(element(first.body, "ContinuationToken"));
  const Answer second = call("GET", "/?prefix=bb&max-buckets=2&continuation-token=" + token);
  EXPECT_EQ(elements(second.body, "Name"), (std::vector<std::string>{"bb-3"}));
  EXPECT_EQ(element(second.body, "ContinuationToken"), "(none)");
  EXPECT_EQ(brief(call("GET", "/?continuation-token=abc")), "400 InvalidArgument");
  EXPECT_EQ(brief(call("GET", "/?max-buckets=-1")), "400 InvalidArgument");
}

TEST_F(S3Test, GetAndHead) {
  call("PUT", "/bucket");
  const Answer put = call("PUT", "/bucket/a/b", "hello world",
                          {{"Content-Type", "text/plain"},
                           {"Cache-Control", "no-cache"},
                           {"Content-Disposition", "attachment"},
                           {"Content-Language", "en"},
                           {"Expires", "Wed, 21 Oct 2015 07:28:00 GMT"},
                           {"Content-Encoding", "gzip, aws-chunked"},
                           {"x-amz-meta-Mixed-Case", "Value"}});
  ASSERT_EQ(brief(put), "200");
  EXPECT_EQ(put.head.headers.get("ETag"), "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
  EXPECT_EQ(put.head.headers.get("x-drumlin-version"), "1");
  const Answer get = call("GET", "/bucket/a/b");
  EXPECT_EQ(get.head.status, 200);
  EXPECT_EQ(get.body, "hello world");
  const Answer head = call("HEAD", "/bucket/a/b");
  EXPECT_EQ(head.head.status, 200);
  EXPECT_EQ(head.body, "");
  for (const Answer* answer : {&get, &head}) {
    const http::Headers& headers = answer->head.headers;
    EXPECT_EQ(answer->head.content_length, 11u);
    EXPECT_EQ(headers.get("ETag"), "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
    EXPECT_EQ(headers.get("x-drumlin-version"), "1");
    EXPECT_EQ(headers.get("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(headers.get("Accept-Ranges"), "bytes");
    EXPECT_EQ(headers.get("Content-Type"), "text/plain");
    EXPECT_EQ(headers.get("Cache-Control"), "no-cache");
    EXPECT_EQ(headers.get("Content-Disposition"), "attachment");
    EXPECT_EQ(headers.get("Content-Language"), "en");
    EXPECT_EQ(headers.get("Expires"), "Wed, 21 Oct 2015 07:28:00 GMT");
    EXPECT_EQ(headers.get("Content-Encoding"), "gzip");
    EXPECT_EQ(headers.get("x-amz-meta-mixed-case"), "Value");
  }
  const Answer overridden = call("GET", "/bucket/a/b?response-content-type=a%2Fb");
  EXPECT_EQ(overridden.head.headers.all("Content-Type"), (std::vector<std::string_view>{"a/b"}));
  call("PUT", "/bucket/plain", "");
  const Answer plain = call("GET", "/bucket/plain");
  EXPECT_EQ(plain.head.headers.get("Content-Type"), "binary/octet-stream");
  EXPECT_EQ(plain.head.content_length, 0u);
  EXPECT_FALSE(plain.head.headers.has("Content-Encoding"));
}

TEST_F(S3Test, NotFound) {
  const Answer no_bucket = call("GET", "/bucket/key");
  EXPECT_EQ(brief(no_bucket), "404 NoSuchBucket");
  EXPECT_EQ(element(no_bucket.body, "BucketName"), "bucket");
  call("PUT", "/bucket");
  const Answer never = call("GET", "/bucket/key");
  EXPECT_EQ(brief(never), "404 NoSuchKey");
  EXPECT_EQ(element(never.body, "Key"), "key");
  EXPECT_EQ(never.head.headers.get("x-drumlin-version"), "0");
  call("PUT", "/bucket/key", "x");
  const Answer deleted = call("DELETE", "/bucket/key");
  EXPECT_EQ(brief(deleted), "204");
  EXPECT_EQ(deleted.head.headers.get("x-drumlin-version"), "2");
  const Answer gone = call("HEAD", "/bucket/key");
  EXPECT_EQ(gone.head.status, 404);
  EXPECT_EQ(gone.body, "");
  EXPECT_EQ(gone.head.headers.get("x-drumlin-version"), "2");
  EXPECT_FALSE(gone.head.headers.get("x-amz-request-id").empty());
  EXPECT_EQ(brief(call("DELETE", "/bucket/key")), "204");
  EXPECT_EQ(brief(call("DELETE", "/nowhere/key")), "404 NoSuchBucket");
}

TEST_F(S3Test, Ranges) {
  call("PUT", "/bucket");
  call("PUT", "/bucket/key", "0123456789", {{"x-amz-checksum-crc32", "poTHxg=="}});
  const auto ranged = [&](std::string_view range, std::string method = "GET") {
    return call(std::move(method), "/bucket/key", "",
                {{"Range", range}, {"x-amz-checksum-mode", "ENABLED"}});
  };
  const Answer middle = ranged("bytes=2-4");
  EXPECT_EQ(middle.head.status, 206);
  EXPECT_EQ(middle.body, "234");
  EXPECT_EQ(middle.head.headers.get("Content-Range"), "bytes 2-4/10");
  EXPECT_FALSE(middle.head.headers.has("x-amz-checksum-crc32"));
  EXPECT_EQ(ranged("bytes=7-").body, "789");
  EXPECT_EQ(ranged("bytes=7-100").body, "789");
  EXPECT_EQ(ranged("bytes=-4").body, "6789");
  EXPECT_EQ(ranged("bytes=-4").head.headers.get("Content-Range"), "bytes 6-9/10");
  const Answer head = ranged("bytes=-4", "HEAD");
  EXPECT_EQ(head.head.status, 206);
  EXPECT_EQ(head.head.content_length, 4u);
  const Answer whole = ranged("bytes=1-2,4-5");
  EXPECT_EQ(whole.head.status, 200);
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(whole.head.headers.get("x-amz-checksum-crc32"), "poTHxg==");
  const Answer beyond = ranged("bytes=10-");
  EXPECT_EQ(brief(beyond), "416 InvalidRange");
  EXPECT_EQ(element(beyond.body, "ActualObjectSize"), "10");
  EXPECT_EQ(beyond.head.headers.get("Content-Range"), "bytes */10");
  EXPECT_EQ(ranged("bytes=10-", "HEAD").head.status, 416);
  EXPECT_EQ(brief(ranged("bytes=-0")), "416 InvalidRange");
}

TEST_F(S3Test, ConditionalReads) {
  call("PUT", "/bucket");
  const Answer put = call("PUT", "/bucket/key", "x");
  const std::string etag(put.head.headers.get("ETag"));
  const auto with = [&](std::string_view name, std::string_view value) {
    return call("GET", "/bucket/key", "", {{name, value}});
  };
  EXPECT_EQ(brief(with("If-Match", etag)), "200");
  EXPECT_EQ(brief(with("If-Match", "\"other\"")), "412 PreconditionFailed");
  const Answer not_modified = with("If-None-Match", etag);
  EXPECT_EQ(not_modified.head.status, 304);
  EXPECT_EQ(not_modified.body, "");
  EXPECT_EQ(not_modified.head.headers.get("ETag"), etag);
  EXPECT_EQ(brief(with("If-Modified-Since", put.head.headers.get("Date"))), "304");
  EXPECT_EQ(brief(call("GET", "/bucket/none", "", {{"If-Match", "*"}})), "404 NoSuchKey");
  const Answer head = call("HEAD", "/bucket/key", "", {{"If-Match", "\"other\""}});
  EXPECT_EQ(head.head.status, 412);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(call("HEAD", "/bucket/key", "", {{"If-None-Match", etag}}).head.status, 304);
}

TEST_F(S3Test, IfRange) {
  call("PUT", "/bucket");
  const Answer put = call("PUT", "/bucket/key", "0123456789");
  const std::string etag(put.head.headers.get("ETag"));
  const auto with = [&](std::string_view validator, std::string_view range = "bytes=2-4") {
    return call("GET", "/bucket/key", "", {{"Range", range}, {"If-Range", validator}});
  };
  EXPECT_EQ(with(etag).body, "234");
  EXPECT_EQ(with(etag).head.status, 206);
  const Answer other = with("\"other\"");
  EXPECT_EQ(other.head.status, 200);
  EXPECT_EQ(other.body, "0123456789");
  EXPECT_FALSE(other.head.headers.has("Content-Range"));
  EXPECT_EQ(with("\"other\"", "bytes=99-").head.status, 200);
  EXPECT_EQ(brief(with(etag, "bytes=99-")), "416 InvalidRange");
  EXPECT_EQ(with("Sun, 06 Nov 1994 08:49:37 GMT").head.status, 206);
  EXPECT_EQ(call("HEAD", "/bucket/key", "", {{"Range", "bytes=2-4"}, {"If-Range", "x"}})
                .head.content_length,
            10u);
}

TEST_F(S3Test, TheOnlyVersionIsNull) {
  call("PUT", "/bucket");
  call("PUT", "/bucket/key", "x");
  const Answer get = call("GET", "/bucket/key?versionId=null");
  EXPECT_EQ(get.body, "x");
  EXPECT_EQ(get.head.headers.get("x-amz-version-id"), "null");
  EXPECT_FALSE(call("GET", "/bucket/key").head.headers.has("x-amz-version-id"));
  EXPECT_EQ(call("HEAD", "/bucket/key?versionId=null").head.status, 200);
  const Answer unknown = call("GET", "/bucket/key?versionId=3%2FL4kqtJlcpXroDTDmJ");
  EXPECT_EQ(brief(unknown), "400 InvalidArgument");
  EXPECT_EQ(element(unknown.body, "Message"), "Invalid version id specified");
  EXPECT_EQ(brief(call("DELETE", "/bucket/key?versionId=null")), "204");
  EXPECT_EQ(brief(call("GET", "/bucket/key?versionId=null")), "404 NoSuchKey");
}

// What presigning SDKs move into the query is taken for the header that it was.
TEST_F(S3Test, PresignedQueriesCarryHeaders) {
  call("PUT", "/bucket");
  const std::vector<auth::HeaderView> views = {{"host", "drumlin.test"}};
  http::RequestHead head;
  head.headers.append("Host", "drumlin.test");
  const auto ask = [&](std::string method, const std::string& query, std::string_view body = {}) {
    head.method = std::move(method);
    head.target =
        auth::presign({head.method, "/bucket/key?" + query, views}, kKeys, "us-east-1", now(), 60);
    return send(head, body);
  };
  EXPECT_EQ(brief(ask("PUT", "x-amz-meta-who=me&x-amz-checksum-crc32=poTHxg%3D%3D", "0123456789")),
            "200");
  EXPECT_EQ(call("HEAD", "/bucket/key").head.headers.get("x-amz-meta-who"), "me");
  EXPECT_EQ(ask("GET", "x-amz-checksum-mode=ENABLED").head.headers.get("x-amz-checksum-crc32"),
            "poTHxg==");
  EXPECT_EQ(brief(ask("PUT", "x-amz-checksum-crc32=AAAAAA%3D%3D", "x")), "400 BadDigest");
  EXPECT_EQ(brief(ask("PUT", "x-amz-acl=public-read", "x")), "501 NotImplemented");
  EXPECT_EQ(brief(ask("GET", "X-Amz-Security-Token=abc")), "400 InvalidToken");
  EXPECT_EQ(brief(ask("HEAD", "a=b")), "200");
  EXPECT_EQ(brief(ask("DELETE", "x-id=DeleteObject")), "204");
}

TEST_F(S3Test, WhatIsNotBuiltSaysSo) {
  call("PUT", "/bucket");
  const Answer tagging = call("PUT", "/bucket/key?tagging", "<Tagging/>");
  EXPECT_EQ(brief(tagging), "501 NotImplemented");
  EXPECT_EQ(element(tagging.body, "Parameter"), "tagging");
  EXPECT_EQ(element(tagging.body, "Message"),
            "A parameter you provided implies functionality that is not implemented");
  for (const char* target : {"/bucket?uploads", "/bucket/key?attributes", "/bucket/key?torrent"}) {
    EXPECT_EQ(brief(call("GET", target)), "501 NotImplemented") << target;
  }
  EXPECT_EQ(brief(call("POST", "/bucket/key?uploads")), "501 NotImplemented");
  const Answer copy = call("PUT", "/bucket/copy", "", {{"x-amz-copy-source", "/bucket/key"}});
  EXPECT_EQ(brief(copy), "501 NotImplemented");
  EXPECT_EQ(element(copy.body, "Header"), "x-amz-copy-source");
  EXPECT_EQ(element(copy.body, "Message"),
            "A header you provided implies functionality that is not implemented");
  EXPECT_EQ(brief(call("PUT", "/bucket/key", "x", {{"If-None-Match", "\"e\""}})),
            "501 NotImplemented");
  EXPECT_EQ(store.peek("bucket", "key"), nullptr);
  EXPECT_EQ(brief(call("POST", "/bucket/key")), "405 MethodNotAllowed");
}

TEST_F(S3Test, TroubleInTheStore) {
  const auto with = [&](Code code, std::string method, std::string target) {
    store.fail = Status(code, "secret detail");
    const Answer answer = call(std::move(method), std::move(target), "");
    EXPECT_EQ(answer.body.find("secret detail"), std::string::npos);
    return brief(answer) + (answer.head.headers.has("Retry-After") ? " retry" : "");
  };
  EXPECT_EQ(with(Code::kUnavailable, "GET", "/bucket/key"), "503 ServiceUnavailable retry");
  EXPECT_EQ(with(Code::kExhausted, "PUT", "/bucket/key"), "503 SlowDown retry");
  EXPECT_EQ(with(Code::kOutcomeUnknown, "PUT", "/bucket/key"), "500 InternalError");
  EXPECT_EQ(with(Code::kOutcomeUnknown, "DELETE", "/bucket/key"), "500 InternalError");
  EXPECT_EQ(with(Code::kAborted, "PUT", "/bucket"), "409 OperationAborted");
  EXPECT_EQ(with(Code::kNoSpace, "PUT", "/bucket/key"), "507 InsufficientStorage");
  EXPECT_EQ(with(Code::kCorrupt, "GET", "/bucket/key"), "500 InternalError");
  EXPECT_EQ(with(Code::kUnavailable, "GET", "/"), "503 ServiceUnavailable retry");
  EXPECT_EQ(with(Code::kUnavailable, "GET", "/bucket"), "503 ServiceUnavailable retry");
  EXPECT_EQ(with(Code::kUnavailable, "HEAD", "/bucket"), "503 retry");
}

TEST_F(S3Test, HttpErrorsAreXmlToo) {
  std::string answer;
  world.run([&] {
    auto stream = *world.connect(kHere, kNever);
    EXPECT_TRUE(stream->write_all("GET nonsense HTTP/1.1\r\nbroken\r\n\r\n").ok());
    answer = http::test::read_all(*stream, world.clock());
  });
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(element(answer, "Code"), "BadRequest");
  EXPECT_NE(answer.find("x-amz-request-id: " + element(answer, "RequestId")), std::string::npos);
}

TEST_F(S3Test, LogAndMetricsTellNoSecrets) {
  call("PUT", "/bucket");
  call("PUT", "/bucket/key", "the body");
  call("GET", "/bucket/missing");
  http::RequestHead head;
  head.headers.append("Host", "drumlin.test");
  const std::vector<auth::HeaderView> views = {{"host", "drumlin.test"}};
  head.target = auth::presign({"GET", "/bucket/key", views}, kKeys, "us-east-1", now(), 60);
  send(head, "");
  std::string all;
  size_t requests = 0;
  for (const std::string& line : lines) {
    all += line + "\n";
    requests += line.find("\"msg\":\"request\"") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(requests, 4u);
  EXPECT_NE(all.find("\"operation\":\"PutObject\""), std::string::npos);
  EXPECT_NE(all.find("\"error\":\"NoSuchKey\""), std::string::npos);
  for (const char* secret : {"very-secret-key", "Signature", "the body", "AKIDEXAMPLE"}) {
    EXPECT_EQ(all.find(secret), std::string::npos) << secret;
  }
  const std::string text = metrics.render();
  EXPECT_NE(text.find("drumlin_s3_requests_total{class=\"2xx\",operation=\"PutObject\"} 1"),
            std::string::npos);
  EXPECT_NE(text.find("drumlin_s3_requests_total{class=\"4xx\",operation=\"GetObject\"} 1"),
            std::string::npos);
}

}  // namespace
}  // namespace drumlin::s3::test
