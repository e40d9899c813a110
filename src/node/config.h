// The configuration of one node. server/ fills it from a TOML file, DRUMLIN_* environment variables
// and flags, in that order of increasing weight; the simulator fills it from a plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/strong_id.h"
#include "base/time.h"
#include "rpc/identity.h"
#include "runtime/network.h"

namespace drumlin::node {

struct Member {
  NodeId id;
  Endpoint peer;  // where its peers reach it
  Endpoint s3;    // for people: shown by `admin status`
  Endpoint api;
};

struct Limits {
  size_t body_bytes_in_flight = 256u << 20;  // of all requests; beyond it all wait, then 503
  size_t body_bytes_per_user = 0;            // of these; 0: half of them, or one object
  size_t max_connections = 10000;            // S3
  size_t max_api_connections = 256;
  size_t max_requests = 1024;  // S3, served at once
  // Over the limit of either listener, told so at a time; others are closed without a word.
  size_t refused_connections = 64;
  uint64_t buckets_per_user = 1000;  // decided where they are made: nodes should agree on it
  size_t remembered_buckets = 4096;  // records that this node keeps in mind
  // Not yet written, each of: own proposals; entries from other leaders.
  size_t wal_queue_bytes = 64u << 20;
  size_t log_cache_bytes = 1u << 20;            // a group: recent entries kept in memory
  size_t uncommitted_bytes = 64u << 20;         // a group: proposals not yet committed
  size_t uncommitted_bytes_total = 512u << 20;  // all groups that this node leads
  size_t append_bytes = 1u << 20;               // an append message; one entry may exceed it
  size_t append_inflight_bytes = 32u << 20;     // a follower of a group
  size_t append_inflight_messages = 256;
  size_t peer_queue_bytes = 64u << 20;  // frames that wait for a peer, a lane; two lanes a peer
  uint64_t snapshot_bytes_per_s = 64u << 20;  // sent, all transfers together; 0: any rate
  // Of one other node, in work here at once; and of ours, under way to it. Frames.
  size_t peer_requests = 512;
  size_t peer_request_bytes = 256u << 20;
  // Of one connection from another node, not yet written: replies, beyond which its requests wait; pings
  // and refusals, beyond which it is not read.
  size_t peer_reply_bytes = 64u << 20;
  size_t peer_small_replies = 4096;
  size_t peer_handshakes = 64;           // connections from peers that have proven nothing yet
  Duration peer_hello_timeout = 2s;      // from such a one's arrival to its Hello
  Duration peer_handshake_timeout = 5s;  // the whole handshake, on either side
  Duration request_timeout = 10s;        // a write or read inside the cluster, retries included
  // Of both HTTP listeners.
  size_t head_bytes = 32u << 10;  // request line and headers
  size_t max_headers = 128;
  Duration head_timeout = 15s;   // from the first byte of a head to its last
  Duration idle_timeout = 60s;   // for the first byte of the next request
  Duration stall_timeout = 30s;  // without a byte of progress within a body
  // Of a body, either way; it may fall behind by stall_timeout. 0: any rate will do.
  uint64_t min_bytes_per_s = 1024;
  // A body that nobody wants is read and thrown away up to here, to keep the connection.
  size_t drain_bytes = 256u << 10;
  // Before a connection is closed what still comes is thrown away, for so long and up to here, so that
  // the last answer arrives.
  Duration linger_timeout = 2s;
  size_t linger_bytes = 16u << 20;
  Duration stop_timeout = 5s;  // at an orderly stop, for requests under way

  // body_bytes_per_user, in bytes.
  size_t user_body_bytes() const;
};

struct Timers {
  Duration tick = 50ms;  // the unit of the next ones
  uint32_t heartbeat_ticks = 2;
  uint32_t election_ticks_min = 8;
  uint32_t election_ticks_max = 16;
  uint32_t disk_stall_ticks = 4;  // a longer write costs the leaderships; 0: never
};

struct Config {
  NodeId id{1};
  std::string listen = "127.0.0.1";
  uint16_t s3_port = 9000;
  uint16_t api_port = 9001;
  uint16_t peer_port = 9002;

  std::string cluster_name = "drumlin";
  std::string cluster_secret;   // empty: only on loopback, frames without MAC
  uint32_t shards = 256;        // fixed at the cluster's first start
  std::vector<Member> members;  // all nodes; empty means this one alone

  // Paths of PEM files on the machine; both or neither. With them S3 and API speak TLS.
  std::string tls_certificate;
  std::string tls_key;

  std::string access_key;
  std::string secret_key;
  std::string region = "us-east-1";

  std::string kv_engine = "rocksdb";  // or "memory"
  std::string kv_path;                // where the engine's files are, on the machine (rocksdb)
  uint64_t kv_cache_bytes = 64u << 20;
  uint64_t kv_write_buffer_bytes = 8u << 20;  // of four; one that is full is flushed
  uint32_t kv_max_open_files = 1024;
  uint64_t kv_flush_wal_bytes = 64u << 20;  // flush the kv after so many bytes of log
  uint64_t wal_retain_bytes = 128u << 20;   // of the log stay at least, though the kv has all of it
  uint64_t wal_max_bytes = 1u << 30;        // so much stays for followers that are behind
  uint64_t wal_segment_bytes = 64u << 20;
  uint64_t wal_grow_bytes = 4u << 20;  // zeros written ahead of the log at most
  std::string log_level = "info";
  uint32_t log_lines_per_s = 1000;  // of each level; 0: any number

  Limits limits;
  Timers timers;

  // kInvalidArgument with a message for the operator. Fills `members` when empty.
  Status validate();
  const Member& self() const;
  size_t replication() const { return members.size() < 3 ? members.size() : 3; }
  // Digest of what makes a cluster one: name, secret, shards, node ids.
  rpc::ClusterId cluster_id() const;
};

}  // namespace drumlin::node
