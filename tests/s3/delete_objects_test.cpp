// DeleteObjects, end to end.
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

using Names = std::vector<std::string>;

std::string object(const std::string& inner) {
  return "<Object>" + inner + "</Object>";
}
std::string key(const std::string& name) {
  return object("<Key>" + name + "</Key>");
}

class DeleteObjectsTest : public S3Test {
 public:
  DeleteObjectsTest() { call("PUT", "/bucket"); }
  void put(const Names& keys_to_put) {
    for (const std::string& each : keys_to_put)
      ASSERT_EQ(brief(call("PUT", "/bucket/" + percent_encode(each), each)), "200");
  }
  Answer remove(const std::string& inner, const std::string& target = "/bucket?delete") {
    const std::string body =
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + inner + "</Delete>";
    return call("POST", target, body, {{"Content-MD5", base64_encode(as_view(md5(body)))}});
  }
  Names left() { return elements(call("GET", "/bucket?list-type=2").body, "Key"); }
};

TEST_F(DeleteObjectsTest, ThoseThatAreThereAndThoseThatAreNot) {
  put({"a", "b", "c"});
  const Answer answer = remove(key("a") + key("never") + key("c"));
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_NE(answer.body.find("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"),
            std::string::npos);
  EXPECT_EQ(elements(answer.body, "Key"), (Names{"a", "never", "c"}));
  EXPECT_EQ(elements(answer.body, "Error"), Names{});
  EXPECT_EQ(left(), (Names{"b"}));
}

TEST_F(DeleteObjectsTest, QuietTellsErrorsOnly) {
  put({"a", "b"});
  store.on_delete = [](std::string_view name) {
    if (name == "a") return Status(Code::kOutcomeUnknown);
    return name == "x" ? Status(Code::kExhausted) : Status();
  };
  const Answer answer = remove("<Quiet>true</Quiet>" + key("a") + key("b") + key("x"));
  EXPECT_EQ(elements(answer.body, "Deleted"), Names{});
  EXPECT_EQ(elements(answer.body, "Key"), (Names{"a", "x"}));
  EXPECT_EQ(elements(answer.body, "Code"), (Names{"InternalError", "SlowDown"}));
  EXPECT_EQ(elements(answer.body, "Message")[1], "Please reduce your request rate.");
  EXPECT_EQ(left(), (Names{"a"}));
}

TEST_F(DeleteObjectsTest, VersionNullAndOthers) {
  put({"a", "b"});
  const Answer answer = remove(object("<Key>a</Key><VersionId>null</VersionId>") +
                               object("<Key>b</Key><VersionId>abc</VersionId>"));
  EXPECT_EQ(element(answer.body, "Deleted"), "<Key>a</Key><VersionId>null</VersionId>");
  EXPECT_EQ(element(answer.body, "Code"), "NoSuchVersion");
  EXPECT_EQ(left(), (Names{"b"}));
}

TEST_F(DeleteObjectsTest, ConditionsOfEntries) {
  put({"a", "b", "c"});
  const std::string tag = hex(as_view(md5("a")));
  const Answer answer =
      remove(object("<Key>a</Key><ETag>&quot;" + tag + "&quot;</ETag>") +
             object("<Key>b</Key><ETag>" + tag + "</ETag>") + object("<Key>c</Key><Size>2</Size>"));
  EXPECT_EQ(element(answer.body, "Deleted"), "<Key>a</Key>");
  EXPECT_EQ(elements(answer.body, "Code"), (Names{"PreconditionFailed", "PreconditionFailed"}));
  EXPECT_EQ(left(), (Names{"b", "c"}));
  EXPECT_EQ(brief(remove(object("<Key>c</Key><Size>x</Size>"))), "400 InvalidArgument");
  EXPECT_EQ(brief(remove(object("<Key>c</Key><Owner>me</Owner>"))), "400 MalformedXML")
      << "a condition that is not known is not ignored";
}

TEST_F(DeleteObjectsTest, OddKeys) {
  const Names odd = {" ", " lead", "a&b<c>", "\xC3\xA4", "new\nline", "tab\t"};
  put(odd);
  EXPECT_EQ(brief(remove(key(" ") + key(" lead") + key("a&amp;b&lt;c&gt;") + key("\xC3\xA4") +
                         key("new&#10;line") + key("<![CDATA[tab\t]]>"))),
            "200");
  EXPECT_EQ(left(), Names{});
  const Answer longer = remove(key(std::string(1025, 'k')));
  EXPECT_EQ(element(longer.body, "Code"), "KeyTooLongError");
  EXPECT_EQ(brief(remove(key("\xFF"))), "400 MalformedXML");
}

TEST_F(DeleteObjectsTest, AThousandAndNoMore) {
  Names names;
  std::string inner;
  for (int i = 0; i < 1000; ++i)
    inner += key("k" + std::to_string(i));
  const Answer answer = remove(inner);
  EXPECT_EQ(elements(answer.body, "Key").size(), 1000u);
  EXPECT_EQ(brief(remove(inner + key("one-more"))), "400 MalformedXML");
  EXPECT_EQ(brief(remove("")), "400 MalformedXML");
  EXPECT_EQ(brief(remove("<Quiet>maybe</Quiet>" + key("a"))), "400 MalformedXML");
}

TEST_F(DeleteObjectsTest, NeedsSomeDigest) {
  const std::string body = "<Delete>" + key("a") + "</Delete>";
  const Answer bare = call("POST", "/bucket?delete", body);
  EXPECT_EQ(brief(bare), "400 InvalidRequest");
  EXPECT_EQ(element(bare.body, "Message"), "Missing required header for this request: Content-MD5");
  EXPECT_EQ(brief(call("POST", "/bucket?delete", body,
                       {{"x-amz-checksum-crc32", compute_checksum(ChecksumKind::kCrc32, body)}})),
            "200");
  EXPECT_EQ(brief(call("POST", "/bucket?delete", body,
                       {{"x-amz-checksum-sha256", compute_checksum(ChecksumKind::kSha256, "x")}})),
            "400 BadDigest");
  EXPECT_EQ(brief(call("POST", "/bucket?delete", body,
                       {{"Content-MD5", base64_encode(as_view(md5("other")))}})),
            "400 BadDigest");
}

TEST_F(DeleteObjectsTest, OfAMissingBucket) {
  EXPECT_EQ(brief(remove(key("a"), "/nothing?delete")), "404 NoSuchBucket");
}

}  // namespace
}  // namespace drumlin::s3::test
