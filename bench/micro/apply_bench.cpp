// Apply of a PUT and the query of a GET, on both engines, as replica/applier.cpp does them.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "kv/memory/memory.h"
#include "kv/rocksdb/rocksdb.h"
#include "segment/kv/kv_body_store.h"
#include "shard/shard.h"

namespace drumlin::bench {
namespace {

constexpr uint32_t kShard = 3;
constexpr uint32_t kGeneration = 1;
constexpr size_t kKeys = 4096;

std::string key_name(size_t i) {
  return "key-" + std::to_string(100000 + i);
}

// A directory on the disk that the benchmark runs from; gone afterwards.
class Directory {
 public:
  Directory() {
    char name[] = "./bench-kv-XXXXXX";
    DRUMLIN_CHECK(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Machine {
 public:
  explicit Machine(bool rocksdb) : shard_(kShard, kGeneration) {
    if (rocksdb) {
      kv::RocksOptions options;
      options.path = directory_.path() + "/kv";
      auto opened = kv::open_rocksdb(options);
      DRUMLIN_CHECK(opened.ok(), opened.status().to_string());
      kv_ = std::move(*opened);
    } else {
      kv_ = kv::make_memory();
    }
    DRUMLIN_CHECK(shard_.load(*kv_).ok());
    shard::InstallRow row;
    row.bucket = "bucket";
    row.incarnation = 1;
    row.epoch = 1;
    shard::Command command;
    command.payload = row;
    apply(shard::encode(command));
  }

  void put(size_t i, std::string_view body) {
    shard::Put put;
    put.bucket = "bucket";
    put.incarnation = 1;
    put.epoch = 1;
    put.key = key_name(i % kKeys);
    put.attributes.etag = "0123456789abcdef0123456789abcdef";
    put.attributes.headers = {{"Content-Type", "application/octet-stream"}};
    put.body = body;
    shard::Command command;
    ++number_;
    command.session = {1, 1, number_, number_ - 1};
    command.payload = std::move(put);
    apply(shard::encode(command));
  }

  size_t get(size_t i) {
    const std::string query =
        shard::encode_query(shard::GetObject{"bucket", 1, 1, key_name(i % kKeys)});
    const auto reply = shard_.query(*kv_, query);
    DRUMLIN_CHECK(reply.ok());
    const auto object = shard::object_in_reply(*reply);
    DRUMLIN_CHECK(object.ok() && object->has_value());
    const shard::BodyId& id = (*object)->body;
    const auto body =
        bodies_.read({id.shard, kGeneration, id.index, id.n}, 0, (*object)->size, *kv_);
    DRUMLIN_CHECK(body.ok(), body.status().to_string());
    return body->size();
  }

 private:
  void apply(const std::string& command) {
    for (kv::Access access = kv::Access::kNonBlocking;; access = kv::Access::kBlocking) {
      const Status done = try_apply(command, access);
      if (done.ok()) return shard_.commit_applied();
      DRUMLIN_CHECK(done.is(Code::kWouldBlock), done.to_string());
    }
  }
  Status try_apply(const std::string& command, kv::Access access) {
    kv::Batch batch;
    const auto view = access == kv::Access::kBlocking ? kv_->snapshot(access) : nullptr;
    const kv::View& from = view ? *view : *kv_;
    DRUMLIN_ASSIGN(const shard::Applied applied,
                   shard_.apply(from, batch, shard_.applied() + 1, command));
    for (const shard::BodyEffect& effect : applied.bodies) {
      const segment::BodyKey key{effect.id.shard, kGeneration, effect.id.index, effect.id.n};
      DRUMLIN_TRY(effect.put ? bodies_.put(key, effect.bytes, batch)
                             : bodies_.drop(key, effect.size, batch));
    }
    return kv_->write(batch, access);
  }

  Directory directory_;
  std::unique_ptr<kv::Kv> kv_;
  segment::KvBodyStore bodies_;
  shard::Shard shard_;
  uint64_t number_ = 0;
};

void apply_put(benchmark::State& state, bool rocksdb) {
  Machine machine(rocksdb);
  const std::string body(static_cast<size_t>(state.range(0)), 'b');
  size_t i = 0;
  for (auto _ : state)
    machine.put(i += 977, body);
}
BENCHMARK_CAPTURE(apply_put, memory, false)->Name("apply/put/memory")->Arg(4096);
BENCHMARK_CAPTURE(apply_put, rocksdb, true)
    ->Name("apply/put/rocksdb")
    ->Arg(1024)
    ->Arg(4096)
    ->Arg(65536);

void query_get(benchmark::State& state, bool rocksdb) {
  Machine machine(rocksdb);
  const std::string body(static_cast<size_t>(state.range(0)), 'b');
  for (size_t i = 0; i < kKeys; ++i)
    machine.put(i, body);
  size_t i = 0;
  for (auto _ : state)
    DRUMLIN_CHECK_EQ(machine.get(i += 977), body.size());
}
BENCHMARK_CAPTURE(query_get, memory, false)->Name("query/get/memory")->Arg(4096);
BENCHMARK_CAPTURE(query_get, rocksdb, true)->Name("query/get/rocksdb")->Arg(1024)->Arg(4096);

}  // namespace
}  // namespace drumlin::bench
