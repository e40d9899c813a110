// Requests of users over HTTP: whose buckets, which answers, no more than that.
#include <gtest/gtest.h>

#include "auth/principal.h"
#include "tests/s3/fake_users.h"
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

struct S3UsersTest : S3Test {
  S3UsersTest() {
    Settings settings{kKeys.access_key, kKeys.secret_key, "us-east-1", kMaxBody, 4 * kMaxBody, 10s,
                      kMaxRequests};
    handler = std::make_unique<S3Handler>(world, observer(), store, settings, &users);
  }
  void as(const std::string& name) {
    keys = name == "root" ? kKeys : auth::Credentials{"KEY" + name, "secret of " + name};
  }
  std::string brief_of(std::string method, std::string target, std::string_view body = {},
                       http::Headers headers = {}) {
    return brief(call(std::move(method), std::move(target), body, std::move(headers)));
  }
  static std::string id(uint64_t user) { return auth::canonical_user_id(user, kKeys.access_key); }
  FakeUsers users;
};

struct Try {
  const char* method;
  const char* target;
  const char* body = "";
};
// On a bucket "theirs" with the object "k".
const Try kTries[] = {{"HEAD", "/theirs"},           {"GET", "/theirs"},
                      {"GET", "/theirs?location"},   {"GET", "/theirs?list-type=2"},
                      {"GET", "/theirs?max-keys=0"}, {"GET", "/theirs/k"},
                      {"HEAD", "/theirs/k"},         {"GET", "/theirs/no-such-key"},
                      {"PUT", "/theirs/k", "other"}, {"PUT", "/theirs/new", "other"},
                      {"DELETE", "/theirs/k"},       {"DELETE", "/theirs/no-such-key"},
                      {"DELETE", "/theirs"}};

TEST_F(S3UsersTest, AnothersBucketIsDeniedToEveryOperation) {
  as("alice");
  EXPECT_EQ(brief_of("PUT", "/theirs"), "200");
  EXPECT_EQ(brief_of("PUT", "/theirs/k", "body"), "200");
  // With the early check, and by what the store holds to alone.
  for (const bool check_nothing : {false, true}) {
    store.check_nothing = check_nothing;
    as("bob");
    for (const Try& t : kTries) {
      const auto answer = call(t.method, t.target, t.body);
      EXPECT_EQ(answer.head.status, 403) << t.method << " " << t.target;
      if (std::string_view(t.method) == "HEAD") {
        EXPECT_EQ(answer.body, "");
      } else {
        EXPECT_EQ(element(answer.body, "Code"), "AccessDenied") << t.method << " " << t.target;
        EXPECT_EQ(element(answer.body, "Message"), "Access Denied");
      }
    }
    EXPECT_EQ(brief_of("PUT", "/theirs"), "409 BucketAlreadyExists");
    EXPECT_EQ(element(call("GET", "/").body, "Name"), "(none)");
    EXPECT_EQ(brief_of("GET", "/nowhere/k"), "404 NoSuchBucket");
  }
  as("alice");
  EXPECT_EQ(call("GET", "/theirs/k").body, "body");
  EXPECT_EQ(brief_of("PUT", "/theirs"), "409 BucketAlreadyOwnedByYou");
}

TEST_F(S3UsersTest, ADeniedBodyIsNotAskedFor) {
  as("alice");
  call("PUT", "/theirs");
  as("bob");
  http::RequestHead head;
  head.method = "PUT";
  head.target = "/theirs/k";
  head.expect_continue = true;
  sign(head, auth::kUnsignedPayloadText);
  const auto answer = send(head, std::string(100000, 'x'));
  EXPECT_EQ(answer.head.status, 403);
  EXPECT_EQ(store.peek("theirs", "k"), nullptr);
}

TEST_F(S3UsersTest, RootMayDoEverything) {
  as("alice");
  call("PUT", "/theirs");
  call("PUT", "/theirs/k", "body");
  as("root");
  EXPECT_EQ(call("GET", "/theirs/k").body, "body");
  EXPECT_EQ(element(call("GET", "/").body, "Name"), "theirs");
  EXPECT_EQ(brief_of("PUT", "/theirs"), "409 BucketAlreadyExists") << "it is not root's";
  EXPECT_EQ(brief_of("DELETE", "/theirs/k"), "204");
  EXPECT_EQ(brief_of("DELETE", "/theirs"), "204");
  EXPECT_EQ(users.asked, 2) << "root needs no table";
}

