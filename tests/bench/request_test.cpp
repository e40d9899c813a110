#include "bench/client/request.h"

#include <gtest/gtest.h>

#include <set>

#include "auth/sigv4.h"
#include "base/digest.h"

namespace drumlin::bench {
namespace {

constexpr WallTime kNow = WallTime(std::chrono::seconds(1'700'000'000));
const auth::Credentials kCredentials{"AKID", "secret"};

RequestMaker maker() {
  return {kCredentials, "us-east-1", "127.0.0.1:9000", kNow};
}

auth::VerifyResult verify(const Prepared& request, WallTime now) {
  const std::vector<std::string_view> lines = auth::split(request.head, '\n');
  const std::vector<std::string_view> words = auth::split(lines[0], ' ');
  std::vector<auth::HeaderView> headers;
  for (size_t i = 1; i + 2 < lines.size(); ++i) {
    const size_t colon = lines[i].find(": ");
    headers.push_back(
        {lines[i].substr(0, colon), lines[i].substr(colon + 2, lines[i].size() - colon - 3)});
  }
  const auth::Verifier verifier{"us-east-1", auth::single_key(kCredentials)};
  return verifier.verify({words[0], words[1], headers}, now);
}

TEST(RequestMaker, SignaturesAreGood) {
  const Keyspace keys("bucket", 3, 100);
  for (const Prepared& put : keys.puts(maker(), Payload::kSigned)) {
    const auth::VerifyResult result = verify(put, kNow + 10min);
    ASSERT_TRUE(std::holds_alternative<auth::Verified>(result));
    EXPECT_EQ(std::get<auth::Verified>(result).payload_sha256, hex(sha256(put.body)));
    EXPECT_NE(put.head.find("Content-Length: 100\r\n"), std::string::npos);
  }
  for (const Prepared& put : keys.puts(maker(), Payload::kUnsigned)) {
    const auth::VerifyResult result = verify(put, kNow);
    ASSERT_TRUE(std::holds_alternative<auth::Verified>(result));
    EXPECT_EQ(std::get<auth::Verified>(result).payload, auth::PayloadKind::kUnsigned);
  }
  EXPECT_TRUE(std::holds_alternative<auth::Verified>(verify(keys.lists(maker())[1], kNow)));
  EXPECT_TRUE(std::holds_alternative<auth::Verified>(verify(keys.create_bucket(maker()), kNow)));
}

TEST(Keyspace, AGetExpectsWhatThePutOfItsKeySent) {
  const Keyspace keys("bucket", 40, 1000);
  const auto puts = keys.puts(maker(), Payload::kUnsigned);
  const auto gets = keys.gets(maker());
  ASSERT_EQ(puts.size(), 40u);
  ASSERT_EQ(gets.size(), 40u);
  std::set<std::string_view> bodies;
  for (size_t i = 0; i < puts.size(); ++i) {
    EXPECT_EQ(puts[i].body, gets[i].expected);
    EXPECT_EQ(puts[i].body.size(), 1000u);
    bodies.insert(puts[i].body);
  }
  EXPECT_EQ(bodies.size(), 16u);
}

TEST(Keyspace, PagesAreFullWhereTheyCanBe) {
  for (const Prepared& page : Keyspace("bucket", 3000, 1).lists(maker())) {
    EXPECT_EQ(page.listed, 1000u);
  }
  for (const Prepared& page : Keyspace("bucket", 30, 1).lists(maker())) {
    EXPECT_EQ(page.listed, 30u);
  }
}

}  // namespace
}  // namespace drumlin::bench
