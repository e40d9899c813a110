// What many clients at once may take of a node: memory for bodies, and turns.
#include <algorithm>
#include <functional>

#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

class BoundsTest : public S3Test {
 public:
  BoundsTest() { call("PUT", "/bucket"); }
  http::RequestHead get(std::string target) {
    http::RequestHead head;
    head.target = std::move(target);
    sign(head, auth::kUnsignedPayloadText);
    return head;
  }
  // The same request by each of so many clients, all at the same time. Each is answered.
  void at_once(int clients, const http::RequestHead& head,
               const std::function<void(const Answer&)>& answered) {
    WaitGroup asking(world.scheduler(), world.clock());
    world.run([&] {
      for (int i = 0; i < clients; ++i) {
        asking.add();
        world.spawn("client", [&] {
          http::Client client(world, kHere);
          const auto got = client.request(head, "", kNever, 2 << 20);
          EXPECT_TRUE(got.ok()) << got.status().to_string();
          if (got.ok()) answered(*got);
          asking.done();
        });
      }
      (void)asking.wait();
    });
  }
};

// Each client is given memory before the store is asked for the bytes, and none is turned away while
// the others take theirs.
TEST_F(BoundsTest, ManyReadsOfLargeBodiesShareTheMemory) {
  const std::string body(kMaxBody, 'b');
  ASSERT_EQ(brief(call("PUT", "/bucket/large", body)), "200");
  uint64_t running = 0;
  uint64_t most = 0;
  store.on_get = [&](uint64_t max_body) {
    running += max_body;
    most = std::max(most, running);
    EXPECT_TRUE(world.sleep_for(10ms).ok());
    running -= max_body;
  };
  at_once(40, get("/bucket/large"), [&](const Answer& got) {
    EXPECT_EQ(got.head.status, 200);
    EXPECT_TRUE(got.body == body);
  });
  EXPECT_LE(most, 4 * kMaxBody);
  EXPECT_GE(most, 4 * kMaxBody - (256 << 10)) << "and they do not wait for each other needlessly";
}

TEST_F(BoundsTest, SmallBodiesComeAtTheFirstAsking) {
  call("PUT", "/bucket/small", std::string(1000, 's'));
  call("PUT", "/bucket/large", std::string(kMaxBody, 'l'));
  std::vector<uint64_t> asked;
  store.on_get = [&](uint64_t max_body) { asked.push_back(max_body); };
  EXPECT_EQ(call("GET", "/bucket/small").body.size(), 1000u);
  EXPECT_EQ(asked.size(), 1u);
  asked.clear();
  http::Headers part;
  part.append("Range", "bytes=-300000");
  EXPECT_EQ(call("GET", "/bucket/large", "", part).body, std::string(300000, 'l'));
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1], 300000u);
  asked.clear();
  http::Headers other;
  other.append("If-Match", "\"other\"");
  EXPECT_EQ(brief(call("GET", "/bucket/large", "", other)), "412 PreconditionFailed");
  EXPECT_EQ(asked.size(), 1u) << "no bytes are needed to say so";
}

// Whoever replaces it with a larger one between two askings cannot have more brought than there is
// memory for, nor keep the reader at it for ever.
TEST_F(BoundsTest, AnObjectThatGrowsIsAskedForAgain) {
  int askings = 0;
  int growths = 2;
  const auto grow = [&](uint64_t) {
    if (askings++ >= growths) return;
    const auto size = static_cast<size_t>(300000 + askings);
    (void)store.put_object("bucket", "k", {}, Blob(std::string(size, 'x')), {},
                           router::Call::of_root(kNever));
  };
  call("PUT", "/bucket/k", "x");
  store.on_get = grow;
  EXPECT_EQ(call("GET", "/bucket/k").body.size(), 300002u);
  EXPECT_EQ(askings, 3);
  askings = 0;
  growths = 100;
  EXPECT_EQ(brief(call("GET", "/bucket/k")), "503 SlowDown");
  EXPECT_EQ(askings, 4);
  store.on_get = nullptr;
  EXPECT_EQ(call("PUT", "/bucket/all", std::string(kMaxBody, 'a')).head.status, 200);
}

TEST_F(BoundsTest, NoMoreRequestsThanTurns) {
  call("PUT", "/bucket/k", "x");
  int running = 0;
  int most = 0;
  store.on_get = [&](uint64_t) {
    most = std::max(most, ++running);
    EXPECT_TRUE(world.sleep_for(3s).ok());
    --running;
  };
  int served = 0;
  int refused = 0;
  http::RequestHead head;
  head.method = "HEAD";  // which takes no memory
  head.target = "/bucket/k";
  sign(head, auth::kUnsignedPayloadText);
  at_once(kMaxRequests + 5, head, [&](const Answer& got) {
    if (got.head.status == 200) ++served;
    if (got.head.status == 503) {
      EXPECT_EQ(got.head.headers.get("Retry-After"), "1");
      ++refused;
    }
  });
  EXPECT_EQ(most, kMaxRequests);
  EXPECT_EQ(served, kMaxRequests);
  EXPECT_EQ(refused, 5);
  store.on_get = nullptr;
  EXPECT_EQ(brief(call("GET", "/bucket/k")), "200");
}

// A page is memory as bodies are: 2 KiB a key, until it has been sent.
TEST_F(BoundsTest, ListingsShareTheMemoryOfBodies) {
  call("PUT", "/bucket/k", "x");
  size_t running = 0;
  size_t most = 0;
  store.on_list = [&](size_t) {
    most = std::max(most, ++running);
    EXPECT_TRUE(world.sleep_for(10ms).ok());
    --running;
  };
  const auto lists = [&](const std::string& target) {
    most = 0;
    at_once(12, get(target), [&](const Answer& got) { EXPECT_EQ(element(got.body, "Key"), "k"); });
    return most;
  };
  EXPECT_EQ(lists("/bucket?list-type=2"), 2u) << "4 MiB, 1,000 keys each";
  EXPECT_EQ(lists("/bucket?list-type=2&max-keys=100"), 12u);
}

TEST_F(BoundsTest, ConnectionsOverTheLimitAreToldToComeAgain) {
  std::string answer;
  world.run([&] {
    std::vector<std::unique_ptr<Stream>> crowd;
    for (size_t i = 0; i <= kMaxConnections; ++i)
      crowd.push_back(*world.connect(kHere, kNever));
    answer = read_all(*crowd.back(), world.clock());
  });
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("\r\nRetry-After: 1\r\n"), std::string::npos) << answer;
  EXPECT_EQ(element(answer, "Code"), "SlowDown");
}

}  // namespace
}  // namespace drumlin::s3::test