TEST_F(S3UsersTest, OwnersAreShown) {
  as("alice");
  call("PUT", "/theirs");
  call("PUT", "/theirs/k", "body");
  const std::string own = call("GET", "/").body;
  EXPECT_EQ(element(own, "ID"), id(1));
  EXPECT_EQ(element(own, "DisplayName"), "alice");
  EXPECT_EQ(element(call("GET", "/theirs").body, "ID"), id(1));
  as("root");
  const std::string seen = call("GET", "/theirs?list-type=2&fetch-owner=true").body;
  EXPECT_EQ(element(seen, "ID"), id(1)) << "the bucket's owner, whoever asks";
  EXPECT_EQ(element(call("GET", "/").body, "ID"), id(0));
}

TEST_F(S3UsersTest, ExpectedOwner) {
  const auto with = [](const std::string& owner) {
    return http::Headers{{"x-amz-expected-bucket-owner", owner}};
  };
  as("root");
  call("PUT", "/roots");
  as("alice");
  call("PUT", "/theirs");
  EXPECT_EQ(brief_of("GET", "/theirs", "", with(id(1))), "200");
  EXPECT_EQ(brief_of("GET", "/theirs", "", with(id(2))), "403 AccessDenied");
  EXPECT_EQ(brief_of("GET", "/theirs", "", with("nonsense")), "403 AccessDenied");
  as("root");
  EXPECT_EQ(brief_of("GET", "/theirs", "", with(id(1))), "200");
  EXPECT_EQ(brief_of("GET", "/theirs", "", with(id(0))), "403 AccessDenied");
  EXPECT_EQ(brief_of("GET", "/theirs", "", with(id(2))), "403 AccessDenied");
  EXPECT_EQ(brief_of("GET", "/roots", "", with(id(0))), "200");
  EXPECT_EQ(brief_of("GET", "/roots", "", with(id(1))), "403 AccessDenied");
}

TEST_F(S3UsersTest, KeysThatAreNotGood) {
  as("alice");
  EXPECT_EQ(brief_of("GET", "/"), "200");
  keys.secret_key = "wrong";
  EXPECT_EQ(brief_of("GET", "/"), "403 SignatureDoesNotMatch");
  as("carol");
  EXPECT_EQ(brief_of("GET", "/"), "403 InvalidAccessKeyId");
  as("alice");
  users.records[0].keys[0].state = shard::UserState::kDisabled;
  EXPECT_EQ(brief_of("GET", "/"), "403 InvalidAccessKeyId");
  users.records[0].keys[0].state = shard::UserState::kActive;
  users.records[0].state = shard::UserState::kDisabled;
  EXPECT_EQ(brief_of("GET", "/"), "403 InvalidAccessKeyId");
  users.records[0].state = shard::UserState::kActive;
  users.records[0].keys[0].secret = "another secret";
  EXPECT_EQ(brief_of("GET", "/"), "403 SignatureDoesNotMatch") << "memory of the old one or not";
}

TEST_F(S3UsersTest, WithoutATableNobodyButRootGetsIn) {
  as("alice");
  call("PUT", "/theirs");
  users.fail = Status(Code::kUnavailable, "shard 0 is away");
  const auto answer = call("GET", "/theirs");
  EXPECT_EQ(brief(answer), "503 ServiceUnavailable");
  EXPECT_EQ(answer.head.headers.get("Retry-After"), "1");
  as("carol");
  EXPECT_EQ(brief_of("GET", "/"), "503 ServiceUnavailable") << "who knows";
  as("root");
  EXPECT_EQ(brief_of("GET", "/theirs"), "200");
}

TEST_F(S3UsersTest, PresignedRequestsAreTheirSigners) {
  as("alice");
  call("PUT", "/theirs");
  call("PUT", "/theirs/k", "body");
  const auto presigned = [&](const std::string& target) {
    http::RequestHead head;
    head.headers.set("Host", "drumlin.test");
    const std::vector<auth::HeaderView> named = {{"Host", "drumlin.test"}};
    head.target = auth::presign({"GET", target, named}, keys, region, now(), 60);
    return send(head, "");
  };
  EXPECT_EQ(presigned("/theirs/k").body, "body");
  as("bob");
  EXPECT_EQ(brief(presigned("/theirs/k")), "403 AccessDenied");
}

TEST_F(S3UsersTest, TheLogNamesTheUserAndNoSecret) {
  as("alice");
  call("GET", "/");
  bool named = false;
  for (const std::string& line : lines) {
    named = named || line.find("\"user\":\"alice\"") != std::string::npos;
    EXPECT_EQ(line.find("secret of"), std::string::npos) << line;
  }
  EXPECT_TRUE(named);
}

}  // namespace
}  // namespace drumlin::s3::test
