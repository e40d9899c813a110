#include "router/users.h"

#include <algorithm>
#include <utility>

#include "shard/placement.h"
#include "shard/query.h"

namespace drumlin::router {
namespace {

// Of a read that nobody waits for.
constexpr Duration kBackgroundTime = 2s;

}  // namespace

UserTable::UserTable(uint64_t version, std::vector<shard::UserRecord> users)
    : version_(version), users_(std::move(users)) {
  for (const shard::UserRecord& user : users_) {
    for (const shard::AccessKey& key : user.keys)
      keys_.emplace(key.id, Found{&user, &key});
  }
}

std::optional<UserTable::Found> UserTable::key(std::string_view access_key) const {
  const auto found = keys_.find(access_key);
  return found == keys_.end() ? std::nullopt : std::optional<Found>(found->second);
}

const shard::UserRecord* UserTable::user(std::string_view name) const {
  const auto found = std::find_if(users_.begin(), users_.end(),
                                  [&](const auto& user) { return user.name == name; });
  return found == users_.end() ? nullptr : &*found;
}

Users::Users(Runtime& runtime, observe::Observer observer, ShardClient& shards)
    : runtime_(runtime),
      shards_(shards),
      refreshed_(runtime.scheduler(), runtime.clock()),
      reads_(observer.metrics.counter("drumlin_router_user_reads_total",
                                      "Reads of the table of users from shard 0")) {}

Result<UserTablePtr> Users::users(Instant deadline) {
  const Instant now = runtime_.clock().now();
  if (!known(now - kFresh, needed_)) return wait_for(now - kFresh, needed_, deadline);
  if (now - as_of_ >= kRefreshAfter) begin_refresh(after(runtime_.clock(), kBackgroundTime));
  return table_;
}

// By number: two things can happen in one instant.
Result<UserTablePtr> Users::users_now(Instant deadline) {
  return wait_for(runtime_.clock().now(), begun_ + 1, deadline);
}

// A read that was under way when we came may be too early, or fail for want of time: then we take
// another.
Result<UserTablePtr> Users::wait_for(Instant since, uint64_t read, Instant deadline) {
  const uint64_t before = begun_;
  while (!known(since, read)) {
    begin_refresh(deadline);
    if (refreshed_.wait(deadline) != Wake::kNotified) {
      return Status(Code::kUnavailable, "shard 0 did not answer about users in time");
    }
    if (!last_refresh_.ok() && begun_ > before && !known(since, read)) return last_refresh_;
  }
  return table_;
}

// On a fiber of its own: whoever asked first may give up first.
void Users::begin_refresh(Instant deadline) {
  if (refreshing_) return;
  refreshing_ = true;
  ++begun_;
  runtime_.spawn("users refresh", [this, deadline] {
    last_refresh_ = refresh(deadline);
    refreshing_ = false;
    refreshed_.notify_all();
  });
}

Status Users::refresh(Instant deadline) {
  const Instant began = runtime_.clock().now();
  reads_.Increment();
  replica::QueryRequest request;
  request.shard = shard::kCatalogueShard;
  request.query =
      shard::encode_query(shard::GetUsers{table_ == nullptr ? UINT64_MAX : table_->version()});
  DRUMLIN_ASSIGN(const auto answer, shards_.read(std::move(request), deadline));
  DRUMLIN_ASSIGN(shard::GetUsersReply reply, shard::decode_get_users_reply(answer.reply));
  if (reply.users) {
    table_ = std::make_shared<const UserTable>(reply.version, std::move(*reply.users));
  }
  if (table_ == nullptr) return {Code::kCorrupt, "an answer without the table that was asked for"};
  as_of_ = began;
  as_of_read_ = begun_;
  return {};
}

Result<shard::Reply> Users::change(shard::Payload command, Instant deadline) {
  shard::Command whole;
  whole.payload = std::move(command);
  auto reply = shards_.write(shard::kCatalogueShard, std::move(whole), deadline);
  needed_ = begun_ + 1;  // whatever became of it
  return reply;
}

}  // namespace drumlin::router
