// A cluster as the router sees it: nodes 2 and 3 answer over rpc, with real state machines that
// both of them share, one log entry a proposal. Node 1, where the router runs, holds no shard. What
// goes wrong is the test's choice. All in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/router.h"
#include "rpc/server.h"
#include "shard/query.h"
#include "tests/support/storage.h"
#include "tests/support/world.h"

namespace drumlin::router::test {

inline constexpr uint32_t kShards = 8;

// All of a bucket on one page.
inline ListRequest whole(std::string bucket) {
  ListRequest out;
  out.bucket = std::move(bucket);
  return out;
}

struct EveryoneIsWelcome final : rpc::Membership {
  Status check_member(NodeId) const override { return {}; }
  Status admit(const rpc::PeerIdentity&) override { return {}; }
  void recorded_by(NodeId) override {}
  void refused_by(NodeId, const Status&) override {}
};

class Cluster {
 public:
  static constexpr uint64_t kEnough = UINT64_MAX;

  explicit Cluster(uint64_t seed = 1)
      : world(seed), services(storage.services(world, world.observer())), local(services, {}, {}) {
    for (uint32_t s = 0; s < kShards; ++s) {
      appliers.push_back(*replica::Applier::open(services, s));
      leaders.push_back(NodeId(2 + s % 2));
      table.replicas.push_back({NodeId(2), NodeId(3)});
    }
    for (const uint64_t id : {2u, 3u})
      nodes.emplace(NodeId(id), std::make_unique<Node>(*this, NodeId(id)));
  }
  ~Cluster() { world.scheduler().kill(world.domain()); }

  // Runs `body` with the nodes up and connected.
  void run(const std::function<void()>& body) {
    world.run([&] {
      for (auto& [id, node] : nodes)
        node->start();
      std::map<NodeId, rpc::Peer*> to;
      for (auto& [id, node] : nodes) {
        peers.push_back(std::make_unique<rpc::Peer>(world, world.observer(), self, members, id,
                                                    node->endpoint, peer_options));
        peers.back()->start();
        to.emplace(id, peers.back().get());
      }
      connected = to;
      ASSERT_TRUE(world.sleep_for(10ms).ok());
      body();
      for (auto& peer : peers)
        peer->stop();
      for (auto& [id, node] : nodes)
        node->server->stop();
    });
  }
  // A deadline, and a call of root's.
  struct In {
    Instant at;
    operator Instant() const { return at; }              // NOLINT(google-explicit-constructor)
    operator Call() const { return Call::of_root(at); }  // NOLINT(google-explicit-constructor)
  };
  In in(Duration d) { return {after(world.clock(), d)}; }
  Call as_user(uint64_t user, Duration d = 5s) { return {in(d), user, user}; }
  // Each with sessions of its own, as on different nodes.
  std::unique_ptr<ShardClient> client() {
    return std::make_unique<ShardClient>(world, world.observer(), next_origin(), table.replicas,
                                         local, connected);
  }
  std::unique_ptr<Router> router() {
    return std::make_unique<Router>(world, world.observer(), next_origin(), table, local,
                                    connected);
  }
  uint64_t last_origin = 100;  // node id of the client made last

  // Set before run().
  rpc::PeerOptions peer_options;
  rpc::ServerOptions server_options;

  // --- what goes wrong ---
  uint64_t budget = kEnough;  // proposals that are still taken; later ones: kUnavailable
  uint64_t lost_replies = 0;  // proposals that are applied and answered with kOutcomeUnknown
  std::string stuck_bucket;   // proposals that hold these bytes: kUnavailable
  std::string replace_reply;  // if not empty: what proposals are answered with
  Status refuse_proposals;    // if not OK: the answer to each
  std::map<uint32_t, Status> refuse_queries;
  bool hints = true;  // not-leaders name the leader
  NodeId false_hint;  // if set: they name this one
  std::function<void(uint32_t shard, const shard::Command&)> before_apply;

