// Plan: everything that one simulated run does, written out: the cluster, the clients' operations, the
// faults. A seed makes a plan, a plan makes a run; a plan is text, so that it can be kept, read, cut
// down and run again. Chance that is not in the plan (latencies, torn sectors) comes from `seed`.
//
//   drumlin-plan 1
//   seed 42
//   nodes 3
//   shards 8
//   buckets 2
//   duration_ms 60000
//   op 0 120 2 put 1 7 3000 signed        client, think ms, node, what, bucket, key, size, encoding
//   op 1 80 1 get 0 3
//   fault 12000 crash 2 17 0              at ms: node 2 dies at the completion of its 17th disk I/O
//   fault 14000 restart 2 0 0
//
// Lines may come in any order and any may be left out; `#` begins a comment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace drumlin::sim {

enum class OpKind : uint8_t {
  kPut,
  kGet,
  kHead,
  kDelete,
  kList,
  kCreateBucket,  // of the "churn" buckets, which come and go
  kDeleteBucket,
  kHeadBucket,
  kPutAbsent,    // If-None-Match: *
  kPutMatch,     // If-Match: what was last heard of the key
  kDeleteMatch,  // the same
  kDeleteMany,   // DeleteObjects: `size` keys, from `key` on
  kListV1,       // ListObjects, by markers
  // With users in the plan.
  kIntrude,    // on another's bucket: which operation, by size
  kOldKey,     // a read with a key of the bucket's owner that was revoked; by size
  kRotateKey,  // of user `key` mod users; the old one is disabled if size is odd, else deleted
};

// How a PUT sends its body.
enum class Encoding : uint8_t {
  kSigned,          // x-amz-content-sha256 is the hash
  kUnsigned,        // UNSIGNED-PAYLOAD
  kChunked,         // aws-chunked, every chunk signed
  kChunkedTrailer,  // aws-chunked, signed, CRC32 in a signed trailer (boto3 over plain HTTP)
};

struct Op {
  uint32_t client = 0;
  uint32_t think_ms = 0;  // after the client's last one was due; at once if that took longer
  uint32_t node = 1;      // whom it asks first
  OpKind kind = OpKind::kGet;
  uint32_t bucket = 0;
  uint32_t key = 0;
  uint32_t size = 0;  // put: bytes; get: 0 = all, else a range of so many; list: max-keys; or keys
  Encoding encoding = Encoding::kSigned;
  bool operator==(const Op&) const = default;
};

enum class FaultKind : uint8_t {
  // Processes. a: node
  kCrash,     // b: at the completion of its b-th disk I/O from now. The page cache survives
  kPower,     // as kCrash, but unsynced writes are lost, kept or torn, each on its own
  kPowerAll,  // as kPower, and in the same moment all other nodes lose power too
  kRestart,   // nothing if it runs
  kPause,     // b: it stands still for so many ms
  kSlowCpu,   // b: each of its events takes so many us, c: for so many ms
  kClock,     // b: its wall clock is off by so many ms from now on, c: and gains so many ppm
  // Disks. a: node
  kReadError,   // its b-th read (write, sync) from now fails: EIO
  kWriteError,  // a part of the bytes may be there
  kSyncError,  // what waited is lost or kept, piece by piece, and the page cache calls all of it clean
  kFull,       // b: it takes so many KiB more, c: for so many ms
  kSlowDisk,  // b: calls take so many times as long, c: for so many ms
  kStall,     // b: no call ends for so many ms
  kRot,       // a bit turns over at rest; b: which
  // Networks
  kPartition,   // a: bit set of nodes cut off from the others, both ways
  kOneWay,      // a: bit set of nodes whose messages to the others do not arrive
  kHeal,        // all partitions
  kCut,         // a, b: every connection between the two nodes is reset
  kCutClients,  // a: node; every connection between it and the clients is reset
  kHalfOpen,  // a, b: the connections between the two nodes go silent for ever; b = 0: with the clients
  kRefuse,     // a: node that nobody can connect to, b: for so many ms
  kLatency,    // a: milliseconds added to every message, b: for so many ms
  kReset,      // a: packets in a million that reset their connection, b: for so many ms
  kCorrupt,    // a: packets between nodes in a million with a flipped bit, b: for so many ms
  kPartialIo,  // a: reads and writes of 1024 that move less than they could, b: for so many ms
  kClog,       // a: node whose links pass so few KiB a second (b), c: for so many ms
};

struct Fault {
  uint32_t at_ms = 0;
  FaultKind kind = FaultKind::kHeal;
  uint32_t a = 0;
  int64_t b = 0;
  int64_t c = 0;
  bool operator==(const Fault&) const = default;
};

inline constexpr uint32_t kKeysPerBucket = 12;

