// Buckets: drives the bucket protocol and remembers bucket records.
//
//   create   CREATING -> row on each partition -> ACTIVE
//   delete   DELETING(e) -> each partition closes itself if it is empty
//              all closed:  compare-and-set to REMOVING(e), rows become tombstones, the record goes
//              one is not:  compare-and-set to REOPENING(e+1), rows open again, ACTIVE(e+1)
//
// Every step is idempotent and carries (incarnation, epoch), so any driver may take any step again:
// the caller that began, another caller that meets the record half way, or sweep() of a node that
// found it lying there. What was decided stands in the catalogue record and nowhere else.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "router/settings.h"
#include "router/shard_client.h"
#include "router/store.h"
#include "shard/query.h"

namespace drumlin::router {

class Buckets {
 public:
  Buckets(Runtime& runtime, observe::Observer observer, ShardClient& shards, Settings settings = {})
      : runtime_(runtime), observer_(observer), shards_(shards), settings_(settings) {}

  // As Store's. All yield.
  Status create(std::string_view name, const Call& call);
  Status remove(std::string_view name, const Call& call);
  Result<shard::BucketRecord> get(std::string_view name, Instant deadline);
  Result<BucketListing> list(const ListBucketsRequest& request, const Call& call);

  // The record to use for objects: remembered if possible. What it says may be out of date; the
  // partition then answers "stale" and the caller asks again with fresh = true. kNotFound:
  // invisible.
  Result<shard::BucketRecord> lookup(std::string_view name, bool fresh, Instant deadline);

  // Takes every half-done change one round further. For the node that leads the catalogue.
  Status sweep(Instant deadline);

 private:
  using Step = std::function<Result<shard::Reply>(uint32_t shard)>;
  Result<shard::BucketRecord> record(std::string_view name, Instant deadline);
  Result<shard::ListBucketsReply> page(shard::ListBuckets query, Instant deadline);
  Result<shard::Reply> catalogue(shard::Command command, Instant deadline);
  Result<std::vector<shard::Reply>> on_each_partition(const shard::BucketRecord& bucket,
                                                      const Step& step);
  Status finish_create(const shard::BucketRecord& bucket, Instant deadline);
  Status close_and_decide(const shard::BucketRecord& bucket, Instant deadline);
  Status decided_elsewhere(const shard::BucketRecord& bucket, Instant deadline);
  Status finish_remove(const shard::BucketRecord& bucket, Instant deadline);
  Status finish_reopen(const shard::BucketRecord& bucket, Instant deadline);
  Status roll_forward(const shard::BucketRecord& bucket, Instant deadline);
  void remember(const shard::BucketRecord& bucket);

  Runtime& runtime_;
  observe::Observer observer_;
  ShardClient& shards_;
  Settings settings_;
  std::map<std::string, shard::BucketRecord, std::less<>> known_;
};

}  // namespace drumlin::router
