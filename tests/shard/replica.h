// One replica of a shard on a MapKv, driven entry by entry: shared by the tests of shard.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "shard/query.h"
#include "shard/shard.h"
#include "tests/support/map_kv.h"

namespace drumlin::shard::test {

inline constexpr uint32_t kShard = 7;
inline constexpr uint64_t kIncarnation = 5;

inline WallTime at(int64_t nanos) {
  return WallTime(Duration(nanos));
}

template <typename T>
Command command_of(T payload, Session session = {}, WallTime time = {}) {
  Command out;
  out.log_time = time;
  out.session = session;
  out.payload = std::move(payload);
  return out;
}

inline InstallRow row(uint64_t incarnation = kIncarnation, uint64_t epoch = 1) {
  return {"b", incarnation, epoch};
}
template <typename T>
T row_as(uint64_t incarnation = kIncarnation, uint64_t epoch = 1) {
  return T{row(incarnation, epoch)};
}

inline Put put(std::string key, std::string_view body, uint64_t incarnation = kIncarnation,
               uint64_t epoch = 1) {
  Put out;
  out.bucket = "b";
  out.incarnation = incarnation;
  out.epoch = epoch;
  out.key = std::move(key);
  out.attributes.etag = "etag";
  out.body = body;
  return out;
}
inline Delete del(std::string key, uint64_t incarnation = kIncarnation, uint64_t epoch = 1) {
  return {"b", incarnation, epoch, std::move(key)};
}

struct Replica {
  drumlin::test::MapKv kv;
  Shard shard{kShard, 1};
  kv::Batch batch;  // of the last apply
  Applied applied;  // of the last apply; bodies are views into `bytes`
  std::string bytes;

  // Applies the next entry; empty bytes are a no-op.
  void entry(std::string encoded) {
    bytes = std::move(encoded);
    batch.clear();
    auto done = shard.apply(kv, batch, shard.applied() + 1, bytes);
    ASSERT_TRUE(done.ok()) << done.status().to_string();
    applied = std::move(*done);
    DRUMLIN_CHECK_OK(kv.write(batch, kv::Access::kBlocking));
    shard.commit_applied();
  }
  Reply apply(const Command& command) {
    entry(encode(command));
    return decode_reply(applied.reply).value();
  }
  template <typename T>
  Reply run(T payload, Session session = {}, WallTime time = {}) {
    return apply(command_of(std::move(payload), session, time));
  }
  void open_row(uint64_t incarnation = kIncarnation) {
    ASSERT_EQ(run(row(incarnation)).code, Code::kOk);
  }

  GetObjectReply get(std::string key, uint64_t incarnation = kIncarnation,
                     uint64_t epoch = 1) const {
    const Query query = GetObject{"b", incarnation, epoch, std::move(key)};
    return decode_get_object_reply(shard.query(kv, encode_query(query)).value()).value();
  }
  ListPartitionReply list(const ListPartition& request) const {
    return decode_list_partition_reply(shard.query(kv, encode_query(Query(request))).value())
        .value();
  }
  std::optional<BucketRecord> bucket(std::string name = "b") const {
    const Query query = GetBucket{std::move(name)};
    return decode_get_bucket_reply(shard.query(kv, encode_query(query)).value()).value().record;
  }
  uint64_t digest() const { return shard.digest(kv).value(); }
};

}  // namespace drumlin::shard::test
