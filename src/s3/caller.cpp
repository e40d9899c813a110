#include "s3/caller.h"

#include <utility>

namespace drumlin::s3 {

std::optional<std::string> Callers::secret_of(std::string_view access_key, Instant deadline,
                                              auth::Principal& principal, Status& failed) {
  if (access_key == settings_.access_key) {
    principal = auth::Principal{};
    return settings_.secret_key;
  }
  if (users_ == nullptr) return std::nullopt;
  const auto table = users_->users(deadline);
  if (!table.ok()) {
    failed = table.status();
    return std::nullopt;
  }
  const auto found = (*table)->key(access_key);
  if (!found || found->key->state != shard::UserState::kActive ||
      found->user->state != shard::UserState::kActive) {
    return std::nullopt;
  }
  principal = {found->user->id, found->user->name};
  return found->key->secret;
}

// To buckets of the owner that the request expects, so that the store holds to it, too.
Check Callers::narrow(Caller& caller, std::string_view expected_owner, Instant deadline) {
  if (expected_owner == caller.owner_id) {
    caller.only_owner = caller.principal.user;
    return good();
  }
  if (!caller.principal.is_root() || users_ == nullptr) return ErrorCode::kAccessDenied;
  const auto table = users_->users(deadline);
  if (!table.ok()) return from_store(table.status());
  for (const shard::UserRecord& user : (*table)->users()) {
    if (auth::canonical_user_id(user.id, settings_.access_key) != expected_owner) continue;
    caller.only_owner = user.id;
    return good();
  }
  return ErrorCode::kAccessDenied;
}

Outcome<Caller> Callers::admit(auth::Principal principal, Operation operation, const Target& target,
                               const http::Headers& headers, router::Store& store,
                               Instant deadline) {
  Caller caller;
  caller.owner_id = auth::canonical_user_id(principal.user, settings_.access_key);
  caller.only_owner = auth::owner_needed(principal);
  caller.principal = std::move(principal);
  if (const auto expected = headers.find("x-amz-expected-bucket-owner")) {
    DRUMLIN_S3_TRY(narrow(caller, *expected, deadline));
  }
  const bool of_a_bucket = !target.bucket.empty() && operation != Operation::kCreateBucket;
  if (!of_a_bucket || !caller.only_owner) return caller;
  const Status may =
      store.check_bucket(target.bucket, {deadline, caller.only_owner, caller.principal.user});
  // One that is not there is the operation's to tell.
  if (!may.ok() && !may.is(Code::kNotFound)) return from_store(may);
  return caller;
}

}  // namespace drumlin::s3
