// Conditional PutObject and DeleteObject, and retries under a client's own id, end to end.
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

class WriteConditionsTest : public S3Test {
 public:
  WriteConditionsTest() { call("PUT", "/bucket"); }
  Answer put(std::string_view body, http::Headers headers) {
    return call("PUT", "/bucket/key", body, std::move(headers));
  }
  std::string stored() { return call("GET", "/bucket/key").body; }
  static std::string etag_of(std::string_view body) {
    return "\"" + hex(as_view(md5(body))) + "\"";
  }
};

TEST_F(WriteConditionsTest, OnlyOneCreates) {
  const Answer first = put("one", {{"If-None-Match", "*"}});
  EXPECT_EQ(brief(first), "200");
  const Answer second = put("two", {{"If-None-Match", "*"}});
  EXPECT_EQ(brief(second), "412 PreconditionFailed");
  EXPECT_EQ(element(second.body, "Condition"), "If-None-Match");
  EXPECT_EQ(element(second.body, "Message"),
            "At least one of the pre-conditions you specified did not hold");
  EXPECT_EQ(second.head.headers.get("x-drumlin-version"),
            first.head.headers.get("x-drumlin-version"));
  EXPECT_EQ(stored(), "one");
}

TEST_F(WriteConditionsTest, MatchSwaps) {
  const Answer missing = put("x", {{"If-Match", etag_of("one")}});
  EXPECT_EQ(brief(missing), "404 NoSuchKey");
  EXPECT_EQ(element(missing.body, "Key"), "key");
  EXPECT_TRUE(missing.head.headers.has("x-drumlin-version"));
  put("one", {});
  EXPECT_EQ(brief(put("two", {{"If-Match", etag_of("one")}})), "200");
  const Answer late = put("three", {{"If-Match", etag_of("one")}});
  EXPECT_EQ(brief(late), "412 PreconditionFailed");
  EXPECT_EQ(element(late.body, "Condition"), "If-Match");
  EXPECT_EQ(brief(put("three", {{"If-Match", hex(as_view(md5("two")))}})), "200") << "bare";
  EXPECT_EQ(stored(), "three");
}

TEST_F(WriteConditionsTest, DeletesMatchToo) {
  put("one", {});
  const auto del = [&](http::Headers headers) {
    return brief(call("DELETE", "/bucket/key", "", std::move(headers)));
  };
  EXPECT_EQ(del({{"If-Match", "\"other\""}}), "412 PreconditionFailed");
  EXPECT_EQ(del({{"x-amz-if-match-size", "4"}}), "412 PreconditionFailed");
  EXPECT_EQ(del({{"x-amz-if-match-size", "four"}}), "400 InvalidArgument");
  EXPECT_EQ(del({{"If-Match", etag_of("one")}, {"x-amz-if-match-size", "3"}}), "204");
  EXPECT_EQ(del({{"If-Match", etag_of("one")}}), "204") << "gone is gone";
  EXPECT_EQ(del({{"If-Match", "*"}}), "412 PreconditionFailed");
}

TEST_F(WriteConditionsTest, AnSdksRetryGetsItsFirstAnswer) {
  const http::Headers once = {
      {"If-None-Match", "*"}, {"amz-sdk-invocation-id", "id-1"}, {"amz-sdk-request", "attempt=1"}};
  const http::Headers again = {
      {"If-None-Match", "*"}, {"amz-sdk-invocation-id", "id-1"}, {"amz-sdk-request", "attempt=2"}};
  const Answer first = put("one", once);
  const Answer retry = put("one", again);
  EXPECT_EQ(brief(retry), "200");
  for (const char* header : {"ETag", "x-drumlin-version"}) {
    EXPECT_EQ(retry.head.headers.get(header), first.head.headers.get(header));
  }
  // Anything else under that id is another request.
  EXPECT_EQ(brief(put("two", again)), "412 PreconditionFailed");
  EXPECT_EQ(brief(put("one", {{"If-None-Match", "*"}, {"amz-sdk-invocation-id", "id-2"}})),
            "412 PreconditionFailed");
  http::Headers typed = again;
  typed.append("Content-Type", "text/plain");
  EXPECT_EQ(brief(put("one", typed)), "412 PreconditionFailed");
  EXPECT_EQ(brief(call("PUT", "/bucket/other", "one", again)), "200");
  // Without a condition a repetition changes nothing that the id could protect.
  const http::Headers plain = {{"amz-sdk-invocation-id", "id-1"}};
  const Answer a = put("three", plain);
  const Answer b = put("three", plain);
  EXPECT_NE(a.head.headers.get("x-drumlin-version"), b.head.headers.get("x-drumlin-version"));
}

TEST_F(WriteConditionsTest, AClientsOwnIdHoldsForEveryWrite) {
  const http::Headers mine = {{"x-drumlin-request-id", "mine"}};
  const Answer first = put("one", mine);
  put("two", {});
  const Answer again = put("one", mine);
  EXPECT_EQ(again.head.headers.get("x-drumlin-version"),
            first.head.headers.get("x-drumlin-version"));
  EXPECT_EQ(stored(), "two");
  const Answer gone = call("DELETE", "/bucket/key", "", mine);
  put("three", {});
  EXPECT_EQ(call("DELETE", "/bucket/key", "", mine).head.headers.get("x-drumlin-version"),
            gone.head.headers.get("x-drumlin-version"));
  EXPECT_EQ(stored(), "three");
  EXPECT_EQ(brief(call("GET", "/bucket/key", "", mine)), "501 NotImplemented");
}

TEST_F(WriteConditionsTest, UnknownIsSaid) {
  store.fail = Status(Code::kOutcomeUnknown);
  const Answer answer = put("one", {{"If-None-Match", "*"}});
  EXPECT_EQ(brief(answer), "500 InternalError");
  EXPECT_EQ(answer.head.headers.get("x-drumlin-outcome"), "unknown");
}

}  // namespace
}  // namespace drumlin::s3::test
