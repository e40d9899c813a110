// server: the configuration from file, environment and flags.
#include "server/config_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace drumlin::server {
namespace {

std::string refusal(std::string_view text) {
  Settings settings;
  const Status status = apply_toml(text, "drumlin.toml", settings);
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << text;
  return status.message();
}

TEST(ConfigFile, ReadsEverySection) {
  Settings settings;
  const Status status = apply_toml(R"(
[node]
id = 2
data = "/var/lib/drumlin"
listen = "10.1.2.3"
region = "eu-north-1"
[ports]
s3 = 9100
api = 9101
peer = 9102
[cluster]
name = "hill"
secret = "s3cret"
shards = 16
nodes = [
  {id = 1, peer = "10.1.2.2:9102"},
  {id = 2, peer = "10.1.2.3:9102", s3 = "10.1.2.3:9100", api = "[::1]:9101"},
]
[tls]
certificate = "/etc/cert.pem"
key = "/etc/key.pem"
[auth]
access_key = "access"
secret_key = "longenough"
[storage]
kv = "memory"
wal_segment_bytes = 1048576
[limits]
request_timeout_ms = 2500
[timers]
tick_ms = 20
election_ticks_min = 10
[log]
level = "debug"
)",
                                   "drumlin.toml", settings);
  ASSERT_TRUE(status.ok()) << status.message();
  const node::Config& config = settings.config;
  EXPECT_EQ(config.id, NodeId(2));
  EXPECT_EQ(settings.data_dir, "/var/lib/drumlin");
  EXPECT_EQ(config.listen, "10.1.2.3");
  EXPECT_EQ(config.region, "eu-north-1");
  EXPECT_EQ(config.s3_port, 9100);
  EXPECT_EQ(config.api_port, 9101);
  EXPECT_EQ(config.peer_port, 9102);
  EXPECT_EQ(config.cluster_name, "hill");
  EXPECT_EQ(config.cluster_secret, "s3cret");
  EXPECT_EQ(config.shards, 16u);
  EXPECT_EQ(config.tls_certificate, "/etc/cert.pem");
  EXPECT_EQ(config.tls_key, "/etc/key.pem");
  EXPECT_EQ(config.access_key, "access");
  EXPECT_EQ(config.secret_key, "longenough");
  EXPECT_EQ(config.kv_engine, "memory");
  EXPECT_EQ(config.wal_segment_bytes, 1048576u);
  EXPECT_EQ(config.limits.request_timeout, 2500ms);
  EXPECT_EQ(config.timers.tick, 20ms);
  EXPECT_EQ(config.timers.election_ticks_min, 10u);
  EXPECT_EQ(config.log_level, "debug");
  ASSERT_EQ(config.members.size(), 2u);
  EXPECT_EQ(config.members[0].id, NodeId(1));
  EXPECT_EQ(config.members[0].peer, (Endpoint{"10.1.2.2", 9102}));
  EXPECT_EQ(config.members[0].s3, Endpoint());
  EXPECT_EQ(config.members[1].api, (Endpoint{"::1", 9101}));
}

TEST(ConfigFile, KeepsWhatIsNotNamed) {
  Settings settings;
  ASSERT_TRUE(apply_toml("", "drumlin.toml", settings).ok());
  ASSERT_TRUE(apply_toml("[ports]\ns3 = 9100\n", "drumlin.toml", settings).ok());
  EXPECT_EQ(settings.config.s3_port, 9100);
  EXPECT_EQ(settings.config.api_port, node::Config().api_port);
  EXPECT_EQ(settings.data_dir, Settings().data_dir);
}

TEST(ConfigFile, NodesAsTables) {
  Settings settings;
  const Status status = apply_toml(
      "[[cluster.nodes]]\nid = 7\npeer = \"127.0.0.1:1\"\n"
      "[[cluster.nodes]]\nid = 8\npeer = \"127.0.0.1:2\"\n",
      "drumlin.toml", settings);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(settings.config.members.size(), 2u);
  EXPECT_EQ(settings.config.members[1].id, NodeId(8));
}

TEST(ConfigFile, NamesWhatItDoesNotKnowWithFileAndLine) {
  EXPECT_EQ(refusal("[ports]\ns3 = 1\nhttps = 2\n"),
            "drumlin.toml:3: unknown setting \"ports.https\"");
  EXPECT_EQ(refusal("\n[lgo]\nlevel = \"info\"\n"), "drumlin.toml:2: unknown section \"lgo\"");
  EXPECT_EQ(refusal("[lgo]\n"), "drumlin.toml:1: unknown section \"lgo\"")
      << "empty, but a mistake";
  EXPECT_EQ(refusal("[node]\n[node.deep]\nx = 1\n"),
            "drumlin.toml:2: unknown section \"node.deep\"");
  EXPECT_EQ(refusal("\nid = 1\n"), "drumlin.toml:2: \"id\" belongs into a [section]");
  EXPECT_EQ(refusal("[cluster]\nnodes = [{id = 1, peer = \"127.0.0.1:1\", pear = 2}]\n"),
            "drumlin.toml:2: cluster.nodes: unknown key \"pear\"");
}

