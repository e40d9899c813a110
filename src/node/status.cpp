#include "node/status.h"

#include <boost/json.hpp>

#include "base/digest.h"
#include "node/parts.h"

namespace drumlin::node {
namespace {

namespace json = boost::json;

std::string_view role_name(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return "follower";
    case raft::Role::kPreCandidate:
      return "pre-candidate";
    case raft::Role::kCandidate:
      return "candidate";
    case raft::Role::kLeader:
      return "leader";
  }
  DRUMLIN_UNREACHABLE("role");
}

json::array members_json(const Node::Parts& parts) {
  json::array out;
  for (const Member& member : parts.config.members) {
    bool connected = member.id == parts.config.id;
    for (const auto& peer : parts.peers) {
      if (peer->node() == member.id) connected = peer->connected(rpc::Lane::kControl);
    }
    out.push_back(json::object{{"id", member.id.value()},
                               {"peer", member.peer.to_string()},
                               {"s3", member.s3.to_string()},
                               {"api", member.api.to_string()},
                               {"connected", connected}});
  }
  return out;
}

json::array shards_json(const Node::Parts& parts) {
  json::array out;
  for (const replica::ShardStatus& shard : parts.replicas->status()) {
    out.push_back(json::object{{"shard", shard.shard},
                               {"role", role_name(shard.role)},
                               {"leader", shard.leader.value()},
                               {"term", shard.term.value()},
                               {"commit", shard.commit.value()},
                               {"applied", shard.applied.value()},
                               {"durable", shard.durable.value()},
                               {"last", shard.last.value()}});
  }
  return out;
}

}  // namespace

std::string status_json(const Node::Parts& parts) {
  const auto& cluster = parts.identity.cluster_id;
  json::object out{
      {"node", parts.config.id.value()},
      {"cluster", hex({reinterpret_cast<const char*>(cluster.data()), cluster.size()})},
      {"admitted", parts.membership->admitted()},
      {"boot", parts.identity.boot},
      {"incarnation", parts.identity.incarnation},
      {"engine", parts.kv->engine()},
      {"members", members_json(parts)},
      {"wal", json::object{{"durable_lsn", parts.wal->durable().value()},
                           {"bytes", parts.wal->bytes_appended()},
                           {"retained_bytes", parts.wal->retained_bytes()},
                           {"queued_bytes", parts.wal->queued_bytes()}}},
      {"shards", shards_json(parts)}};
  return json::serialize(out) + "\n";
}

}  // namespace drumlin::node
