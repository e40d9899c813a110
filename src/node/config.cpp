#include "node/config.h"

#include <algorithm>

#include "base/codec.h"
#include "base/digest.h"
#include "observe/log.h"
#include "rpc/frame.h"

namespace drumlin::node {
namespace {

constexpr size_t kObjectBytes = 8u << 20;  // the largest body there may be, and a byte

Status bad(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

bool is_loopback(const std::string& host) {
  return host == "::1" || host.starts_with("127.");
}

// Of what replicas hold and send.
Status validate_replica_sizes(const Limits& limits) {
  constexpr size_t kWalQueueMin = 16u << 10;
  // All of them may come in one append to the log, which takes 512 MiB with a head for each record.
  constexpr size_t kUncommittedMax = 256u << 20;
  // Beside its entries a message has a head; the last entry may go past the limit.
  constexpr size_t kMaxAppendBytes = rpc::kMaxFramePayloadBytes / 2;
  if (limits.wal_queue_bytes < kWalQueueMin) {
    return bad("limits.wal_queue_bytes must be at least " + std::to_string(kWalQueueMin) +
               " (16 KiB), not " + std::to_string(limits.wal_queue_bytes));
  }
  if (limits.uncommitted_bytes == 0 || limits.uncommitted_bytes > kUncommittedMax) {
    return bad("limits.uncommitted_bytes must be 1.." + std::to_string(kUncommittedMax) +
               " (256 MiB), not " + std::to_string(limits.uncommitted_bytes));
  }
  if (limits.uncommitted_bytes_total < limits.uncommitted_bytes) {
    return bad("limits.uncommitted_bytes_total must be at least limits.uncommitted_bytes (" +
               std::to_string(limits.uncommitted_bytes) + "), not " +
               std::to_string(limits.uncommitted_bytes_total));
  }
  if (limits.append_bytes == 0 || limits.append_bytes > kMaxAppendBytes) {
    return bad("limits.append_bytes must be 1.." + std::to_string(kMaxAppendBytes) +
               " (32 MiB, half of what a frame between nodes carries), not " +
               std::to_string(limits.append_bytes));
  }
  if (limits.append_inflight_bytes == 0) {
    return bad("limits.append_inflight_bytes must be 1 or more");
  }
  if (limits.append_inflight_messages == 0) {
    return bad("limits.append_inflight_messages must be 1 or more");
  }
  if (limits.peer_queue_bytes < kMaxAppendBytes) {
    return bad("limits.peer_queue_bytes must be at least " + std::to_string(kMaxAppendBytes) +
               " (32 MiB, the largest message), not " + std::to_string(limits.peer_queue_bytes));
  }
  constexpr size_t kPeerRequestsMax = 65536;
  if (limits.peer_requests == 0 || limits.peer_requests > kPeerRequestsMax) {
    return bad("limits.peer_requests must be 1.." + std::to_string(kPeerRequestsMax) + ", not " +
               std::to_string(limits.peer_requests));
  }
  if (limits.peer_request_bytes < rpc::kMaxFramePayloadBytes) {
    return bad("limits.peer_request_bytes must be at least " +
               std::to_string(rpc::kMaxFramePayloadBytes) + " (64 MiB, the largest frame), not " +
               std::to_string(limits.peer_request_bytes));
  }
  return {};
}

// Of connections, clients' and peers'.
Status validate_connections(const Limits& limits) {
  for (const auto& [name, number] : {std::pair{"max_connections", limits.max_connections},
                                     std::pair{"max_api_connections", limits.max_api_connections},
                                     std::pair{"max_requests", limits.max_requests},
                                     std::pair{"remembered_buckets", limits.remembered_buckets},
                                     std::pair{"peer_reply_bytes", limits.peer_reply_bytes},
                                     std::pair{"peer_small_replies", limits.peer_small_replies},
                                     std::pair{"peer_handshakes", limits.peer_handshakes}}) {
    if (number == 0) return bad(std::string("limits.") + name + " must be 1 or more");
  }
  constexpr size_t kMost = 65536;  // files are set aside for each
  for (const auto& [name, number] : {std::pair{"refused_connections", limits.refused_connections},
                                     std::pair{"peer_handshakes", limits.peer_handshakes}}) {
    if (number > kMost) {
      return bad(std::string("limits.") + name + " must be at most " + std::to_string(kMost) +
                 ", not " + std::to_string(number));
    }
  }
  for (const auto& [name, time] :
       {std::pair{"head", limits.head_timeout}, std::pair{"idle", limits.idle_timeout},
        std::pair{"stall", limits.stall_timeout},
        std::pair{"peer_hello", limits.peer_hello_timeout}}) {
    if (time < 100ms) return bad(std::string("limits.") + name + "_timeout_ms must be 100 or more");
  }
  if (limits.peer_handshake_timeout < limits.peer_hello_timeout) {
    return bad("limits.peer_handshake_timeout_ms must be at least limits.peer_hello_timeout_ms (" +
               std::to_string(to_ms(limits.peer_hello_timeout)) + "), not " +
               std::to_string(to_ms(limits.peer_handshake_timeout)));
  }
  if (limits.max_headers < 16) return bad("limits.max_headers must be 16 or more");
  return {};
}

// Of bodies: the largest must fit.
Status validate_bodies(const Limits& limits) {
  if (limits.body_bytes_in_flight < kObjectBytes) {
    return bad("limits.body_bytes_in_flight must be at least " + std::to_string(kObjectBytes) +
               " (8 MiB, one object), not " + std::to_string(limits.body_bytes_in_flight));
  }
  const size_t share = limits.user_body_bytes();
  if (share < kObjectBytes || share > limits.body_bytes_in_flight) {
    return bad("limits.body_bytes_per_user must be 0 (half of all) or " +
               std::to_string(kObjectBytes) + " (8 MiB, one object) to " +
               std::to_string(limits.body_bytes_in_flight) +
               " (limits.body_bytes_in_flight), not " + std::to_string(share));
  }
  return {};
}

// What the parts CHECK, or could never do their work without.
Status validate_sizes(const Config& config) {
  constexpr uint64_t kMaxSegmentBytes = uint64_t{1} << 31;  // wal/ counts offsets in 32 bits
  if (config.wal_segment_bytes == 0 || config.wal_segment_bytes > kMaxSegmentBytes) {
    return bad("storage.wal_segment_bytes must be 1.." + std::to_string(kMaxSegmentBytes) +
               " (2 GiB), not " + std::to_string(config.wal_segment_bytes));
  }
  constexpr size_t kHeadBytesMin = 4u << 10;  // a presigned URL and its headers
  constexpr size_t kHeadBytesMax = 1u << 20;
  if (config.limits.head_bytes < kHeadBytesMin || config.limits.head_bytes > kHeadBytesMax) {
    return bad("limits.head_bytes must be " + std::to_string(kHeadBytesMin) + ".." +
               std::to_string(kHeadBytesMax) + " (4 KiB to 1 MiB), not " +
               std::to_string(config.limits.head_bytes));
  }
  if (config.kv_max_open_files < 64 || config.kv_max_open_files > 1'000'000) {
    return bad("storage.kv_max_open_files must be 64..1000000, not " +
               std::to_string(config.kv_max_open_files));
  }
  if (config.wal_max_bytes < config.wal_retain_bytes) {
    return bad("storage.wal_max_bytes must be at least storage.wal_retain_bytes (" +
               std::to_string(config.wal_retain_bytes) + "), not " +
               std::to_string(config.wal_max_bytes));
  }
  DRUMLIN_TRY(validate_bodies(config.limits));
  DRUMLIN_TRY(validate_connections(config.limits));
  return validate_replica_sizes(config.limits);
}

}  // namespace

size_t Limits::user_body_bytes() const {
  if (body_bytes_per_user != 0) return body_bytes_per_user;
  return std::max(body_bytes_in_flight / 2, kObjectBytes);
}

Status Config::validate() {
  if (id == NodeId()) return bad("node.id must be 1 or more");
  if (members.empty()) {
    members.push_back({id, {listen, peer_port}, {listen, s3_port}, {listen, api_port}});
  }
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.id < b.id; });
  for (size_t i = 0; i < members.size(); ++i) {
    if (members[i].id == NodeId()) return bad("cluster.nodes: id must be 1 or more");
    if (members[i].id.value() > UINT32_MAX) return bad("cluster.nodes: id is too large");
    if (i > 0 && members[i].id == members[i - 1].id) {
      return bad("cluster.nodes: id " + members[i].id.to_string() + " appears twice");
    }
  }
  if (std::none_of(members.begin(), members.end(), [&](const Member& m) { return m.id == id; })) {
    return bad("cluster.nodes does not name this node (node.id = " + id.to_string() + ")");
  }
  if (members.size() > 64) return bad("cluster.nodes: at most 64 nodes");
  if (shards < 1 || shards > 65536) return bad("cluster.shards must be 1..65536");
  if (cluster_secret.empty() && members.size() > 1 && !is_loopback(listen)) {
    return bad("cluster.secret is needed when node.listen is not a loopback address");
  }
  if (access_key.empty() || secret_key.empty()) {
    return bad("auth.access_key and auth.secret_key must be set");
  }
  if (access_key.find(':') != std::string::npos) {
    return bad("auth.access_key must not contain a colon (HTTP Basic ends it there)");
  }
  if (secret_key.size() < 8) return bad("auth.secret_key must have at least 8 characters");
  if (tls_certificate.empty() != tls_key.empty()) {
    return bad(std::string("tls.certificate and tls.key are set together or not at all; ") +
               (tls_key.empty() ? "tls.key" : "tls.certificate") + " is missing");
  }
  if (s3_port == api_port || s3_port == peer_port || api_port == peer_port) {
    return bad("ports.s3, ports.api and ports.peer must differ");
  }
  if (kv_engine != "rocksdb" && kv_engine != "memory") {
    return bad("storage.kv must be \"rocksdb\" or \"memory\", not \"" + kv_engine + "\"");
  }
  DRUMLIN_TRY(validate_sizes(*this));
  observe::Level level;
  if (!observe::parse_level(log_level, level)) {
    return bad("log.level must be debug, info, warn or error, not \"" + log_level + "\"");
  }
  if (timers.tick <= Duration::zero() || timers.election_ticks_min <= timers.heartbeat_ticks ||
      timers.election_ticks_max < timers.election_ticks_min || timers.heartbeat_ticks == 0) {
    return bad("timers: 0 < heartbeat < election_min <= election_max must hold");
  }
  return {};
}

const Member& Config::self() const {
  for (const Member& m : members) {
    if (m.id == id) return m;
  }
  DRUMLIN_UNREACHABLE("validate() was not called");
}

rpc::ClusterId Config::cluster_id() const {
  std::string bytes;
  Writer w(bytes);
  w.bytes("drumlin cluster id");
  w.bytes(cluster_name);
  w.u32(shards);
  for (const Member& m : members)
    w.u64(m.id.value());
  const auto digest = hmac_sha256(cluster_secret, bytes);
  rpc::ClusterId out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

}  // namespace drumlin::node
