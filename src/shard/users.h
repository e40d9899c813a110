// Users and their access keys: records of catalogue shard 0, and the commands that change them. The
// key of a node's configuration is no record: it is root, user 0, who may do everything.
//
// A user's id is the index of the entry that made it, so it is never used twice, and a user made
// again under an old name is another. Names and secrets come from outside: apply has no chance.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace drumlin::shard {

inline constexpr uint64_t kRootUser = 0;

// The whole table goes to every node whenever it has changed: these bound it below 2 MB.
inline constexpr size_t kMaxUsers = 1000;
inline constexpr size_t kMaxKeysOfUser = 4;
inline constexpr size_t kMaxUserNameBytes = 64;
inline constexpr size_t kMaxAccessKeyBytes = 64;
inline constexpr size_t kMinSecretBytes = 16;
inline constexpr size_t kMaxSecretBytes = 128;

// 1..64 letters, digits and + = , . @ _ -, as Amazon has it; but not "." and "..".
bool valid_user_name(std::string_view name);

enum class UserState : uint8_t { kActive = 1, kDisabled = 2 };

struct AccessKey {
  std::string id;
  std::string secret;  // in clear: signatures are HMACs under it. Never logged, never listed
  UserState state = UserState::kActive;
  WallTime created{};
};

struct UserRecord {
  uint64_t id = 0;
  std::string name;
  UserState state = UserState::kActive;
  WallTime created{};
  std::vector<AccessKey> keys;  // in order of creation
};

// Commands. The field is called `user`: `name` is a bucket's.
struct CreateUser {
  std::string user;  // kAlreadyExists; kTooLarge: kMaxUsers
};
struct DeleteUser {
  std::string user;  // with its keys. kNotFound; kFailedPrecondition: it owns a bucket
};
struct SetUserState {
  std::string user;
  UserState state = UserState::kActive;
};
struct CreateKey {
  std::string user;  // kNotFound; kTooLarge: kMaxKeysOfUser; kAlreadyExists: the access key
  std::string access_key;
  std::string secret;
};
struct DeleteKey {
  std::string access_key;
};
struct SetKeyState {
  std::string access_key;
  UserState state = UserState::kActive;
};

// The table, if it has changed since `known` (its version then).
struct GetUsers {
  uint64_t known = UINT64_MAX;
};
struct GetUsersReply {
  uint64_t version = 0;                          // index of the last change
  std::optional<std::vector<UserRecord>> users;  // by id; nothing: as known
};

}  // namespace drumlin::shard
