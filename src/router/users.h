// Users: who there is besides root, and their keys, as every node knows them. The records are in
// catalogue shard 0; a node keeps the whole table and asks again while it is used, so that neither a
// good nor an unknown key costs a read.
//
// A table that is handed out was read, linearizably, no longer than kFresh before it was asked for:
// what was acknowledged a second before a request is known to it, also on a clock that runs a tenth
// too slow. Without an answer of shard 0 there is no table, and nobody but root gets in.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/shard_client.h"
#include "shard/users.h"

namespace drumlin::router {

// All users at one moment. Immutable.
class UserTable {
 public:
  struct Found {
    const shard::UserRecord* user;
    const shard::AccessKey* key;
  };

  UserTable() = default;
  UserTable(uint64_t version, std::vector<shard::UserRecord> users);
  UserTable(const UserTable&) = delete;
  UserTable& operator=(const UserTable&) = delete;

  uint64_t version() const { return version_; }
  const std::vector<shard::UserRecord>& users() const { return users_; }  // by id
  // In whatever state the key and its user are.
  std::optional<Found> key(std::string_view access_key) const;
  const shard::UserRecord* user(std::string_view name) const;  // null: none

 private:
  uint64_t version_ = 0;
  std::vector<shard::UserRecord> users_;
  std::map<std::string_view, Found> keys_;  // views into users_
};
using UserTablePtr = std::shared_ptr<const UserTable>;

// What S3 and API need of it.
class UserStore {
 public:
  virtual ~UserStore() = default;
  // As of at most kFresh ago. Yields only if there is none. kUnavailable.
  virtual Result<UserTablePtr> users(Instant deadline) = 0;
  // As of now. Yields. kUnavailable.
  virtual Result<UserTablePtr> users_now(Instant deadline) = 0;
  // A command of shard/users.h. Yields. The shard's own answer, or the errors of ShardClient::write.
  virtual Result<shard::Reply> change(shard::Payload command, Instant deadline) = 0;
};

class Users : public UserStore {
 public:
  static constexpr Duration kFresh = 900ms;
  // In use, a table of this age is read again meanwhile: nobody has to wait for the next.
  static constexpr Duration kRefreshAfter = 450ms;

  Users(Runtime& runtime, observe::Observer observer, ShardClient& shards);

  Result<UserTablePtr> users(Instant deadline) override;
  Result<UserTablePtr> users_now(Instant deadline) override;
  Result<shard::Reply> change(shard::Payload command, Instant deadline) override;

 private:
  // A table of a read that began at `since` or later, and is not older than the read of that number.
  bool known(Instant since, uint64_t read) const {
    return table_ != nullptr && as_of_ >= since && as_of_read_ >= read;
  }
  Result<UserTablePtr> wait_for(Instant since, uint64_t read, Instant deadline);
  void begin_refresh(Instant deadline);
  Status refresh(Instant deadline);

  Runtime& runtime_;
  ShardClient& shards_;
  UserTablePtr table_;
  Instant as_of_{};          // when the read of table_ began
  uint64_t as_of_read_ = 0;  // and its number
  uint64_t begun_ = 0;       // reads
  uint64_t needed_ = 0;      // reads before this one may not know our last change
  bool refreshing_ = false;
  Status last_refresh_;
  WaitQueue refreshed_;
  observe::Counter& reads_;
};

}  // namespace drumlin::router
