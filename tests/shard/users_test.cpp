// Users and keys as the catalogue shard sees them: the commands from each state, limits, owners of
// buckets, bytes.
#include <gtest/gtest.h>

#include <algorithm>

#include "shard/users_codec.h"
#include "tests/shard/replica.h"
#include "tests/support/bytes.h"

namespace drumlin::shard::test {
namespace {

using drumlin::test::each_flip;
using drumlin::test::each_truncation;
using drumlin::test::from_hex;
using drumlin::test::to_hex;

const std::string kSecret = "0123456789abcdef";

struct UsersTest : ::testing::Test {
  Code run(auto command) { return (last = r.run(std::move(command), {}, at(9))).code; }
  GetUsersReply table(uint64_t known = UINT64_MAX) const {
    return decode_get_users_reply(r.shard.query(r.kv, encode_query(GetUsers{known})).value())
        .value();
  }
  UserRecord user(const std::string& name) const {
    const GetUsersReply now = table();
    for (const UserRecord& user : now.users.value())
      if (user.name == name) return user;
    return {};
  }
  // Nothing but the meta record and the session's is left of users.
  size_t rows(uint8_t kind) const {
    const std::string prefix = Keys(kShard, 1).all() + static_cast<char>(kind);
    const auto& state = r.kv.state();
    return static_cast<size_t>(std::count_if(state.begin(), state.end(), [&](const auto& row) {
      return row.first.starts_with(prefix);
    }));
  }
  Replica r;
  Reply last;
};

TEST_F(UsersTest, AreMadeOnce) {
  EXPECT_EQ(table().version, 0u);
  EXPECT_TRUE(table().users->empty());
  EXPECT_EQ(run(CreateUser{"alice"}), Code::kOk);
  EXPECT_EQ(last.version, 1u);
  EXPECT_EQ(run(CreateUser{"alice"}), Code::kAlreadyExists);
  EXPECT_EQ(run(CreateUser{"bob"}), Code::kOk);
  const GetUsersReply now = table();
  EXPECT_EQ(now.version, 3u);
  ASSERT_EQ(now.users->size(), 2u);
  EXPECT_EQ(now.users->at(0).id, 1u) << "the index of its entry";
  EXPECT_EQ(now.users->at(0).name, "alice");
  EXPECT_EQ(now.users->at(0).created, at(9));
  EXPECT_EQ(now.users->at(1).id, 3u);
  EXPECT_FALSE(table(3).users) << "as known";
  EXPECT_TRUE(table(1).users);
}

TEST_F(UsersTest, Names) {
  for (const char* name : {"a", "A-z_0.9@x+y=z,w"})
    EXPECT_EQ(run(CreateUser{name}), Code::kOk);
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("é"),
        std::string(65, 'a'), std::string("a\0b", 3), std::string("."), std::string("..")}) {
    EXPECT_EQ(run(CreateUser{name}), Code::kInvalidArgument) << name;
  }
  EXPECT_EQ(run(CreateUser{std::string(64, 'a')}), Code::kOk);
}

