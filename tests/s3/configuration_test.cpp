// What is answered about things that nobody has configured.
#include "tests/s3/harness.h"

namespace drumlin::s3::test {
namespace {

class ConfigurationTest : public S3Test {
 public:
  ConfigurationTest() {
    call("PUT", "/bucket");
    call("PUT", "/bucket/key", "x");
  }
  std::string get(const std::string& target) { return brief(call("GET", target)); }
};

TEST_F(ConfigurationTest, WhatABucketHasNot) {
  const std::pair<const char*, const char*> missing[] = {
      {"policy", "NoSuchBucketPolicy"},
      {"policyStatus", "NoSuchBucketPolicy"},
      {"cors", "NoSuchCORSConfiguration"},
      {"tagging", "NoSuchTagSet"},
      {"lifecycle", "NoSuchLifecycleConfiguration"},
      {"website", "NoSuchWebsiteConfiguration"},
      {"encryption", "ServerSideEncryptionConfigurationNotFoundError"},
      {"replication", "ReplicationConfigurationNotFoundError"},
      {"object-lock", "ObjectLockConfigurationNotFoundError"},
      {"publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"},
  };
  for (const auto& [name, code] : missing) {
    EXPECT_EQ(get(std::string("/bucket?") + name), std::string("404 ") + code);
    EXPECT_EQ(get(std::string("/nothing?") + name), "404 NoSuchBucket") << name;
  }
  EXPECT_EQ(element(call("GET", "/bucket?policy").body, "Message"),
            "The bucket policy does not exist");
}

TEST_F(ConfigurationTest, WhatIsEmptyOrAsItIsForAll) {
  for (const char* name :
       {"versioning", "logging", "notification", "accelerate", "requestPayment",
        "ownershipControls", "inventory", "analytics", "metrics", "intelligent-tiering", "acl"}) {
    EXPECT_EQ(get(std::string("/bucket?") + name), "200") << name;
  }
  EXPECT_NE(call("GET", "/bucket?versioning")
                .body.find("<VersioningConfiguration "
                           "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"),
            std::string::npos);
  EXPECT_EQ(element(call("GET", "/bucket?requestPayment").body, "Payer"), "BucketOwner");
  EXPECT_EQ(element(call("GET", "/bucket?ownershipControls").body, "ObjectOwnership"),
            "BucketOwnerEnforced");
  EXPECT_EQ(get("/bucket?inventory&id=daily"), "404 NoSuchConfiguration");
}

TEST_F(ConfigurationTest, EverythingIsTheOwners) {
  for (const char* target : {"/bucket?acl", "/bucket/key?acl"}) {
    const std::string xml = call("GET", target).body;
    EXPECT_EQ(element(xml, "Permission"), "FULL_CONTROL");
    EXPECT_EQ(elements(xml, "ID").size(), 2u);
    EXPECT_NE(xml.find("xsi:type=\"CanonicalUser\""), std::string::npos);
  }
}

TEST_F(ConfigurationTest, OfObjects) {
  EXPECT_NE(call("GET", "/bucket/key?tagging").body.find("<TagSet"), std::string::npos);
  EXPECT_EQ(get("/bucket/key?retention"), "400 InvalidRequest");
  EXPECT_EQ(get("/bucket/key?legal-hold"), "400 InvalidRequest");
  EXPECT_EQ(get("/bucket/none?acl"), "404 NoSuchKey");
  EXPECT_EQ(get("/nothing/key?tagging"), "404 NoSuchBucket");
}

TEST_F(ConfigurationTest, RemovingWhatIsNotSet) {
  for (const char* name : {"policy", "cors", "tagging", "lifecycle", "website", "encryption",
                           "replication", "publicAccessBlock"}) {
    EXPECT_EQ(brief(call("DELETE", std::string("/bucket?") + name)), "204") << name;
  }
  EXPECT_EQ(brief(call("DELETE", "/bucket/key?tagging")), "204");
  EXPECT_EQ(call("GET", "/bucket/key").body, "x") << "the object itself stays";
  EXPECT_EQ(brief(call("DELETE", "/nothing?policy")), "404 NoSuchBucket");
  EXPECT_EQ(brief(call("DELETE", "/bucket?versioning")), "501 NotImplemented");
}

}  // namespace
}  // namespace drumlin::s3::test
