// Commands and the query about users and keys. One record a user, with its keys in it; two indices,
// name and access key to user; one count, whose version tells nodes when to fetch the table again.
#include <algorithm>

#include "shard/shard.h"
#include "shard/users_codec.h"

namespace drumlin::shard {

struct UserRef {
  uint64_t id = 0;
};
struct UsersMeta {
  uint64_t version = 0;
  uint64_t count = 0;
};
template <typename A>
void fields(A& a, UserRef& v) {
  a(v.id);
}
template <typename A>
void fields(A& a, UsersMeta& v) {
  a(v.version, v.count);
}

namespace {

Reply refused(Code code, std::string message) {
  Reply reply;
  reply.code = code;
  reply.message = std::move(message);
  return reply;
}

Reply no_such_user(const std::string& name) {
  return refused(Code::kNotFound, "no user \"" + name + "\"");
}
Reply no_such_key(const std::string& access_key) {
  return refused(Code::kNotFound, "no access key \"" + access_key + "\"");
}

bool valid_access_key(std::string_view key) {
  return !key.empty() && key.size() <= kMaxAccessKeyBytes &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
         });
}

template <typename T>
Result<std::optional<T>> read(const kv::View& view, const std::string& key, const char* what) {
  DRUMLIN_ASSIGN(const auto bytes, view.get(key));
  if (!bytes) return std::optional<T>();
  DRUMLIN_ASSIGN(T value, decode_value<T>(*bytes, what));
  return std::optional<T>(std::move(value));
}

Result<UsersMeta> read_meta(const kv::View& view, const Keys& keys) {
  DRUMLIN_ASSIGN(const auto meta, read<UsersMeta>(view, keys.users_meta(), "users' meta record"));
  return meta.value_or(UsersMeta{});
}

// The user that an index names, by name or by access key.
Result<std::optional<UserRecord>> read_user(const kv::View& view, const Keys& keys,
                                            const std::string& index) {
  DRUMLIN_ASSIGN(const auto ref, read<UserRef>(view, index, "index of users"));
  if (!ref) return std::optional<UserRecord>();
  DRUMLIN_ASSIGN(auto user, read<UserRecord>(view, keys.user(ref->id), "user record"));
  if (!user) return Status(Code::kCorrupt, "an index of users leads nowhere");
  return user;
}

std::vector<AccessKey>::iterator key_of(UserRecord& user, const std::string& access_key) {
  return std::find_if(user.keys.begin(), user.keys.end(),
                      [&](const AccessKey& key) { return key.id == access_key; });
}

}  // namespace

bool valid_user_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxUserNameBytes && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  std::string_view("+=,.@_-").find(c) != std::string_view::npos;
         });
}

// Every change of the table ends here.
Result<Reply> Shard::users_changed(Context& c, int users) {
  DRUMLIN_ASSIGN(UsersMeta meta, read_meta(c.view, keys_));
  meta.version = c.state.applied.value();
  meta.count += static_cast<uint64_t>(static_cast<int64_t>(users));
  c.batch.put(keys_.users_meta(), encode_value(meta));
  Reply reply;
  reply.version = meta.version;
  return reply;
}

Result<bool> Shard::user_exists(const kv::View& view, uint64_t id) const {
  if (id == kRootUser) return true;
  DRUMLIN_ASSIGN(const auto bytes, view.get(keys_.user(id)));
  return bytes.has_value();
}

Result<Reply> Shard::execute(Context& c, const CreateUser& create) {
  if (!valid_user_name(create.user)) {
    return refused(Code::kInvalidArgument,
                   "a user's name is 1 to 64 letters, digits or one of + = , . @ _ -");
  }
  DRUMLIN_ASSIGN(const auto there, c.view.get(keys_.user_name(create.user)));
  if (there) return refused(Code::kAlreadyExists, "there is a user \"" + create.user + "\"");
  DRUMLIN_ASSIGN(const UsersMeta meta, read_meta(c.view, keys_));
  if (meta.count >= kMaxUsers) {
    return refused(Code::kTooLarge,
                   "there are " + std::to_string(kMaxUsers) + " users, as many as there may be");
  }
  UserRecord made;
  made.id = c.state.applied.value();
  made.name = create.user;
  made.created = c.state.log_time;
  c.batch.put(keys_.user(made.id), encode_value(made));
  c.batch.put(keys_.user_name(made.name), encode_value(UserRef{made.id}));
  return users_changed(c, +1);
}

// The first bucket of a user, in whatever state its record is.
Result<std::optional<std::string>> Shard::owned_bucket(const kv::View& view, uint64_t user) const {
  const std::string prefix = keys_.records();
  const auto cursor = view.cursor(prefix, Keys::after_prefix(prefix));
  for (; cursor->valid(); cursor->next()) {
    DRUMLIN_ASSIGN(BucketRecord record,
                   decode_value<BucketRecord>(cursor->value(), "bucket record"));
    if (record.owner == user) return std::optional<std::string>(std::move(record.name));
  }
  DRUMLIN_TRY(cursor->status());
  return std::optional<std::string>();
}