TEST_F(UsersTest, KeysAreMadeDisabledAndDeleted) {
  run(CreateUser{"alice"});
  EXPECT_EQ(run(CreateKey{"bob", "K1", kSecret}), Code::kNotFound);
  EXPECT_EQ(run(CreateKey{"alice", "K1", kSecret}), Code::kOk);
  EXPECT_EQ(run(CreateKey{"alice", "K1", kSecret}), Code::kAlreadyExists);
  EXPECT_EQ(run(CreateKey{"alice", "", kSecret}), Code::kInvalidArgument);
  EXPECT_EQ(run(CreateKey{"alice", "K/1", kSecret}), Code::kInvalidArgument);
  EXPECT_EQ(run(CreateKey{"alice", "K2", "short"}), Code::kInvalidArgument);
  EXPECT_EQ(run(CreateKey{"alice", "K2", std::string(129, 's')}), Code::kInvalidArgument);
  ASSERT_EQ(user("alice").keys.size(), 1u);
  EXPECT_EQ(user("alice").keys[0].secret, kSecret);
  const uint64_t version = table().version;
  EXPECT_EQ(run(SetKeyState{"K1", UserState::kDisabled}), Code::kOk);
  EXPECT_GT(table().version, version);
  EXPECT_EQ(user("alice").keys[0].state, UserState::kDisabled);
  EXPECT_EQ(run(SetKeyState{"K1", UserState::kActive}), Code::kOk);
  EXPECT_EQ(user("alice").keys[0].state, UserState::kActive);
  EXPECT_EQ(run(SetKeyState{"K9", UserState::kActive}), Code::kNotFound);
  EXPECT_EQ(run(DeleteKey{"K9"}), Code::kNotFound);
  EXPECT_EQ(run(DeleteKey{"K1"}), Code::kOk);
  EXPECT_EQ(run(DeleteKey{"K1"}), Code::kNotFound);
  EXPECT_TRUE(user("alice").keys.empty());
  EXPECT_EQ(run(CreateKey{"alice", "K1", kSecret}), Code::kOk) << "and may come again";
}

TEST_F(UsersTest, StateOfAUser) {
  run(CreateUser{"alice"});
  EXPECT_EQ(run(SetUserState{"alice", UserState::kDisabled}), Code::kOk);
  EXPECT_EQ(user("alice").state, UserState::kDisabled);
  EXPECT_EQ(run(SetUserState{"alice", UserState::kActive}), Code::kOk);
  EXPECT_EQ(user("alice").state, UserState::kActive);
  EXPECT_EQ(run(SetUserState{"bob", UserState::kActive}), Code::kNotFound);
}

TEST_F(UsersTest, DeletedWithAllThatIsTheirs) {
  run(CreateUser{"alice"});
  run(CreateUser{"bob"});
  run(CreateKey{"alice", "K1", kSecret});
  run(CreateKey{"alice", "K2", kSecret});
  run(CreateKey{"bob", "K3", kSecret});
  EXPECT_EQ(run(DeleteUser{"carol"}), Code::kNotFound);
  EXPECT_EQ(run(DeleteUser{"alice"}), Code::kOk);
  EXPECT_EQ(rows(0x12), 1u);
  EXPECT_EQ(rows(0x13), 1u);
  EXPECT_EQ(rows(0x14), 1u);
  EXPECT_EQ(user("bob").keys[0].id, "K3");
  EXPECT_EQ(run(CreateUser{"alice"}), Code::kOk);
  EXPECT_EQ(user("alice").id, last.version) << "another user of that name";
  EXPECT_TRUE(user("alice").keys.empty());
}

TEST_F(UsersTest, LimitsHold) {
  run(CreateUser{"alice"});
  for (size_t i = 0; i < kMaxKeysOfUser; ++i)
    EXPECT_EQ(run(CreateKey{"alice", "K" + std::to_string(i), kSecret}), Code::kOk);
  EXPECT_EQ(run(CreateKey{"alice", "L", kSecret}), Code::kTooLarge);
  run(DeleteKey{"K0"});
  EXPECT_EQ(run(CreateKey{"alice", "L", kSecret}), Code::kOk);
  for (size_t i = 1; i < kMaxUsers; ++i)
    ASSERT_EQ(run(CreateUser{"u" + std::to_string(i)}), Code::kOk);
  EXPECT_EQ(run(CreateUser{"more"}), Code::kTooLarge);
  EXPECT_EQ(run(DeleteUser{"u1"}), Code::kOk);
  EXPECT_EQ(run(CreateUser{"more"}), Code::kOk);
}

