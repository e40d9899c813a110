// tls::Context: what it takes for a certificate and a key, and how it says what is wrong.
#include "tls/context.h"

#include "tests/tls/fixture.h"

namespace drumlin::tls::test {
namespace {

class ContextTest : public ::testing::Test {
 public:
  std::string refusal(const std::string& certificate, const std::string& key) {
    const auto made = Context::server(world, {certificate, "cert.pem"}, {key, "key.pem"});
    EXPECT_EQ(made.code(), Code::kInvalidArgument);
    if (made.ok()) return "accepted";
    EXPECT_EQ(made.status().message().find("PRIVATE"), std::string::npos) << "a key's text";
    EXPECT_EQ(made.status().message().find("BEGIN"), std::string::npos) << "a file's text";
    return made.status().message();
  }

  World world;
  const Issued& good = issued("P-256");
};

TEST_F(ContextTest, DescribesTheCertificate) {
  const Issued from = issue({.name = "storage",
                             .names = "DNS:s3.example.com,IP:10.0.0.1,IP:::1,email:a@example.com",
                             .from = 86400,
                             .to = 31 * 86400 + 5});
  const Certificate got = server_context(world, from)->certificate();
  EXPECT_EQ(got.subject, "CN=storage");
  EXPECT_EQ(got.key, "EC 256");
  EXPECT_EQ(got.names, (std::vector<std::string>{"s3.example.com", "10.0.0.1", "0:0:0:0:0:0:0:1"}));
  EXPECT_EQ(got.not_before, WallTime(24h));
  EXPECT_EQ(got.not_after, WallTime(31 * 24h + 5s));
  EXPECT_EQ(got.trouble(WallTime(23h)), "is good only from 1970-01-02");
  EXPECT_EQ(got.trouble(WallTime(24h)), "");
  EXPECT_EQ(got.trouble(WallTime(31 * 24h + 5s)), "");
  EXPECT_EQ(got.trouble(WallTime(31 * 24h + 6s)), "has expired on 1970-02-01");
}

TEST_F(ContextTest, AYearThatNobodyLivesToSee) {
  const Issued from = issue({.to = 250'000'000'000});  // 9892
  EXPECT_EQ(server_context(world, from)->certificate().not_after, WallTime::max());
}

// It serves; and what OpenSSL says of it is not taken for news of somebody else.
TEST_F(ContextTest, NamesThatCannotBeRead) {
  const Issued from = issue({.names = "DER:0102"});
  EXPECT_TRUE(server_context(world, from)->certificate().names.empty());
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(ContextTest, KeysThatMakeHandshakesCostly) {
  EXPECT_FALSE(server_context(world, issued("P-256"))->heavy());
  EXPECT_FALSE(server_context(world, issued("ED25519"))->heavy());
  EXPECT_TRUE(server_context(world, issued("P-384"))->heavy());
  EXPECT_TRUE(server_context(world, issued("RSA-2048"))->heavy());
}

TEST_F(ContextTest, SaysWhichFileIsWrongAndHow) {
  EXPECT_EQ(refusal("", good.key), "cert.pem: no PEM certificate in it");
  EXPECT_EQ(refusal("no PEM at all", good.key), "cert.pem: no PEM certificate in it");
  EXPECT_EQ(refusal(good.key, good.key), "cert.pem: no PEM certificate in it");
  std::string damaged = good.certificate;
  damaged.replace(60, 8, "????????");
  EXPECT_TRUE(
      refusal(damaged, good.key).starts_with("cert.pem: a certificate in it cannot be read"));
  EXPECT_TRUE(refusal(good.certificate + damaged, good.key).starts_with("cert.pem: a certificate"));
  EXPECT_TRUE(refusal(good.certificate.substr(0, 200), good.key).starts_with("cert.pem: "));

  EXPECT_EQ(refusal(good.certificate, ""), "key.pem: no PEM private key in it");
  EXPECT_EQ(refusal(good.certificate, good.certificate), "key.pem: no PEM private key in it");
  std::string bent = good.key;
  bent.replace(60, 8, "????????");
  EXPECT_EQ(refusal(good.certificate, bent), "key.pem: the private key in it cannot be read");
  EXPECT_EQ(refusal(good.certificate, encrypted_key(good, "pass")),
            "key.pem: the key has a passphrase; it must have none");
  EXPECT_EQ(refusal(good.certificate, issue().key),
            "key.pem: the key does not belong to the first certificate of cert.pem");
  EXPECT_EQ(refusal(issued("RSA-2048").certificate, good.key),
            "key.pem: the key does not belong to the first certificate of cert.pem");
  const Issued weak = issue({.key = "RSA-1024"});
  EXPECT_EQ(refusal(weak.certificate, weak.key),
            "cert.pem: the certificate is refused: ee key too small");
}

TEST_F(ContextTest, AChainInAnyKeyFormat) {
  const Issued root = issue({.name = "root", .names = "", .may_issue = true});
  const Issued middle = issue({.name = "middle", .names = "", .issuer = &root, .may_issue = true});
  const Issued leaf = issue({.name = "leaf", .issuer = &middle});
  Issued chain = leaf;
  chain.certificate += middle.certificate;
  const ContextPtr context = server_context(world, chain);
  EXPECT_EQ(context->certificate().subject, "CN=leaf");
  const std::string reversed = middle.certificate + leaf.certificate;
  EXPECT_EQ(refusal(reversed, leaf.key),
            "key.pem: the key does not belong to the first certificate of cert.pem");
  // A client that knows the root alone follows the chain.
  Pair pair(world, context, client_context(world, root));
  world.spawn("server", [&] { (void)hear(*pair.server); });
  world.run([&] {
    EXPECT_TRUE(pair.client->write_all("x").ok());
    pair.client->shutdown_write();
  });
}

TEST_F(ContextTest, AClientNeedsSomethingToTrust) {
  for (const std::string& text : {std::string(), good.key}) {
    const auto made = Context::client(world, {text, "ca.pem"}, Context::Trust::kIssuer);
    EXPECT_EQ(made.status().to_string(), "invalid_argument: ca.pem: no PEM certificate in it");
  }
}

}  // namespace
}  // namespace drumlin::tls::test
