// The fields of users.h. Internal to the room.
#pragma once

#include "shard/codec.h"
#include "shard/users.h"

namespace drumlin::shard {

constexpr bool is_valid(UserState s) {
  return s >= UserState::kActive && s <= UserState::kDisabled;
}

template <typename A>
void fields(A& a, AccessKey& v) {
  a(v.id, v.secret, v.state, v.created);
}
template <typename A>
void fields(A& a, UserRecord& v) {
  a(v.id, v.name, v.state, v.created, v.keys);
}
template <typename A>
void fields(A& a, CreateUser& v) {
  a(v.user);
}
template <typename A>
void fields(A& a, DeleteUser& v) {
  a(v.user);
}
template <typename A>
void fields(A& a, SetUserState& v) {
  a(v.user, v.state);
}
template <typename A>
void fields(A& a, CreateKey& v) {
  a(v.user, v.access_key, v.secret);
}
template <typename A>
void fields(A& a, DeleteKey& v) {
  a(v.access_key);
}
template <typename A>
void fields(A& a, SetKeyState& v) {
  a(v.access_key, v.state);
}
template <typename A>
void fields(A& a, GetUsers& v) {
  a(v.known);
}
template <typename A>
void fields(A& a, GetUsersReply& v) {
  a(v.version, v.users);
}

}  // namespace drumlin::shard