TEST_F(UsersTest, BucketsHaveOwners) {
  run(CreateUser{"alice"});
  run(CreateUser{"bob"});
  const uint64_t alice = user("alice").id;
  const uint64_t bob = user("bob").id;
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, 99}), Code::kPermissionDenied);
  EXPECT_FALSE(last.bucket) << "no such user";
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, alice}), Code::kOk);
  EXPECT_EQ(last.bucket->owner, alice);
  const uint64_t life = last.bucket->incarnation;
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, alice}), Code::kOk) << "joins its own";
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, bob}), Code::kAborted) << "not there yet";
  EXPECT_EQ(run(CreateBucket{"b", 4}), Code::kAborted) << "nor for root";
  EXPECT_EQ(run(DeleteUser{"alice"}), Code::kFailedPrecondition);
  EXPECT_NE(last.message.find("\"b\""), std::string::npos) << last.message;
  run(ActivateBucket{"b", life});
  EXPECT_EQ(r.bucket()->owner, alice) << "kept by every step";
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, alice}), Code::kAlreadyExists);
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, bob}), Code::kPermissionDenied);
  EXPECT_TRUE(last.bucket) << "another's";
  EXPECT_EQ(run(CreateBucket{"b", 4}), Code::kPermissionDenied);
  EXPECT_EQ(run(BeginOwnedDelete{"b", bob}), Code::kPermissionDenied);
  EXPECT_EQ(r.bucket()->state, BucketState::kActive);
  EXPECT_EQ(run(BeginOwnedDelete{"none", bob}), Code::kNotFound);
  EXPECT_EQ(run(BeginOwnedDelete{"b", alice}), Code::kOk);
  EXPECT_EQ(run(DeleteUser{"alice"}), Code::kFailedPrecondition) << "until the record is gone";
  run(DecideDelete{"b", life, 1, true});
  run(FinishRemove{"b", life});
  EXPECT_EQ(run(DeleteUser{"alice"}), Code::kOk);
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, bob}), Code::kOk);
}

TEST_F(UsersTest, RootsBucketsAreNobodyElses) {
  run(CreateUser{"alice"});
  EXPECT_EQ(run(CreateBucket{"b", 4}), Code::kOk);
  run(ActivateBucket{"b", last.bucket->incarnation});
  EXPECT_EQ(r.bucket()->owner, kRootUser);
  EXPECT_EQ(run(CreateOwnedBucket{"b", 4, user("alice").id}), Code::kPermissionDenied);
  EXPECT_EQ(run(BeginOwnedDelete{"b", user("alice").id}), Code::kPermissionDenied);
}

TEST_F(UsersTest, AReplayIsAnsweredFromMemory) {
  const Session session{2, 3, 4, 3};
  EXPECT_EQ(r.run(CreateUser{"alice"}, session).code, Code::kOk);
  EXPECT_EQ(r.run(CreateUser{"alice"}, session).code, Code::kOk);
  EXPECT_EQ(table().version, 1u);
}

#define EXPECT_HEX(bytes, text) EXPECT_EQ(to_hex(bytes), to_hex(from_hex(text)))

// Version 1, the kind, no log time, no session.
std::string head(const std::string& kind) {
  std::string out = "01" + kind;
  for (int i = 0; i < 5; ++i)
    out += "0000000000000000";
  return out;
}
std::string encoded(auto payload) {
  return encode(command_of(std::move(payload)));
}

UserRecord user_record() {
  return {5, "u", UserState::kActive, at(1000), {{"K", "s", UserState::kDisabled, at(2000)}}};
}
constexpr const char* kUserRecord =
    "0500000000000000 01000000 75 01 e803000000000000"
    "01000000 01000000 4b 01000000 73 02 d007000000000000";

TEST(UsersGolden, Commands) {
  EXPECT_HEX(encoded(CreateOwnedBucket{"b", 16, 7}),
             head("0e") + "01000000 62 10000000 0700000000000000");
  EXPECT_HEX(encoded(BeginOwnedDelete{"b", 7}), head("0f") + "01000000 62 0700000000000000");
  EXPECT_HEX(encoded(CreateUser{"u"}), head("10") + "01000000 75");
  EXPECT_HEX(encoded(DeleteUser{"u"}), head("11") + "01000000 75");
  EXPECT_HEX(encoded(SetUserState{"u", UserState::kDisabled}), head("12") + "01000000 75 02");
  EXPECT_HEX(encoded(CreateKey{"u", "K", "s"}), head("13") + "01000000 75 01000000 4b 01000000 73");
  EXPECT_HEX(encoded(DeleteKey{"K"}), head("14") + "01000000 4b");
  EXPECT_HEX(encoded(SetKeyState{"K", UserState::kActive}), head("15") + "01000000 4b 01");
}

