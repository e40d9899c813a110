// What lies below replicas, for tests that drive one without a node: a log and hard states on a
// disk in memory, bodies in the kv. Needs tests/wal/machine.cpp and tests/wal/fake_disk.cpp.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "replica/services.h"
#include "segment/api/body_store.h"
#include "tests/support/map_kv.h"
#include "tests/wal/machine.h"
#include "wal/hardstate.h"
#include "wal/wal.h"

namespace drumlin::test {

// A body is one value; checksums are not its affair.
class MapBodies final : public segment::BodyStore {
 public:
  static std::string key(const segment::BodyKey& id) {
    return "body/" + std::to_string(id.shard) + "/" + std::to_string(id.generation) + "/" +
           std::to_string(id.index) + "/" + std::to_string(id.n);
  }
  Status put(const segment::BodyKey& id, std::string_view bytes, kv::Batch& batch) override {
    batch.put(key(id), std::string(bytes));
    return {};
  }
  Status drop(const segment::BodyKey& id, uint64_t /*size*/, kv::Batch& batch) override {
    batch.remove(key(id));
    return {};
  }
  Result<Blob> read(const segment::BodyKey& id, uint64_t first, uint64_t count,
                    const kv::View& view) const override {
    DRUMLIN_ASSIGN(const auto bytes, view.get(key(id)));
    if (!bytes) return Status(Code::kNotFound, "no body");
    if (first >= bytes->size()) return Blob();
    return Blob(bytes->substr(first, count));
  }
};

class Storage {
 public:
  explicit Storage(wal::Wal::Options options = {}, uint32_t groups = 1) {
    options.idle_marker = Duration::max();  // time runs on to the last timer here
    machine_.run([&] {
      wal_ = *wal::Wal::open(machine_, machine_.observer(), options,
                             [](const auto&, const auto&) { return Status(); });
      hard_states_ = *wal::HardStateStore::open(machine_, machine_.observer(), {}, groups);
    });
  }
  wal::Wal& wal() { return *wal_; }
  // What is under way to the disk is durable after it.
  void settle() {
    machine_.run([] {});
  }
  replica::Services services(Runtime& runtime, observe::Observer observer,
                             replica::Options options = {}) {
    return {runtime, observer, *wal_, *hard_states_, kv, bodies, nullptr, options, 0};
  }

  MapKv kv;
  MapBodies bodies;

 private:
  wal::test::Machine machine_;
  std::unique_ptr<wal::Wal> wal_;
  std::unique_ptr<wal::HardStateStore> hard_states_;
};

}  // namespace drumlin::test
