// Queries: reads of one shard's state, and their answers, as bytes. A query is answered from the state
// that is applied when it runs; making that linearizable is the replica's affair.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "shard/command.h"
#include "shard/types.h"

namespace drumlin::shard {

struct GetObject {
  std::string bucket;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
  std::string key;
};
struct GetObjectReply {
  Code code = Code::kOk;  // kAborted with kStaleBucket
  Detail detail = Detail::kNone;
  uint64_t version = 0;  // without an object: of the last delete in this shard
  std::optional<ObjectRecord> object;
};

// Items in key order that begin with `prefix` and come after `after`. Keys that have the delimiter
// behind the prefix are one item, cut behind it. At most `limit` items, and whatever it says no more
// than kMaxListedKeys, nor after the item that takes them past kMaxListedBytes: then the answer is kCut.
inline constexpr uint32_t kMaxListedKeys =
    1001;  // a page of S3 and the item that tells there is more
inline constexpr size_t kMaxListedBytes = 512 << 10;
struct ListPartition {
  std::string bucket;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
  std::string prefix;
  std::string delimiter;
  std::string after;
  bool after_is_prefix = false;  // then no key that begins with `after` is listed either
  uint32_t limit = 1000;
};
struct ListPartitionReply {
  Code code = Code::kOk;
  Detail detail = Detail::kNone;  // kStaleBucket, kRowClosed; kCut: there is at least one item
  std::vector<ListedKey> items;
};

// Catalogue. Records of every state, for the router to judge.
struct GetBucket {
  std::string name;
};
struct GetBucketReply {
  std::optional<BucketRecord> record;
};
// A page of them, by name: those that begin with `prefix`, come after `after`, and are of `owner`, if there
// is one. At most `limit` records are looked at, and at most kMaxListedBuckets: a page of an owner's may
// have fewer, or none, and yet not be the last.
inline constexpr uint32_t kMaxListedBuckets = 1000;
struct ListBuckets {
  std::string prefix;
  std::string after;
  uint32_t limit = kMaxListedBuckets;
  std::optional<uint64_t> owner;
};
struct ListBucketsReply {
  std::vector<BucketRecord> records;
  bool more = false;  // there is a record after `next`
  std::string next;   // with `more`: the last name that was looked at
};

using Query = std::variant<GetObject, ListPartition, GetBucket, ListBuckets, GetUsers>;

std::string encode_query(const Query& query);
Result<Query> decode_query(std::string_view bytes);

std::string encode(const GetObjectReply& reply);
std::string encode(const ListPartitionReply& reply);
std::string encode(const GetBucketReply& reply);
std::string encode(const ListBucketsReply& reply);
std::string encode(const GetUsersReply& reply);
Result<GetObjectReply> decode_get_object_reply(std::string_view bytes);
Result<ListPartitionReply> decode_list_partition_reply(std::string_view bytes);
Result<GetBucketReply> decode_get_bucket_reply(std::string_view bytes);
Result<ListBucketsReply> decode_list_buckets_reply(std::string_view bytes);
Result<GetUsersReply> decode_get_users_reply(std::string_view bytes);

}  // namespace drumlin::shard