Result<Reply> Shard::execute(Context& c, const DeleteUser& remove) {
  DRUMLIN_ASSIGN(const auto user, read_user(c.view, keys_, keys_.user_name(remove.user)));
  if (!user) return no_such_user(remove.user);
  DRUMLIN_ASSIGN(const auto bucket, owned_bucket(c.view, user->id));
  if (bucket) {
    return refused(Code::kFailedPrecondition, "user \"" + remove.user + "\" owns bucket \"" +
                                                  *bucket + "\": delete its buckets first");
  }
  for (const AccessKey& key : user->keys)
    c.batch.remove(keys_.access_key(key.id));
  c.batch.remove(keys_.user_name(user->name));
  c.batch.remove(keys_.user(user->id));
  c.batch.remove(keys_.bucket_count(user->id));  // 0, or not there: its id never comes again
  return users_changed(c, -1);
}

Result<Reply> Shard::execute(Context& c, const SetUserState& set) {
  DRUMLIN_ASSIGN(auto user, read_user(c.view, keys_, keys_.user_name(set.user)));
  if (!user) return no_such_user(set.user);
  user->state = set.state;
  c.batch.put(keys_.user(user->id), encode_value(*user));
  return users_changed(c, 0);
}

Result<Reply> Shard::execute(Context& c, const CreateKey& create) {
  if (!valid_access_key(create.access_key) || create.secret.size() < kMinSecretBytes ||
      create.secret.size() > kMaxSecretBytes) {
    return refused(Code::kInvalidArgument,
                   "an access key has 1 to 64 letters and digits, a secret "
                   "16 to 128 bytes");
  }
  DRUMLIN_ASSIGN(auto user, read_user(c.view, keys_, keys_.user_name(create.user)));
  if (!user) return no_such_user(create.user);
  DRUMLIN_ASSIGN(const auto taken, c.view.get(keys_.access_key(create.access_key)));
  if (taken) return refused(Code::kAlreadyExists, "the access key is in use");
  if (user->keys.size() >= kMaxKeysOfUser) {
    return refused(Code::kTooLarge, "user \"" + create.user + "\" has " +
                                        std::to_string(kMaxKeysOfUser) +
                                        " keys, as many as it may: delete one first");
  }
  user->keys.push_back({create.access_key, create.secret, UserState::kActive, c.state.log_time});
  c.batch.put(keys_.user(user->id), encode_value(*user));
  c.batch.put(keys_.access_key(create.access_key), encode_value(UserRef{user->id}));
  return users_changed(c, 0);
}

Result<Reply> Shard::execute(Context& c, const DeleteKey& remove) {
  DRUMLIN_ASSIGN(auto user, read_user(c.view, keys_, keys_.access_key(remove.access_key)));
  if (!user) return no_such_key(remove.access_key);
  const auto key = key_of(*user, remove.access_key);
  if (key == user->keys.end()) return Status(Code::kCorrupt, "a user without its key");
  user->keys.erase(key);
  c.batch.put(keys_.user(user->id), encode_value(*user));
  c.batch.remove(keys_.access_key(remove.access_key));
  return users_changed(c, 0);
}

Result<Reply> Shard::execute(Context& c, const SetKeyState& set) {
  DRUMLIN_ASSIGN(auto user, read_user(c.view, keys_, keys_.access_key(set.access_key)));
  if (!user) return no_such_key(set.access_key);
  const auto key = key_of(*user, set.access_key);
  if (key == user->keys.end()) return Status(Code::kCorrupt, "a user without its key");
  key->state = set.state;
  c.batch.put(keys_.user(user->id), encode_value(*user));
  return users_changed(c, 0);
}

Result<std::string> Shard::answer(const kv::View& view, const GetUsers& get) const {
  DRUMLIN_ASSIGN(const UsersMeta meta, read_meta(view, keys_));
  GetUsersReply reply;
  reply.version = meta.version;
  if (meta.version == get.known) return encode(reply);
  reply.users.emplace();
  const std::string prefix = keys_.users();
  const auto cursor = view.cursor(prefix, Keys::after_prefix(prefix));
  for (; cursor->valid(); cursor->next()) {
    DRUMLIN_ASSIGN(UserRecord user, decode_value<UserRecord>(cursor->value(), "user record"));
    reply.users->push_back(std::move(user));
  }
  DRUMLIN_TRY(cursor->status());
  return encode(reply);
}

std::string encode(const GetUsersReply& reply) {
  return encode_value(reply);
}
Result<GetUsersReply> decode_get_users_reply(std::string_view bytes) {
  return decode_value<GetUsersReply>(bytes, "table of users");
}

}  // namespace drumlin::shard
