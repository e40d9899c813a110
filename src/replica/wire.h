// Wire: what nodes say to each other about shards, as bytes (messages.capnp) and as values. No call
// yields; the decoders answer kCorrupt for anything that a peer of this version would not send.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/status.h"
#include "base/time.h"
#include "raft/types.h"

namespace drumlin::replica {

// Kinds of rpc frames. Messages:
inline constexpr uint8_t kRaftControl = 1;  // votes, heartbeats, acknowledgements: the control lane
inline constexpr uint8_t kRaftBulk = 2;     // entries: the bulk lane
// Requests:
inline constexpr uint8_t kPropose = 3;
inline constexpr uint8_t kQuery = 4;
inline constexpr uint8_t kSnapshot = 5;

struct GroupMessage {
  GroupId group;
  raft::Message message;
};

// A frame carries no more messages than this, however small they are.
inline constexpr size_t kMaxBatchMessages = 16384;

std::string encode_batch(std::span<const GroupMessage> batch);
// In as many frames as it takes, in order.
std::vector<std::string> encode_batches(std::span<const GroupMessage> messages);
// Fills from and to, which do not travel: the connection knows them.
Result<std::vector<GroupMessage>> decode_batch(std::string_view bytes, NodeId from, NodeId to);

// A proposal to the leader of a shard. The reply is that of shard::Shard::apply, as bytes.
struct ProposeRequest {
  uint32_t shard = 0;
  std::string command;
  Duration timeout{};
};
std::string encode(const ProposeRequest& request);
// Also what decode_command() says of the command: one that cannot be applied must not reach the
// log.
Result<ProposeRequest> decode_propose(std::string_view bytes);

// Which bytes of the object's body a query wants, as RFC 9110 writes it: first-last, first-, -last.
struct BodyRange {
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;
};

struct QueryRequest {
  uint32_t shard = 0;
  std::string query;
  bool want_body = false;
  BodyRange range;
  Duration timeout{};
  uint64_t max_body = UINT64_MAX;  // bytes; if the range has more, the body is left out
};
std::string encode(const QueryRequest& request);
Result<QueryRequest> decode_query(std::string_view bytes);

struct QueryReply {
  std::string reply;  // of shard::Shard::query
  Blob body;
  uint64_t first = 0;          // where in the object the body begins
  bool unsatisfiable = false;  // the range begins past the end of the object
  bool body_left_out = false;  // it is longer than max_body
};
std::string encode(const QueryReply& reply);
Result<QueryReply> decode_query_reply(std::string_view bytes);

// One piece of a snapshot: see snapshots.h.
struct SnapshotPart {
  struct Row {
    std::string key;
    std::string value;
    bool operator==(const Row&) const = default;
  };
  uint32_t shard = 0;
  Term term;
  LogIndex index;
  Term index_term;
  uint64_t transfer = 0;
  uint64_t offset = 0;
  std::vector<Row> rows;
  bool last = false;
  uint64_t hash = 0;
};
std::string encode(const SnapshotPart& part);
Result<SnapshotPart> decode_snapshot_part(std::string_view bytes);

struct SnapshotReply {
  uint64_t received = 0;
  LogIndex installed;
};
std::string encode(const SnapshotReply& reply);
Result<SnapshotReply> decode_snapshot_reply(std::string_view bytes);

// The status of a node that is not the leader names the one it takes for it, if any.
Status not_leader(NodeId leader);
NodeId leader_in(const Status& status);

}  // namespace drumlin::replica
