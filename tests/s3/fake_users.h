// A table of users without a cluster: alice and bob, with a key each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "router/users.h"

namespace drumlin::s3::test {

class FakeUsers : public router::UserStore {
 public:
  FakeUsers() {
    add(1, "alice");
    add(2, "bob");
  }
  Result<router::UserTablePtr> users(Instant) override {
    ++asked;
    DRUMLIN_TRY(fail);
    return std::make_shared<const router::UserTable>(1, records);
  }
  Result<router::UserTablePtr> users_now(Instant deadline) override { return users(deadline); }
  Result<shard::Reply> change(shard::Payload, Instant) override {
    return Status(Code::kUnsupported);
  }
  void add(uint64_t id, const std::string& name) {
    records.push_back({id, name, shard::UserState::kActive, {}, {}});
    records.back().keys.push_back({"KEY" + name, "secret of " + name, {}, {}});
    records.back().keys.back().state = shard::UserState::kActive;
  }
  std::vector<shard::UserRecord> records;
  Status fail;
  int asked = 0;
};

}  // namespace drumlin::s3::test
