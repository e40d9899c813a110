// Principals, and the memory of derived signing keys.
#include <gtest/gtest.h>

#include <set>

#include "auth/principal.h"
#include "auth/sigv4.h"

namespace drumlin::auth {
namespace {

TEST(Principal, RootMayUseAllAndAUserItsOwn) {
  EXPECT_TRUE(Principal{}.is_root());
  EXPECT_EQ(owner_needed(Principal{}), std::nullopt);
  const Principal alice{7, "alice"};
  EXPECT_FALSE(alice.is_root());
  EXPECT_EQ(owner_needed(alice), std::optional<uint64_t>(7));
}

TEST(Principal, CanonicalIdsAreApart) {
  const std::set<std::string> ids = {canonical_user_id(0, "ROOT"), canonical_user_id(0, "OTHER"),
                                     canonical_user_id(1, "ROOT"), canonical_user_id(2, "ROOT")};
  EXPECT_EQ(ids.size(), 4u);
  for (const std::string& id : ids)
    EXPECT_EQ(id.size(), 64u);
  EXPECT_EQ(canonical_user_id(1, "ROOT"), canonical_user_id(1, "OTHER"));
}

TEST(Verifier, TakesTheLookupOfOneRequest) {
  const Verifier verifier{"us-east-1", nullptr};
  const WallTime now{Duration(1'700'000'000'000'000'000)};
  const std::vector<HeaderView> named = {{"host", "h"}};
  const auto verify = [&](const Credentials& signer, const std::string& secret) {
    const Signed made =
        sign({"GET", "/b/k", named}, signer, "us-east-1", now, kUnsignedPayloadText);
    const std::vector<HeaderView> sent = {{"host", "h"},
                                          {"x-amz-date", made.amz_date},
                                          {"x-amz-content-sha256", made.content_sha256},
                                          {"authorization", made.authorization}};
    return std::holds_alternative<Verified>(
        verifier.verify({"GET", "/b/k", sent}, now, single_key({"K", secret})));
  };
  EXPECT_FALSE(verify({"K", "guess"}, "one"));
  EXPECT_FALSE(verify({"unknown", "one"}, "one"));
  EXPECT_EQ(verifier.keys.size(), 0u) << "nobody without the secret takes room";
  EXPECT_TRUE(verify({"K", "one"}, "one"));
  EXPECT_TRUE(verify({"K", "one"}, "one")) << "by memory";
  EXPECT_FALSE(verify({"K", "one"}, "two")) << "a new secret is not the old one";
  EXPECT_TRUE(verify({"K", "two"}, "two"));
}

}  // namespace
}  // namespace drumlin::auth
