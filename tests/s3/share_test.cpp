// One user who holds all the memory it can get, and the others.
#include "tests/s3/fake_users.h"
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

// Two bodies for each user, four for all.
struct ShareTest : S3Test {
  ShareTest() {
    Settings settings{kKeys.access_key, kKeys.secret_key, "us-east-1", kMaxBody, 4 * kMaxBody, 10s,
                      kMaxRequests,     2 * kMaxBody};
    handler = std::make_unique<S3Handler>(world, observer(), store, settings, &users);
    as("root");
    call("PUT", "/roots");
    as("bob");
    call("PUT", "/bobs");
    as("alice");
    call("PUT", "/alices");
  }
  void as(const std::string& name) {
    keys = name == "root" ? kKeys : auth::Credentials{"KEY" + name, "secret of " + name};
  }
  http::RequestHead put_head(const std::string& target) {
    http::RequestHead head;
    head.method = "PUT";
    head.target = target;
    sign(head, auth::kUnsignedPayloadText);
    return head;
  }
  // The head of a PUT of the largest body, of which nothing ever comes.
  std::unique_ptr<Stream> announce(const std::string& target) {
    const http::RequestHead head = put_head(target);
    std::string text = "PUT " + target + " HTTP/1.1\r\n";
    for (const http::Header& header : head.headers)
      text += std::string(header.name) + ": " + std::string(header.value) + "\r\n";
    text += "Content-Length: " + std::to_string(kMaxBody) + "\r\n\r\n";
    auto stream = *world.connect(kHere, kNever);
    EXPECT_TRUE(stream->write_all(text).ok());
    EXPECT_TRUE(world.sleep_for(1ms).ok());
    return stream;
  }
  struct Told {
    std::string answer;
    std::string retry_after;
    Duration took{};
  };
  Told put(const std::string& target) {
    const http::RequestHead head = put_head(target);
    const Instant began = world.clock().now();
    http::Client client(world, kHere);
    const auto got = client.request(head, std::string(kMaxBody, 'x'), kNever, 2 << 20);
    EXPECT_TRUE(got.ok()) << got.status().to_string();
    return {brief(*got), std::string(got->head.headers.get("Retry-After")),
            world.clock().now() - began};
  }
  FakeUsers users;
};

TEST_F(ShareTest, OthersGetInWhileOneHoldsItsShare) {
  world.run([&] {
    as("alice");
    std::vector<std::unique_ptr<Stream>> slow;
    slow.push_back(announce("/alices/1"));
    slow.push_back(announce("/alices/2"));
    for (const char* name : {"bob", "root"}) {
      as(name);
      const Told told = put(std::string("/") + name + "s/k");
      EXPECT_EQ(told.answer, "200");
      EXPECT_LT(told.took, 1s);
    }
    as("alice");
    const Told beyond = put("/alices/3");
    EXPECT_EQ(beyond.answer, "503 SlowDown");
    EXPECT_EQ(beyond.retry_after, "1");
    EXPECT_EQ(beyond.took, 10s) << "after the time there is for memory";
    slow.clear();
    EXPECT_EQ(put("/alices/3").answer, "200");
  });
}

// Those that wait for a share stand in nobody's way, readers and listers included.
TEST_F(ShareTest, WhoWaitsForItsShareBlocksNobody) {
  as("bob");
  ASSERT_EQ(brief(call("PUT", "/bobs/k", std::string(kMaxBody, 'k'))), "200");
  world.run([&] {
    as("alice");
    std::vector<std::unique_ptr<Stream>> slow;
    for (int i = 0; i < 20; ++i)
      slow.push_back(announce("/alices/" + std::to_string(i)));
    as("bob");
    for (const char* target : {"/bobs/k", "/bobs?list-type=2"}) {
      http::RequestHead head;
      head.target = target;
      sign(head, auth::kUnsignedPayloadText);
      const Instant began = world.clock().now();
      http::Client client(world, kHere);
      const auto got = client.request(head, "", kNever, 2 << 20);
      ASSERT_TRUE(got.ok()) << got.status().to_string();
      EXPECT_EQ(got->head.status, 200) << target;
      EXPECT_LT(world.clock().now() - began, 1s) << target;
    }
  });
}

// A page of keys is memory, too, and never more than a share.
TEST_F(ShareTest, ListingsAreOfTheShare) {
  world.run([&] {
    as("alice");
    const auto slow = announce("/alices/1");
    const auto list = [&](const std::string& target) {
      http::RequestHead head;
      head.target = target;
      sign(head, auth::kUnsignedPayloadText);
      http::Client client(world, kHere);
      return brief(*client.request(head, "", kNever, 2 << 20));
    };
    EXPECT_EQ(list("/alices?list-type=2"), "503 SlowDown") << "1,000 keys are 2 MiB, and 1 is left";
    EXPECT_EQ(list("/alices?list-type=2&max-keys=100"), "200");
  });
}

}  // namespace
}  // namespace drumlin::s3::test
