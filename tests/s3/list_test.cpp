// ListObjectsV2 and ListObjects, end to end.
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

using Names = std::vector<std::string>;

class ListTest : public S3Test {
 public:
  ListTest() { call("PUT", "/bucket"); }
  void put(const Names& keys_to_put) {
    for (const std::string& key : keys_to_put) {
      ASSERT_EQ(brief(call("PUT", "/bucket/" + percent_encode(key), key)), "200") << key;
    }
  }
  std::string list(const std::string& query) {
    const Answer answer = call("GET", "/bucket?list-type=2" + query);
    EXPECT_EQ(answer.head.status, 200) << answer.body;
    EXPECT_EQ(answer.head.headers.get("Content-Type"), "application/xml");
    return answer.body;
  }
};

TEST_F(ListTest, Contents) {
  put({"b", "a/1", "a/2", "c"});
  const std::string xml = list("");
  EXPECT_EQ(xml.substr(0, 38), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
  EXPECT_NE(
      xml.find("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket"),
      std::string::npos);
  EXPECT_EQ(elements(xml, "Key"), (Names{"a/1", "a/2", "b", "c"}));
  EXPECT_EQ(element(xml, "KeyCount"), "4");
  EXPECT_EQ(element(xml, "MaxKeys"), "1000");
  EXPECT_EQ(element(xml, "IsTruncated"), "false");
  EXPECT_EQ(element(xml, "NextContinuationToken"), "(none)");
  EXPECT_EQ(element(xml, "Size"), "3");
  EXPECT_EQ(element(xml, "StorageClass"), "STANDARD");
  EXPECT_EQ(element(xml, "ETag"), "\"" + hex(as_view(md5("a/1"))) + "\"");
  EXPECT_EQ(element(xml, "LastModified"), "1994-11-06T08:49:37.000Z");
  EXPECT_EQ(element(xml, "Owner"), "(none)");
  EXPECT_EQ(element(list("&fetch-owner=true"), "ID").size(), 64u);
}

TEST_F(ListTest, PrefixDelimiterAndStart) {
  put({"a/1", "a/2", "b", "c/d/e", "c/f"});
  const std::string top = list("&delimiter=/");
  EXPECT_EQ(elements(top, "Key"), (Names{"b"}));
  EXPECT_EQ(elements(top, "CommonPrefixes"), (Names{"<Prefix>a/</Prefix>", "<Prefix>c/</Prefix>"}));
  EXPECT_EQ(element(top, "KeyCount"), "3");
  EXPECT_EQ(element(top, "Delimiter"), "/");
  const std::string inner = list("&delimiter=/&prefix=c/");
  EXPECT_EQ(elements(inner, "Key"), (Names{"c/f"}));
  EXPECT_EQ(elements(inner, "CommonPrefixes"), (Names{"<Prefix>c/d/</Prefix>"}));
  EXPECT_EQ(elements(list("&start-after=a/2"), "Key"), (Names{"b", "c/d/e", "c/f"}));
  EXPECT_EQ(elements(list("&prefix=c/&start-after=a"), "Key"), (Names{"c/d/e", "c/f"}));
  EXPECT_EQ(elements(list("&delimiter=&prefix="), "Key").size(), 5u);
  EXPECT_EQ(elements(list("&continuation-token="), "Key").size(), 5u);
}

TEST_F(ListTest, PagesCoverEverythingOnce) {
  put({"a", "b/1", "b/2", "b/3", "c", "d/1", "e", "f/1", "f/2"});
  const Names expected = {"a", "b/", "c", "d/", "e", "f/"};
  for (int size = 1; size <= 7; ++size) {
    Names seen;
    std::string token;
    for (int page = 0; page < 20; ++page) {
      const std::string xml =
          list("&delimiter=/&max-keys=" + std::to_string(size) +
               (token.empty() ? "" : "&continuation-token=" + percent_encode(token)));
      for (const std::string& key : elements(xml, "Key"))
        seen.push_back(key);
      for (const std::string& prefix : elements(xml, "CommonPrefixes")) {
        seen.push_back(element(prefix, "Prefix"));
      }
      EXPECT_EQ(element(xml, "ContinuationToken"), token.empty() ? "(none)" : token);
      if (element(xml, "IsTruncated") == "false") break;
      token = element(xml, "NextContinuationToken");
      ASSERT_NE(token, "(none)");
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, expected) << size;
  }
}

TEST_F(ListTest, BadArguments) {
  put({"a", "b"});
  const std::string token = element(list("&max-keys=1"), "NextContinuationToken");
  const auto listed = [&](const std::string& query) {
    return brief(call("GET", "/bucket?list-type=2" + query));
  };
  EXPECT_EQ(listed("&continuation-token=" + percent_encode(token)), "200");
  std::string changed = token;
  changed[3] = changed[3] == 'A' ? 'B' : 'A';
  EXPECT_EQ(listed("&continuation-token=" + percent_encode(changed)), "400 InvalidArgument");
  call("PUT", "/other");
  EXPECT_EQ(brief(call("GET", "/other?list-type=2&continuation-token=" + percent_encode(token))),
            "400 InvalidArgument");
  EXPECT_EQ(listed("&max-keys=-1"), "400 InvalidArgument");
  EXPECT_EQ(listed("&max-keys=x"), "400 InvalidArgument");
  EXPECT_EQ(listed("&max-keys=99999999999"), "400 InvalidArgument");
  EXPECT_EQ(listed("&max-keys=5000"), "200");
  EXPECT_EQ(listed("&encoding-type=base64"), "400 InvalidArgument");
  EXPECT_EQ(brief(call("GET", "/nothing?list-type=2")), "404 NoSuchBucket");
  EXPECT_EQ(brief(call("GET", "/nothing?list-type=2&max-keys=0")), "404 NoSuchBucket");
  const std::string none = list("&max-keys=0");
  EXPECT_EQ(element(none, "KeyCount"), "0");
  EXPECT_EQ(element(none, "IsTruncated"), "false");
}

TEST_F(ListTest, UrlEncoding) {
  put({"a b+c&<\xC3\xA4", "p q/x"});
  const std::string xml = list("&encoding-type=url&delimiter=/&start-after=%20");
  EXPECT_EQ(element(xml, "Key"), "a%20b%2Bc%26%3C%C3%A4");
  EXPECT_EQ(element(xml, "CommonPrefixes"), "<Prefix>p%20q/</Prefix>");
  EXPECT_EQ(element(xml, "EncodingType"), "url");
  EXPECT_EQ(element(xml, "StartAfter"), "%20");
  EXPECT_EQ(element(list(""), "Key"), "a b+c&amp;&lt;\xC3\xA4");
}

TEST_F(ListTest, VersionOneWithMarkers) {
  put({"a", "b/1", "b/2", "c"});
  Names seen;
  std::string marker;
  for (int page = 0; page < 10; ++page) {
    const std::string xml =
        call("GET", "/bucket?delimiter=/&max-keys=1&marker=" + percent_encode(marker)).body;
    for (const std::string& key : elements(xml, "Key"))
      seen.push_back(key);
    for (const std::string& prefix : elements(xml, "CommonPrefixes")) {
      seen.push_back(element(prefix, "Prefix"));
    }
    if (element(xml, "IsTruncated") == "false") break;
    marker = element(xml, "NextMarker");
  }
  EXPECT_EQ(seen, (Names{"a", "b/", "c"}));
}

TEST_F(ListTest, VersionOneNamesTheNextMarkerOnlyWithADelimiter) {
  put({"a", "b/1", "b/2", "c"});
  const std::string plain = call("GET", "/bucket?max-keys=2").body;
  EXPECT_EQ(element(plain, "IsTruncated"), "true");
  EXPECT_EQ(element(plain, "NextMarker"), "(none)");
  EXPECT_EQ(element(plain, "Marker"), "");
  EXPECT_EQ(elements(call("GET", "/bucket?marker=b/1").body, "Key"), (Names{"b/2", "c"}));
  EXPECT_EQ(call("GET", "/bucket").head.headers.get("x-amz-bucket-region"), "us-east-1");
}

// The folder's own name is no common prefix of what is listed inside it.
TEST_F(ListTest, AMarkerThatIsThePrefixSkipsNothingBehindIt) {
  put({"dir/", "dir/a", "dir/b/c"});
  const std::string xml = call("GET", "/bucket?prefix=dir/&delimiter=/&marker=dir/").body;
  EXPECT_EQ(elements(xml, "Key"), (Names{"dir/a"}));
  EXPECT_EQ(elements(xml, "CommonPrefixes"), (Names{"<Prefix>dir/b/</Prefix>"}));
}

TEST_F(ListTest, VersionsOfABucketWithoutThem) {
  put({"a", "b/1", "b/2", "c d"});
  const std::string xml = call("GET", "/bucket?versions").body;
  EXPECT_NE(xml.find("<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"),
            std::string::npos);
  EXPECT_EQ(elements(xml, "Key"), (Names{"a", "b/1", "b/2", "c d"}));
  EXPECT_EQ(elements(xml, "VersionId"), (Names{"null", "null", "null", "null"}));
  EXPECT_EQ(element(xml, "IsLatest"), "true");
  EXPECT_EQ(elements(xml, "DeleteMarker"), Names{});
  Names seen;
  std::string next;
  for (int page = 0; page < 10; ++page) {
    const std::string part =
        call("GET", "/bucket?versions&delimiter=/&max-keys=1&encoding-type=url" + next).body;
    for (const std::string& key : elements(part, "Key"))
      seen.push_back(key);
    for (const std::string& prefix : elements(part, "CommonPrefixes"))
      seen.push_back(element(prefix, "Prefix"));
    if (element(part, "IsTruncated") == "false") break;
    next = "&key-marker=" + element(part, "NextKeyMarker");
    const std::string version = element(part, "NextVersionIdMarker");
    EXPECT_EQ(version, seen.back() == "b/" ? "(none)" : "null");
    if (version != "(none)") next += "&version-id-marker=" + version;
  }
  EXPECT_EQ(seen, (Names{"a", "b/", "c%20d"}));
  const auto judged = [&](const std::string& query) {
    return brief(call("GET", "/bucket?versions" + query));
  };
  EXPECT_EQ(judged("&version-id-marker=null"), "400 InvalidArgument");
  EXPECT_EQ(judged("&key-marker=a&version-id-marker=xyz"), "400 InvalidArgument");
  EXPECT_EQ(judged("&max-keys=0"), "200");
  EXPECT_EQ(brief(call("GET", "/nothing?versions")), "404 NoSuchBucket");
}

}  // namespace
}  // namespace drumlin::s3::test