TEST(ConfigFile, NamesBadValuesWithFileAndLine) {
  EXPECT_EQ(refusal("[ports]\ns3 = 65536\n"),
            "drumlin.toml:2: ports.s3: \"65536\" is not a number in range");
  EXPECT_EQ(refusal("[ports]\ns3 = -1\n"),
            "drumlin.toml:2: ports.s3: \"-1\" is not a number in range");
  EXPECT_EQ(refusal("[ports]\ns3 = true\n"),
            "drumlin.toml:2: ports.s3: \"true\" is not a number in range");
  EXPECT_EQ(refusal("[node]\nregion = 2026-01-01\n"),
            "drumlin.toml:2: node.region: must be one text or number");
  EXPECT_EQ(refusal("[node]\nlisten = [\"a\"]\n"),
            "drumlin.toml:2: node.listen: must be one text or number");
  EXPECT_EQ(refusal("[cluster]\nnodes = 3\n"),
            "drumlin.toml:2: cluster.nodes: must be a list of tables");
  EXPECT_EQ(refusal("[cluster]\nnodes = [{id = 0, peer = \"127.0.0.1:1\"}]\n"),
            "drumlin.toml:2: cluster.nodes: every node needs an id of 1 or more");
  EXPECT_EQ(refusal("[cluster]\nnodes = [{id = 1}]\n"),
            "drumlin.toml:2: cluster.nodes: every node needs \"peer\"");
  EXPECT_EQ(refusal("[cluster]\nnodes = [{id = 1, peer = \"nowhere\"}]\n"),
            "drumlin.toml:2: not an address HOST:PORT: nowhere");
  EXPECT_TRUE(refusal("[node]\nid = \n").starts_with("drumlin.toml:2: ")) << "no TOML at all";
  EXPECT_TRUE(refusal("[node\n").starts_with("drumlin.toml:1: "));
}

TEST(ConfigFile, Environment) {
  Settings settings;
  ASSERT_TRUE(apply_toml("[ports]\ns3 = 9100\napi = 9200\n", "drumlin.toml", settings).ok());
  std::vector<std::string> unknown;
  const Status status = apply_environment({{"DRUMLIN_PORTS_S3", "9300"},
                                           {"DRUMLIN_LIMITS_REQUEST_TIMEOUT_MS", "7"},
                                           {"DRUMLIN_NODE_DATA", "/data"},
                                           {"DRUM", "roll"},
                                           {"PATH", "/bin"}},
                                          settings, unknown);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(settings.config.s3_port, 9300) << "the environment wins";
  EXPECT_EQ(settings.config.api_port, 9200);
  EXPECT_EQ(settings.config.limits.request_timeout, 7ms);
  EXPECT_EQ(settings.data_dir, "/data");

  EXPECT_TRUE(unknown.empty());
  EXPECT_EQ(apply_environment({{"DRUMLIN_PORTS_S3", "x"}}, settings, unknown).message(),
            "DRUMLIN_PORTS_S3: \"x\" is not a number in range");
}

// What Kubernetes sets beside a service called drumlin, and a misspelt setting.
TEST(ConfigFile, NamesVariablesThatAreNoSettingAndGoesOn) {
  Settings settings;
  std::vector<std::string> unknown;
  const Status status = apply_environment({{"DRUMLIN_PORT", "tcp://10.0.0.1:9000"},
                                           {"DRUMLIN_PORT_S3", "1"},
                                           {"DRUMLIN_PORTS_S3", "9300"},
                                           {"DRUMLIN_SERVICE_HOST", "10.0.0.1"}},
                                          settings, unknown);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(unknown,
            (std::vector<std::string>{"DRUMLIN_PORT", "DRUMLIN_PORT_S3", "DRUMLIN_SERVICE_HOST"}));
  EXPECT_EQ(settings.config.s3_port, 9300) << "the others still count";
}

TEST(ConfigFile, Flags) {
  Settings settings;
  EXPECT_TRUE(apply_setting("auth.secret_key", "a=b,c", settings).ok());
  EXPECT_EQ(settings.config.secret_key, "a=b,c");
  EXPECT_EQ(apply_setting("auth.secret", "x", settings).to_string(),
            "invalid_argument: unknown setting \"auth.secret\"");
  EXPECT_EQ(apply_setting("cluster.shards", "", settings).to_string(),
            "invalid_argument: cluster.shards: \"\" is not a number in range");
  EXPECT_EQ(settings.config.shards, node::Config().shards) << "untouched";
}

TEST(ConfigFile, DescribesEverythingButSecrets) {
  Settings settings;
  settings.config.cluster_secret = "hidden-one";
  settings.config.secret_key = "hidden-two";
  const auto described = describe(settings);
  EXPECT_EQ(described.at("ports.s3"), "9000");
  EXPECT_EQ(described.at("node.id"), "1");
  EXPECT_EQ(described.at("node.listen"), "\"127.0.0.1\"");
  EXPECT_EQ(described.at("timers.tick_ms"), "50");
  EXPECT_EQ(described.count("auth.secret_key"), 1u);
  EXPECT_EQ(described.count("cluster.secret"), 1u);
  for (const auto& [name, value] : described) {
    EXPECT_EQ(value.find("hidden"), std::string::npos) << name;
    EXPECT_NE(value, "") << name;
  }
}

TEST(ConfigFile, WhatItDescribesItTakes) {
  Settings odd;
  odd.config.region = "\"quoted\" \\ and\nbroken\x01";
  const auto described = describe(odd);
  Settings settings;
  std::string text;
  for (const auto& [name, value] : described) {
    if (value == "\"...\"") continue;
    const size_t dot = name.find('.');
    text += "[" + name.substr(0, dot) + "]\n" + name.substr(dot + 1) + " = " + value + "\n";
    const Status status = apply_toml(text, "drumlin.toml", settings);
    EXPECT_TRUE(status.ok()) << status.message();
    text.clear();
  }
  EXPECT_EQ(describe(settings), described);
}

}  // namespace
}  // namespace drumlin::server