TEST(UsersGolden, QueriesAndAnswers) {
  EXPECT_HEX(encode_query(GetUsers{7}), "01 04 0700000000000000");
  EXPECT_HEX(encode(GetUsersReply{7, std::nullopt}), "01 0700000000000000 00");
  EXPECT_HEX(encode(GetUsersReply{7, std::vector{user_record()}}),
             std::string("01 0700000000000000 01 01000000") + kUserRecord);
}

TEST(UsersGolden, StoredValuesAndKeys) {
  EXPECT_HEX(encode_value(user_record()), std::string("01") + kUserRecord);
  Replica r;
  r.run(CreateUser{"u"});
  r.run(CreateKey{"u", "K", kSecret});
  const Keys keys(kShard, 1);
  EXPECT_HEX(keys.user(0x0c), to_hex(keys.all()) + "12 000000000000000c");
  EXPECT_HEX(keys.user_name("u"), to_hex(keys.all()) + "13 75");
  EXPECT_HEX(keys.access_key("K"), to_hex(keys.all()) + "14 4b");
  EXPECT_HEX(keys.users_meta(), to_hex(keys.all()) + "15");
  EXPECT_HEX(r.kv.state().at(keys.user_name("u")), "01 0100000000000000");
  EXPECT_HEX(r.kv.state().at(keys.access_key("K")), "01 0100000000000000");
  EXPECT_HEX(r.kv.state().at(keys.users_meta()), "01 0200000000000000 0100000000000000");
}

// A record without an owner has the bytes that it had before there were any.
TEST(UsersGolden, OwnersOfBuckets) {
  BucketRecord record{"b", 5, 16, 6, BucketState::kActive, at(1000), 0};
  const std::string rest = "01 01000000 62 0500000000000000 10000000 0600000000000000";
  EXPECT_HEX(encode_value(record), rest + "02 e803000000000000");
  record.owner = 7;
  EXPECT_HEX(encode_value(record), rest + "82 e803000000000000 0700000000000000");
  EXPECT_EQ(decode_value<BucketRecord>(encode_value(record), "record")->owner, 7u);
  for (const char* bad : {"82 e803000000000000 0000000000000000", "80 e803000000000000",
                          "86 e803000000000000 0700000000000000", "82 e803000000000000"}) {
    EXPECT_TRUE(decode_value<BucketRecord>(from_hex(rest + bad), "record").is(Code::kCorrupt))
        << bad;
  }
}

TEST(UsersDamage, NeverMoreThanAnError) {
  const auto command = [](std::string_view bytes) { return decode_command(bytes); };
  const auto reply = [](std::string_view bytes) { return decode_get_users_reply(bytes); };
  const auto damage = [](const std::string& good, auto&& decode) {
    ASSERT_TRUE(decode(good).ok());
    each_truncation(good, [&](const std::string& bytes) {
      EXPECT_TRUE(decode(bytes).is(Code::kCorrupt)) << to_hex(bytes);
    });
    each_flip(good, [&](const std::string& bytes) {
      const auto result = decode(bytes);
      EXPECT_TRUE(result.ok() || result.is(Code::kCorrupt) || result.is(Code::kUnsupported));
    });
  };
  damage(encoded(CreateOwnedBucket{"b", 16, 7}), command);
  damage(encoded(CreateKey{"u", "K", "s"}), command);
  damage(encoded(SetUserState{"u", UserState::kDisabled}), command);
  damage(encode(GetUsersReply{7, std::vector{user_record()}}), reply);
}

}  // namespace
}  // namespace drumlin::shard::test
