// The configuration: what a node refuses to start with, in words for its operator, and what makes a
// cluster one.
#include "node/config.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/node/configs.h"
#include "tests/support/bytes.h"

namespace drumlin::node::test {
namespace {

struct Refused {
  std::function<void(Config&)> change;
  const char* message;
};

TEST(ConfigValidate, DefaultsWithKeysAreGood) {
  Config config = single();
  ASSERT_TRUE(config.validate().ok());
  ASSERT_EQ(config.members.size(), 1u);
  EXPECT_EQ(config.self().id, NodeId(1));
  EXPECT_EQ(config.self().peer, (Endpoint{"127.0.0.1", 9002}));
  EXPECT_EQ(config.self().s3, (Endpoint{"127.0.0.1", 9000}));
  EXPECT_EQ(config.self().api, (Endpoint{"127.0.0.1", 9001}));
  EXPECT_EQ(config.replication(), 1u);
}

TEST(ConfigValidate, ReplicationIsThreeOfWhatIsThere) {
  for (const size_t nodes : {1u, 2u, 3u, 4u, 5u}) {
    EXPECT_EQ(cluster(nodes).replication(), std::min<size_t>(3, nodes));
  }
}

TEST(ConfigValidate, MembersAreSorted) {
  Config config = cluster(3);
  std::swap(config.members[0], config.members[2]);
  ASSERT_TRUE(config.validate().ok());
  EXPECT_EQ(config.members[0].id, NodeId(1));
  EXPECT_EQ(config.members[2].id, NodeId(3));
}

void expect_refused(const std::vector<Refused>& cases) {
  for (const Refused& refused : cases) {
    Config config = cluster(3);
    refused.change(config);
    const Status status = config.validate();
    EXPECT_TRUE(status.is(Code::kInvalidArgument)) << refused.message;
    EXPECT_NE(status.message().find(refused.message), std::string::npos) << status.message();
  }
}

TEST(ConfigValidate, SaysWhatIsWrong) {
  expect_refused({
      {[](Config& c) { c.id = NodeId(); }, "node.id must be 1 or more"},
      {[](Config& c) { c.members[1].id = NodeId(); }, "cluster.nodes: id must be 1 or more"},
      {[](Config& c) { c.members[1].id = NodeId(uint64_t{1} << 32); },
       "cluster.nodes: id is too large"},
      {[](Config& c) { c.members[2].id = NodeId(2); }, "cluster.nodes: id 2 appears twice"},
      {[](Config& c) { c.id = NodeId(9); }, "cluster.nodes does not name this node (node.id = 9)"},
      {[](Config& c) { c.tls_certificate = "/cert"; }, "not at all; tls.key is missing"},
      {[](Config& c) { c.tls_key = "/key"; }, "not at all; tls.certificate is missing"},
      {[](Config& c) { c.shards = 0; }, "cluster.shards must be 1..65536"},
      {[](Config& c) { c.shards = 65537; }, "cluster.shards must be 1..65536"},
      {[](Config& c) {
         c.listen = "0.0.0.0";
         c.cluster_secret = "";
       },
       "cluster.secret is needed"},
      {[](Config& c) { c.access_key = ""; }, "auth.access_key and auth.secret_key must be set"},
      {[](Config& c) { c.secret_key = ""; }, "auth.access_key and auth.secret_key must be set"},
      {[](Config& c) { c.access_key = "a:b"; }, "auth.access_key must not contain a colon"},
      {[](Config& c) { c.secret_key = "1234567"; },
       "auth.secret_key must have at least 8 characters"},
      {[](Config& c) { c.api_port = c.s3_port; }, "ports.s3, ports.api and ports.peer must differ"},
      {[](Config& c) { c.peer_port = c.s3_port; },
       "ports.s3, ports.api and ports.peer must differ"},
      {[](Config& c) { c.peer_port = c.api_port; },
       "ports.s3, ports.api and ports.peer must differ"},
      {[](Config& c) { c.kv_engine = "leveldb"; }, "not \"leveldb\""},
      {[](Config& c) { c.wal_segment_bytes = 0; }, "storage.wal_segment_bytes must be 1.."},
      {[](Config& c) { c.wal_max_bytes = c.wal_retain_bytes - 1; },
       "storage.wal_max_bytes must be at least storage.wal_retain_bytes (134217728), not "
       "134217727"},
      {[](Config& c) { c.wal_segment_bytes = (uint64_t{1} << 31) + 1; },
       "storage.wal_segment_bytes must be 1..2147483648 (2 GiB), not 2147483649"},
      {[](Config& c) { c.limits.append_bytes = 0; }, "limits.append_bytes must be 1.."},
      {[](Config& c) { c.limits.append_bytes = (32u << 20) + 1; },
       "limits.append_bytes must be 1..33554432 (32 MiB"},
      {[](Config& c) { c.limits.wal_queue_bytes = (16u << 10) - 1; },
       "limits.wal_queue_bytes must be at least 16384 (16 KiB), not 16383"},
      {[](Config& c) { c.limits.uncommitted_bytes = 0; },
       "limits.uncommitted_bytes must be 1..268435456 (256 MiB), not 0"},
      {[](Config& c) { c.limits.uncommitted_bytes = (256u << 20) + 1; },
       "limits.uncommitted_bytes must be 1..268435456 (256 MiB), not 268435457"},
      {[](Config& c) { c.limits.uncommitted_bytes_total = (64u << 20) - 1; },
       "limits.uncommitted_bytes_total must be at least limits.uncommitted_bytes (67108864)"},
      {[](Config& c) { c.limits.append_inflight_bytes = 0; },
       "limits.append_inflight_bytes must be 1 or more"},
      {[](Config& c) { c.limits.append_inflight_messages = 0; },
       "limits.append_inflight_messages must be 1 or more"},
      {[](Config& c) { c.limits.head_bytes = 100; }, "limits.head_bytes must be 4096..1048576"},
      {[](Config& c) { c.limits.head_bytes = 2u << 20; },
       "limits.head_bytes must be 4096..1048576"},
      {[](Config& c) { c.limits.max_headers = 3; }, "limits.max_headers must be 16 or more"},
      {[](Config& c) { c.limits.head_timeout = 0s; }, "limits.head_timeout_ms must be 100 or more"},
      {[](Config& c) { c.limits.idle_timeout = 1ms; },
       "limits.idle_timeout_ms must be 100 or more"},
      {[](Config& c) { c.limits.stall_timeout = 0s; },
       "limits.stall_timeout_ms must be 100 or more"},
      {[](Config& c) { c.limits.peer_queue_bytes = 1; },
       "limits.peer_queue_bytes must be at least"},
      {[](Config& c) { c.limits.peer_requests = 0; },
       "limits.peer_requests must be 1..65536, not 0"},
      {[](Config& c) { c.limits.peer_requests = 65537; },
       "limits.peer_requests must be 1..65536, not 65537"},
      {[](Config& c) { c.limits.peer_request_bytes = (64u << 20) - 1; },
       "limits.peer_request_bytes must be at least 67108864 (64 MiB, the largest frame)"},
      {[](Config& c) { c.limits.max_requests = 0; }, "limits.max_requests must be 1 or more"},
      {[](Config& c) { c.limits.max_connections = 0; }, "limits.max_connections must be 1 or more"},
      {[](Config& c) { c.limits.body_bytes_in_flight = (8u << 20) - 1; },
       "limits.body_bytes_in_flight must be at least 8388608 (8 MiB, one object), not 8388607"},
      {[](Config& c) { c.log_level = "loud"; }, "not \"loud\""},
      {[](Config& c) { c.timers.tick = 0ms; }, "timers: "},
      {[](Config& c) { c.timers.heartbeat_ticks = 0; }, "timers: "},
      {[](Config& c) { c.timers.election_ticks_min = 2; }, "timers: "},
      {[](Config& c) { c.timers.election_ticks_max = 7; }, "timers: "},
  });
  EXPECT_TRUE(cluster(64).validate().ok());
  EXPECT_FALSE(cluster(65).validate().ok());
}

TEST(ConfigValidate, RefusesLimitsThatLeaveNothing) {
  expect_refused(
      {{[](Config& c) { c.limits.body_bytes_per_user = (8u << 20) - 1; },
        "limits.body_bytes_per_user must be 0 (half of all) or 8388608 (8 MiB, one object) to "
        "268435456 (limits.body_bytes_in_flight), not 8388607"},
       {[](Config& c) { c.limits.body_bytes_per_user = (256u << 20) + 1; },
        "limits.body_bytes_per_user must be 0"},
       {[](Config& c) { c.limits.remembered_buckets = 0; },
        "limits.remembered_buckets must be 1 or more"},
       {[](Config& c) { c.limits.peer_reply_bytes = 0; },
        "limits.peer_reply_bytes must be 1 or more"},
       {[](Config& c) { c.limits.peer_small_replies = 0; },
        "limits.peer_small_replies must be 1 or more"},
       {[](Config& c) { c.limits.peer_handshakes = 0; },
        "limits.peer_handshakes must be 1 or more"},
       {[](Config& c) { c.limits.peer_handshakes = 65537; },
        "limits.peer_handshakes must be at most 65536, not 65537"},
       {[](Config& c) { c.limits.refused_connections = 65537; },
        "limits.refused_connections must be at most 65536"},
       {[](Config& c) { c.limits.peer_hello_timeout = 99ms; },
        "limits.peer_hello_timeout_ms must be 100 or more"},
       {[](Config& c) { c.limits.peer_handshake_timeout = 1999ms; },
        "limits.peer_handshake_timeout_ms must be at least limits.peer_hello_timeout_ms (2000), "
        "not "
        "1999"}});
}

TEST(ConfigValidate, SizesAtTheirBoundsAreGood) {
  Config config = cluster(3);
  config.wal_segment_bytes = uint64_t{1} << 31;
  config.limits.append_bytes = 32u << 20;
  config.limits.body_bytes_in_flight = 8u << 20;
  config.limits.wal_queue_bytes = 16u << 10;
  config.limits.uncommitted_bytes = config.limits.uncommitted_bytes_total = 256u << 20;
  config.limits.append_inflight_bytes = config.limits.append_inflight_messages = 1;
  const Status status = config.validate();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST(ConfigValidate, AUsersShareOfBodiesIsHalfOfThemUnlessItIsSet) {
  Config config = cluster(3);
  EXPECT_EQ(config.limits.user_body_bytes(), 128u << 20);
  config.limits.body_bytes_in_flight = 12u << 20;
  EXPECT_EQ(config.limits.user_body_bytes(), 8u << 20) << "one object must fit";
  EXPECT_TRUE(config.validate().ok());
  config.limits.body_bytes_per_user = 10u << 20;
  EXPECT_EQ(config.limits.user_body_bytes(), 10u << 20);
  EXPECT_TRUE(config.validate().ok());
}

TEST(ConfigValidate, WithoutASecretPeersBindToLoopbackOnly) {
  for (const auto& [listen, good] : {std::pair{"127.0.0.1", true},
                                     {"127.8.8.8", true},
                                     {"::1", true},
                                     {"0.0.0.0", false},
                                     {"10.0.0.1", false},
                                     {"::", false}}) {
    Config config = cluster(3);
    config.listen = listen;
    config.cluster_secret = "";
    EXPECT_EQ(config.validate().ok(), good) << listen;
    config.cluster_secret = "secret";
    EXPECT_TRUE(config.validate().ok()) << listen;
  }
}

TEST(ClusterId, IsThatOfNameSecretShardsAndIds) {
  const rpc::ClusterId id = cluster(3).cluster_id();
  EXPECT_EQ(cluster(3).cluster_id(), id);
  std::set<rpc::ClusterId> seen{id};
  const std::function<void(Config&)> changes[] = {
      [](Config& c) { c.cluster_name = "other"; }, [](Config& c) { c.cluster_secret = "other"; },
      [](Config& c) { c.cluster_secret = ""; },    [](Config& c) { c.shards = 128; },
      [](Config& c) { c.members.pop_back(); },     [](Config& c) { c.members[2].id = NodeId(4); }};
  for (const auto& change : changes) {
    Config config = cluster(3);
    change(config);
    EXPECT_TRUE(seen.insert(config.cluster_id()).second);
  }
  const std::function<void(Config&)> equal[] = {
      [](Config& c) { c.id = NodeId(2); }, [](Config& c) { c.members[1].peer.port = 1; },
      [](Config& c) { c.listen = "127.0.0.2"; }, [](Config& c) { c.kv_engine = "memory"; },
      [](Config& c) { c.secret_key = "another key"; }};
  for (const auto& change : equal) {
    Config config = cluster(3);
    change(config);
    EXPECT_EQ(config.cluster_id(), id) << "nodes may differ in it";
  }
}

// Stored in superblocks: a change splits clusters at their next start.
TEST(ClusterId, Golden) {
  // HMAC-SHA256("secret", lengths and bytes of the label and the name, shards, ids), cut to 16
  // bytes.
  EXPECT_EQ(hex(cluster(3).cluster_id()), "12cc3611b575b7b8dbc4e93b8d65eefa");
}

}  // namespace
}  // namespace drumlin::node::test
