// A Store in memory, naive on purpose: the handlers are under test, not it. Set `fail` to have
// every call answer with that status.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "router/store.h"
#include "runtime/clock.h"

namespace drumlin::s3::test {

class MemoryStore final : public router::Store {
 public:
  explicit MemoryStore(Clock& clock) : clock_(clock) {}

  Status check_bucket(std::string_view name, const router::Call& call) override {
    DRUMLIN_TRY(fail);
    if (check_nothing) return {};
    return find(name, call).status();
  }
  Status create_bucket(std::string_view name, const router::Call& call) override {
    DRUMLIN_TRY(fail);
    const auto there = buckets_.find(std::string(name));
    if (there != buckets_.end()) {
      return Status(there->second.record.owner == call.user ? Code::kAlreadyExists
                                                            : Code::kFailedPrecondition);
    }
    if (buckets_.size() >= most_buckets) return Status(Code::kTooLarge);
    Bucket& bucket = buckets_[std::string(name)];
    bucket.record.name = name;
    bucket.record.created = clock_.wall();
    bucket.record.owner = call.user;
    return {};
  }
  Status delete_bucket(std::string_view name, const router::Call& call) override {
    DRUMLIN_TRY(fail);
    DRUMLIN_ASSIGN(Bucket * bucket, find(name, call));
    if (!bucket->objects.empty()) return Status(Code::kFailedPrecondition);
    buckets_.erase(std::string(name));
    return {};
  }
  Result<shard::BucketRecord> get_bucket(std::string_view name, const router::Call& call) override {
    DRUMLIN_TRY(fail);
    DRUMLIN_ASSIGN(Bucket * bucket, find(name, call));
    return bucket->record;
  }
  Result<router::BucketListing> list_buckets(const router::ListBucketsRequest& request,
                                             const router::Call& call) override {
    DRUMLIN_TRY(fail);
    router::BucketListing out;
    for (auto it = buckets_.upper_bound(request.after); it != buckets_.end(); ++it) {
      if (!it->first.starts_with(request.prefix) || !call.may_use(it->second.record)) continue;
      out.truncated = out.buckets.size() == request.limit;
      if (out.truncated) break;
      out.buckets.push_back(it->second.record);
    }
    return out;
  }
  Result<router::Written> put_object(std::string_view bucket, std::string_view key,
                                     shard::ObjectAttributes attributes, Blob body,
                                     const router::WriteTerms& terms,
                                     const router::Call& call) override {
    DRUMLIN_TRY(fail);
    DRUMLIN_ASSIGN(Bucket * found, find(bucket, call));
    if (const auto known = answered_.find(terms.request); known != answered_.end()) {
      return known->second;
    }
    const auto there = found->objects.find(std::string(key));
    const bool matches = terms.when.present || !terms.when.etags.empty();
    if (there == found->objects.end() && matches) {
      return answer(terms, {router::Written::Outcome::kNothingToMatch, found->deleted});
    }
    if (there != found->objects.end() && !holds(terms.when, there->second.record)) {
      return answer(terms,
                    {router::Written::Outcome::kConditionFailed, there->second.record.version});
    }
    Object& object = found->objects[std::string(key)];
    object.record.attributes = std::move(attributes);
    object.record.size = body.size();
    object.record.version = ++version_;
    object.record.modified = clock_.wall();
    object.body = std::move(body);
    return answer(terms, {router::Written::Outcome::kDone, version_});
  }
  Result<router::GotObject> get_object(std::string_view bucket, std::string_view key,
                                       bool with_body, std::optional<router::ByteRange> range,
                                       uint64_t max_body, const router::Call& call) override {
    if (on_get) on_get(max_body);
    DRUMLIN_TRY(fail);
    DRUMLIN_ASSIGN(Bucket * found, find(bucket, call));
    router::GotObject got;
    const auto it = found->objects.find(std::string(key));
    got.found = it != found->objects.end();
    got.version = got.found ? it->second.record.version : found->deleted;
    if (!got.found) return got;
    got.object = it->second.record;
    if (!with_body) return got;
    uint64_t first = 0;
    uint64_t end = got.object.size;
    if (range.has_value() && range->first.has_value()) {
      first = *range->first;
      if (range->last.has_value() && *range->last < end) end = *range->last + 1;
    } else if (range.has_value()) {
      first = end - std::min(end, *range->last);
    }
    got.unsatisfiable = range.has_value() && first >= end;
    if (got.unsatisfiable) return got;
    got.first = first;
    got.body_left_out = end - first > max_body;
    if (got.body_left_out) return got;
    got.body = Blob(std::string(it->second.body.view().substr(first, end - first)));
    return got;
  }
  Result<router::Written> delete_object(std::string_view bucket, std::string_view key,
                                        const router::WriteTerms& terms,
                                        const router::Call& call) override {
    if (on_delete) DRUMLIN_TRY(on_delete(key));
    DRUMLIN_TRY(fail);
    DRUMLIN_ASSIGN(Bucket * found, find(bucket, call));
    if (const auto known = answered_.find(terms.request); known != answered_.end()) {
      return known->second;
    }
    const auto there = found->objects.find(std::string(key));
    if (there == found->objects.end() && terms.when.present) {
      return answer(terms, {router::Written::Outcome::kConditionFailed, found->deleted});
    }
    if (there != found->objects.end() && !holds(terms.when, there->second.record)) {
      return answer(terms,
                    {router::Written::Outcome::kConditionFailed, there->second.record.version});
    }
    found->objects.erase(std::string(key));
    found->deleted = ++version_;
    return answer(terms, {router::Written::Outcome::kDone, version_});
  }
  Result<router::Listing> list_objects(const router::ListRequest& request,
                                       const router::Call& call) override {
    DRUMLIN_TRY(fail);
    if (on_list) on_list(request.limit);
    DRUMLIN_ASSIGN(Bucket * found, find(request.bucket, call));
    router::Listing out;
    out.owner = found->record.owner;
    for (const auto& [key, object] : found->objects) {
      shard::ListedKey item;
      if (!listed(request, key, object, item)) continue;
      if (!out.items.empty() && out.items.back().common_prefix &&
          out.items.back().key == item.key) {
        continue;
      }
      if (out.items.size() == request.limit) {
        out.truncated = true;
        break;
      }
      out.items.push_back(std::move(item));
    }
    return out;
  }

