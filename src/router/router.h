// Router: the Store on one node. Any node takes any request: the router knows which shard it is for,
// the shard client finds who leads it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "placement/planner.h"
#include "router/buckets.h"
#include "router/shard_client.h"
#include "router/store.h"
#include "router/users.h"

namespace drumlin::router {

class Router : public Store {
 public:
  // All references must outlive it.
  Router(Runtime& runtime, observe::Observer observer, Origin origin,
         const placement::ShardTable& table, replica::ReplicaSet& local,
         std::map<NodeId, rpc::Peer*> peers, Settings settings = {});

  // The background fiber that finishes bucket changes whose driver died, on the node that leads the
  // catalogue.
  void start();
  void stop();

  Status check_bucket(std::string_view name, const Call& call) override;
  Status create_bucket(std::string_view name, const Call& call) override;
  Status delete_bucket(std::string_view name, const Call& call) override;
  Result<shard::BucketRecord> get_bucket(std::string_view name, const Call& call) override;
  Result<BucketListing> list_buckets(const ListBucketsRequest& request, const Call& call) override;
  Result<Written> put_object(std::string_view bucket, std::string_view key,
                             shard::ObjectAttributes attributes, Blob body, const WriteTerms& terms,
                             const Call& call) override;
  Result<GotObject> get_object(std::string_view bucket, std::string_view key, bool with_body,
                               std::optional<ByteRange> range, uint64_t max_body,
                               const Call& call) override;
  Result<Written> delete_object(std::string_view bucket, std::string_view key,
                                const WriteTerms& terms, const Call& call) override;
  Result<Listing> list_objects(const ListRequest& request, const Call& call) override;

  UserStore& users() { return users_; }

 private:
  void sweep_loop();
  // Runs `use` with the bucket's record, and once more with a fresh one if a partition calls ours stale. Either
  // is the caller's, or kPermissionDenied.
  template <typename T, typename Use>
  Result<T> with_bucket(std::string_view bucket, const Call& call, Use&& use);
  // The record that `call` may use; asks the catalogue before it denies.
  Result<shard::BucketRecord> lookup_for(std::string_view bucket, const Call& call, bool fresh);
  Status still_there(const shard::BucketRecord& bucket, Instant deadline);
  uint32_t shard_of(const shard::BucketRecord& bucket, std::string_view key) const;
  Result<Written> write_object(const shard::BucketRecord& bucket, std::string_view key,
                               shard::Command command, Instant deadline);
  struct ListedPart {
    std::vector<shard::ListedKey> items;
    bool more = false;  // after the last of them, perhaps
  };
  Result<ListedPart> list_partition(const shard::BucketRecord& bucket, uint32_t partition,
                                    const ListRequest& request, size_t limit, Instant deadline);
  Result<Listing> list_all(const shard::BucketRecord& bucket, const ListRequest& request,
                           Instant deadline);

  Runtime& runtime_;
  observe::Observer observer_;
  Origin origin_;
  replica::ReplicaSet& local_;
  ShardClient shards_;
  Buckets buckets_;
  Users users_;
  Cancellation stopping_;
};

}  // namespace drumlin::router