  // --- what happened ---
  uint64_t proposals = 0;  // that reached a leader, refused or not
  uint64_t attempts = 0;   // that reached anybody

  std::optional<shard::BucketRecord> record(const std::string& name) {
    const auto reply = ask(0, shard::GetBucket{name});
    return shard::decode_get_bucket_reply(reply).value().record;
  }
  std::string ask(uint32_t shard, const shard::Query& query) {
    replica::QueryRequest request;
    request.query = shard::encode_query(query);
    return appliers[shard]->query(request, kNever).value().reply;
  }
  LogIndex applied(uint32_t shard) const { return appliers[shard]->applied(); }

  drumlin::test::World world;
  drumlin::test::Storage storage;
  replica::Services services;
  replica::ReplicaSet local;
  placement::ShardTable table;
  std::vector<NodeId> leaders;

 private:
  struct Node final : rpc::Handler {
    Node(Cluster& c, NodeId id) : cluster(c), endpoint{"10.0.0." + id.to_string(), 9002} {
      identity.node = id;
    }
    void start() {
      server = std::make_unique<rpc::Server>(
          cluster.world, cluster.world.observer(), identity, cluster.members, *this,
          *cluster.world.listen(endpoint), cluster.server_options);
      server->start();
    }
    void on_message(NodeId, uint8_t, std::string) override {}
    Result<std::string> on_request(NodeId, uint8_t kind, std::string payload) override {
      return kind == replica::kPropose ? cluster.propose(identity.node, payload)
                                       : cluster.query(identity.node, payload);
    }
    Cluster& cluster;
    Endpoint endpoint;
    rpc::Identity identity;
    std::unique_ptr<rpc::Server> server;
  };

  Origin next_origin() { return {NodeId(++last_origin), 1}; }
  Status leads(NodeId node, uint32_t shard) const {
    if (leaders[shard] == node) return {};
    if (false_hint != NodeId()) return replica::not_leader(false_hint);
    return replica::not_leader(hints ? leaders[shard] : NodeId());
  }
  Result<std::string> propose(NodeId node, const std::string& payload) {
    ++attempts;
    DRUMLIN_ASSIGN(const auto request, replica::decode_propose(payload));
    DRUMLIN_TRY(leads(node, request.shard));
    ++proposals;
    DRUMLIN_TRY(refuse_proposals);
    if (!stuck_bucket.empty() && request.command.find(stuck_bucket) != std::string::npos) {
      return Status(Code::kUnavailable, "the test says so");
    }
    if (budget == 0) return Status(Code::kUnavailable, "the test says so");
    if (budget != kEnough) --budget;
    if (before_apply) before_apply(request.shard, shard::decode_command(request.command).value());
    replica::Applier& applier = *appliers[request.shard];
    std::string reply;
    const raft::Entry entry{Term(1), applier.applied() + 1, raft::EntryKind::kCommand,
                            Blob(request.command)};
    DRUMLIN_CHECK_OK(applier.try_apply(entry, reply));
    if (lost_replies > 0) {
      --lost_replies;
      return Status(Code::kOutcomeUnknown, "the reply is lost");
    }
    return replace_reply.empty() ? reply : replace_reply;
  }
  Result<std::string> query(NodeId node, const std::string& payload) {
    DRUMLIN_ASSIGN(const auto request, replica::decode_query(payload));
    DRUMLIN_TRY(leads(node, request.shard));
    const auto refused = refuse_queries.find(request.shard);
    if (refused != refuse_queries.end()) return refused->second;
    DRUMLIN_ASSIGN(const auto reply, appliers[request.shard]->query(request, kNever));
    return replica::encode(reply);
  }

  EveryoneIsWelcome members;
  rpc::Identity self{{}, NodeId(1), 1, 1, ""};
  std::vector<std::unique_ptr<replica::Applier>> appliers;
  std::map<NodeId, std::unique_ptr<Node>> nodes;
  std::vector<std::unique_ptr<rpc::Peer>> peers;
  std::map<NodeId, rpc::Peer*> connected;
};

}  // namespace drumlin::router::test