  Status fail;
  std::function<void(uint64_t max_body)> on_get;  // before each get_object
  std::function<void(size_t limit)> on_list;
  std::function<Status(std::string_view key)> on_delete;  // before each delete_object
  size_t most_buckets = SIZE_MAX;
  bool check_nothing = false;  // check_bucket() says OK: what the operations themselves do then
  // The object as it is stored, or null.
  const shard::ObjectRecord* peek(const std::string& bucket, const std::string& key) const {
    const auto it = buckets_.find(bucket);
    if (it == buckets_.end() || !it->second.objects.contains(key)) return nullptr;
    return &it->second.objects.at(key).record;
  }

 private:
  struct Object {
    shard::ObjectRecord record;
    Blob body;
  };
  struct Bucket {
    shard::BucketRecord record;
    std::map<std::string, Object> objects;
    uint64_t deleted = 0;
  };
  Result<Bucket*> find(std::string_view name, const router::Call& call) {
    const auto it = buckets_.find(std::string(name));
    if (it == buckets_.end()) return Status(Code::kNotFound, "no such bucket");
    if (!call.may_use(it->second.record)) return Status(Code::kPermissionDenied, "another's");
    return &it->second;
  }
  router::Written answer(const router::WriteTerms& terms, router::Written written) {
    if (terms.request) answered_[terms.request] = written;
    return written;
  }
  static bool holds(const shard::Precondition& when, const shard::ObjectRecord& object) {
    if (when.absent) return false;
    const auto& tags = when.etags;
    if (!tags.empty() && std::find(tags.begin(), tags.end(), object.attributes.etag) == tags.end())
      return false;
    return !when.size || *when.size == object.size;
  }
  static bool listed(const router::ListRequest& request, const std::string& key,
                     const Object& object, shard::ListedKey& item) {
    if (!key.starts_with(request.prefix)) return false;
    item.key = key;
    if (!request.delimiter.empty()) {
      const size_t at = key.find(request.delimiter, request.prefix.size());
      item.common_prefix = at != std::string::npos;
      if (item.common_prefix) item.key = key.substr(0, at + request.delimiter.size());
    }
    if (item.key <= request.after) return false;
    if (request.after_is_prefix && key.starts_with(request.after)) return false;
    if (item.common_prefix) return true;
    item.size = object.record.size;
    item.version = object.record.version;
    item.modified = object.record.modified;
    item.etag = object.record.attributes.etag;
    return true;
  }

  Clock& clock_;
  std::map<std::string, Bucket> buckets_;
  std::map<shard::RequestDigest, router::Written> answered_;
  uint64_t version_ = 0;
};

}  // namespace drumlin::s3::test