enum class KvEngine : uint8_t { kRocksDb, kMemory };

struct Plan {
  uint64_t seed = 0;
  uint32_t nodes = 3;
  uint32_t shards = 8;
  uint32_t buckets = 2;  // made before the clock of the plan starts
  uint32_t clients = 8;
  uint32_t duration_ms = 60000;
  uint32_t wal_segment_kib = 1024;
  uint32_t wal_grow_kib = 0;    // the log's file is extended ahead by at most so much
  uint32_t log_cache_kib = 64;  // small: entries must be read back from the log
  uint32_t append_kib = 64;
  // Log not yet written, of own proposals and of other leaders' entries each. Small: both are refused.
  uint32_t wal_queue_kib = 64u << 10;
  uint32_t early = 0;             // 1: the faults begin with the first start, not with the clients
  uint32_t users = 0;             // who own the buckets in turn; 0: all are root's
  uint32_t buckets_per_user = 0;  // an owner can have no more; 0: as many as a node lets it
  uint32_t inflight_messages = 256;  // appends to a follower that may wait for their answer
  KvEngine kv = KvEngine::kRocksDb;
  // Of RocksDB. Small: it must flush and compact, answers must come from its files, a start must begin
  // in the middle of the log.
  uint32_t kv_buffer_kib = 256;  // a write buffer; RocksDB takes at least 64
  uint32_t kv_cache_kib = 256;
  uint32_t kv_flush_kib = 1024;  // the node asks for a flush after so much log
  uint32_t buggify = 0;          // percent of the points inside nodes that are active
  uint32_t client_skew_s = 0;    // clients' clocks are off by up to so much, either way
  uint32_t odd_keys = 0;         // 1: keys with spaces, slashes, percent signs, other alphabets ...
  // 1: synced bytes are lost on nodes outside the core only, so that progress is owed at the end. 0: on any
  // node, and none is owed.
  uint32_t budget = 1;
  // Bit set: the nodes that run at the end, a majority of the voters of every shard. Others stay dead or
  // cut off. 0: all but one drawn from the seed (of three or more).
  uint32_t core = 0;
  uint32_t comeback = 1;  // 1: the others come back after that, and progress is owed again
  std::vector<Op> ops;
  std::vector<Fault> faults;
  bool operator==(const Plan&) const = default;

  // Numbered after the plan's own; they come and go. More than an owner may have, if that is bounded.
  uint32_t churn_buckets() const { return buckets_per_user == 0 ? 2 : 4; }
  // The most of the plan's own that one user has.
  uint32_t own_buckets() const { return users == 0 ? buckets : (buckets + users - 1) / users; }

  std::string encode() const;
  static Result<Plan> decode(std::string_view text);  // kInvalidArgument names the line
};

// What a seed's plan is drawn from; a scenario file sets it.
struct Scenario {
  uint32_t nodes_min = 1, nodes_max = 7;
  uint32_t shards_min = 1, shards_max = 64;
  uint32_t ops = 400;
  uint32_t clients = 8;
  uint32_t duration_ms = 20000;
  uint32_t max_body_bytes = 40000;
  uint32_t users = 2;
  uint32_t fault_every_ms = 800;  // on average; 0: none
  // As in Plan; 0: drawn.
  uint32_t wal_segment_kib = 0, log_cache_kib = 0, append_kib = 0, inflight_messages = 0,
           wal_queue_kib = 0, buckets_per_user = 0;
  uint32_t kv_buffer_kib = 0, kv_cache_kib = 0, kv_flush_kib = 0;
  KvEngine kv = KvEngine::kRocksDb;
  uint32_t budget = 1;  // as in Plan
  // Of a hundred operations; kDrawn: drawn, now and then 0 (but for puts).
  static constexpr uint32_t kDrawn = UINT32_MAX;
  uint32_t puts = kDrawn, gets = kDrawn, heads = kDrawn, deletes = kDrawn, listings = kDrawn,
           conditional = kDrawn, bucket_churn = kDrawn;
  uint32_t buggify = kDrawn;  // percent of active points
  std::string faults =
      "crash,power,power_all,pause,slow_cpu,clock,read_error,write_error,sync_error,full,slow_disk,"
      "stall,rot,partition,one_way,cut,cut_clients,half_open,refuse,latency,reset,corrupt,partial_"
      "io,"
      "clog";

  // One "key = value" of a scenario file or of --set. kInvalidArgument.
  Status set(std::string_view key, std::string_view value);
  // Do the settings go together? kInvalidArgument.
  Status check() const;
  // A scenario file: such lines and comments.
  static Result<Scenario> decode(std::string_view text);
};

Plan generate(uint64_t seed, const Scenario& scenario);

}  // namespace drumlin::sim
