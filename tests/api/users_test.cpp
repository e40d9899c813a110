// Users and keys over the API: every path and method, who may, what is said of secrets, errors.
#include "api/users.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>

#include "api/handler.h"
#include "auth/basic.h"
#include "http/client.h"
#include "tests/support/world.h"

namespace drumlin::api {
namespace {

const Endpoint kHere{"10.0.0.1", 9001};
const auth::Credentials kRoot{"ROOT", "secret key"};

// The table in memory, naive on purpose.
class FakeUsers : public router::UserStore {
 public:
  Result<router::UserTablePtr> users(Instant) override { return Status(Code::kUnsupported); }
  Result<router::UserTablePtr> users_now(Instant) override {
    DRUMLIN_TRY(fail);
    std::vector<shard::UserRecord> all;
    for (const auto& [name, user] : users_)
      all.push_back(user);
    return std::make_shared<const router::UserTable>(1, std::move(all));
  }
  Result<shard::Reply> change(shard::Payload command, Instant) override {
    DRUMLIN_TRY(fail);
    return std::visit([&](auto& c) { return apply(c); }, command);
  }

  Status fail;
  Code refuse = Code::kOk;  // by the shard
  std::map<std::string, shard::UserRecord> users_;

 private:
  static shard::Reply with(Code code) {
    shard::Reply reply;
    reply.code = code;
    reply.message = "says the test";
    return reply;
  }
  shard::Reply apply(shard::CreateUser& c) {
    if (refuse != Code::kOk) return with(refuse);
    if (users_.contains(c.user)) return with(Code::kAlreadyExists);
    users_[c.user].name = c.user;
    users_[c.user].id = users_.size();
    return with(Code::kOk);
  }
  shard::Reply apply(shard::DeleteUser& c) {
    if (refuse != Code::kOk) return with(refuse);
    return with(users_.erase(c.user) != 0 ? Code::kOk : Code::kNotFound);
  }
  shard::Reply apply(shard::SetUserState& c) {
    if (!users_.contains(c.user)) return with(Code::kNotFound);
    users_[c.user].state = c.state;
    return with(Code::kOk);
  }
  shard::Reply apply(shard::CreateKey& c) {
    if (!users_.contains(c.user)) return with(Code::kNotFound);
    users_[c.user].keys.push_back({c.access_key, c.secret, shard::UserState::kActive, {}});
    return with(Code::kOk);
  }
  shard::Reply apply(shard::DeleteKey& c) {
    for (auto& [name, user] : users_)
      if (std::erase_if(user.keys, [&](const auto& k) { return k.id == c.access_key; }) != 0)
        return with(Code::kOk);
    return with(Code::kNotFound);
  }
  shard::Reply apply(shard::SetKeyState& c) {
    for (auto& [name, user] : users_) {
      for (auto& key : user.keys) {
        if (key.id != c.access_key) continue;
        key.state = c.state;
        return with(Code::kOk);
      }
    }
    return with(Code::kNotFound);
  }
  template <typename T>
  shard::Reply apply(T&) {
    return with(Code::kUnsupported);
  }
};

struct UsersApiTest : ::testing::Test {
  UsersApiTest()
      : handler(world.observer(),
                {[](std::string&) { return true; }, [] { return std::string("{}\n"); },
                 kRoot.access_key, kRoot.secret_key},
                std::make_unique<UsersApi>(world, world.observer(), users, kRoot.access_key, 5s)),
        server(
            world, world.observer(), *world.listen(kHere), http::Limits{},
            [this](http::Exchange& exchange) { handler.handle(exchange); }, Handler::error) {
    server.start();
  }
  ~UsersApiTest() override { world.scheduler().kill(world.domain()); }

  http::Client::Response call(std::string method, std::string target, std::string_view body = {},
                              const auth::Credentials& as = kRoot) {
    http::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    head.headers.set("Host", "drumlin.test");
    head.headers.set("Authorization", auth::make_basic(as));
    http::Client::Response out;
    world.run([&] {
      http::Client client(world, kHere);
      auto response = client.request(head, body, after(world.clock(), 60s), 1 << 20);
      ASSERT_TRUE(response.ok()) << response.status().to_string();
      out = std::move(*response);
    });
    return out;
  }
  // "404 NotFound", or "204".
  std::string brief(std::string method, std::string target, std::string_view body = {}) {
    const auto answer = call(std::move(method), std::move(target), body);
    std::string out = std::to_string(answer.head.status);
    if (answer.head.status >= 300)
      out += " " + std::string(boost::json::parse(answer.body).at("error").as_string());
    return out;
  }

  drumlin::test::World world;
  FakeUsers users;
  Handler handler;
  http::Server server;
};

TEST_F(UsersApiTest, OfAUserFromFirstToLast) {
  const auto made = call("POST", "/v1/users", "{\"name\":\"alice\"}");
  EXPECT_EQ(made.head.status, 201);
  const auto user = boost::json::parse(made.body).as_object();
  EXPECT_EQ(user.at("name"), "alice");
  EXPECT_EQ(user.at("owner_id").as_string().size(), 64u);
  EXPECT_EQ(brief("POST", "/v1/users", "{\"name\":\"alice\"}"), "409 AlreadyExists");
  EXPECT_EQ(call("GET", "/v1/users/alice").body, made.body);
  EXPECT_EQ(brief("GET", "/v1/users/bob"), "404 NotFound");
  EXPECT_EQ(brief("POST", "/v1/users/alice/disable"), "204");
  EXPECT_EQ(users.users_.at("alice").state, shard::UserState::kDisabled);
  EXPECT_EQ(brief("POST", "/v1/users/alice/enable"), "204");
  EXPECT_EQ(users.users_.at("alice").state, shard::UserState::kActive);
  EXPECT_EQ(brief("DELETE", "/v1/users/alice"), "204");
  EXPECT_EQ(brief("DELETE", "/v1/users/alice"), "404 NotFound");
  EXPECT_EQ(call("GET", "/v1/users").body, "{\"users\":[]}\n");
}

// A path may hold any bytes, JSON only UTF-8.
TEST_F(UsersApiTest, AnErrorIsJsonWhateverItIsAbout) {
  const auto message = [this](const char* method, const char* target) {
    const auto answer = call(method, target);
    EXPECT_EQ(answer.head.status, 404);
    return std::string(boost::json::parse(answer.body).at("message").as_string());
  };
  EXPECT_EQ(message("GET", "/v1/users/a%85b"), "no user \"a%85b\"");
  EXPECT_EQ(message("GET", "/v1/users/%C3%B6"), "no user \"\u00f6\"");
  EXPECT_EQ(message("GET", "/v1/users/%00%22"), std::string("no user \"\0\"\"", 12));
}

TEST_F(UsersApiTest, ASecretIsToldOnce) {
  call("POST", "/v1/users", "{\"name\":\"alice\"}");
  for (int i = 0; i < 3; ++i) {
    const auto answer = call("POST", "/v1/users/alice/keys");
    EXPECT_EQ(answer.head.status, 201);
    const auto made = boost::json::parse(answer.body).as_object();
    const std::string key(made.at("access_key").as_string());
    const std::string secret(made.at("secret_key").as_string());
    EXPECT_EQ(key.size(), 20u);
    EXPECT_EQ(secret.size(), 40u);
    EXPECT_EQ(users.users_.at("alice").keys.back().secret, secret);
    for (const char* path : {"/v1/users", "/v1/users/alice", "/metrics", "/v1/status"}) {
      const std::string body = call("GET", path).body;
      EXPECT_EQ(body.find(secret), std::string::npos) << path;
    }
    EXPECT_NE(call("GET", "/v1/users").body.find(key), std::string::npos);
  }
}

TEST_F(UsersApiTest, KeysAreDisabledAndDeleted) {
  call("POST", "/v1/users", "{\"name\":\"alice\"}");
  call("POST", "/v1/users/alice/keys");
  const std::string path = "/v1/keys/" + users.users_.at("alice").keys[0].id;
  EXPECT_EQ(brief("POST", path + "/disable"), "204");
  EXPECT_EQ(users.users_.at("alice").keys[0].state, shard::UserState::kDisabled);
  EXPECT_EQ(brief("POST", path + "/enable"), "204");
  EXPECT_EQ(users.users_.at("alice").keys[0].state, shard::UserState::kActive);
  EXPECT_EQ(brief("DELETE", path), "204");
  EXPECT_EQ(brief("DELETE", path), "404 NotFound");
  EXPECT_EQ(brief("POST", path + "/enable"), "404 NotFound");
  EXPECT_EQ(brief("POST", "/v1/users/bob/keys"), "404 NotFound");
}

TEST_F(UsersApiTest, OnlyRootMay) {
  call("POST", "/v1/users", "{\"name\":\"alice\"}");
  call("POST", "/v1/users/alice/keys");
  const shard::AccessKey& key = users.users_.at("alice").keys[0];
  const std::pair<const char*, const char*> requests[] = {{"GET", "/v1/users"},
                                                          {"POST", "/v1/users"},
                                                          {"DELETE", "/v1/users/alice"},
                                                          {"POST", "/v1/users/alice/keys"},
                                                          {"DELETE", "/v1/keys/K"}};
  for (const auto& [method, path] : requests) {
    for (const auth::Credentials& as :
         {auth::Credentials{key.id, key.secret}, auth::Credentials{"ROOT", "wrong"},
          auth::Credentials{"", ""}}) {
      EXPECT_EQ(call(method, path, "{\"name\":\"x\"}", as).head.status, 401) << path;
    }
  }
  EXPECT_EQ(users.users_.size(), 1u);
}

TEST_F(UsersApiTest, PathsAndMethods) {
  EXPECT_EQ(brief("PUT", "/v1/users"), "405 MethodNotAllowed");
  EXPECT_EQ(call("PUT", "/v1/users").head.headers.get("Allow"), "GET, HEAD, POST");
  EXPECT_EQ(brief("POST", "/v1/users/alice"), "405 MethodNotAllowed");
  EXPECT_EQ(brief("GET", "/v1/users/alice/keys"), "405 MethodNotAllowed");
  EXPECT_EQ(brief("GET", "/v1/keys/K"), "405 MethodNotAllowed");
  EXPECT_EQ(brief("GET", "/v1/keys/K/enable"), "405 MethodNotAllowed");
  for (const char* path :
       {"/v1/users/", "/v1/users//keys", "/v1/users/a/", "/v1/users/a/b", "/v1/users/a/keys/b",
        "/v1/keys", "/v1/keys/", "/v1/keys/K/x", "/v1/usersx", "/v1/users/%zz", "/v1/users/%4"}) {
    EXPECT_EQ(call("GET", path).head.status, 404) << path;
  }
  call("POST", "/v1/users", "{\"name\":\"a@b\"}");
  EXPECT_EQ(brief("GET", "/v1/users/a%40b"), "200");
  EXPECT_EQ(brief("GET", "/v1/users/a@b?x=y"), "200");
}

TEST_F(UsersApiTest, Bodies) {
  for (const char* bad : {"", "x", "[]", "{}", "{\"name\":1}", "{\"name\":\"a\",\"more\":1}",
                          "{\"name\":\"a\"} x", "{\"nam\":\"a\"}"}) {
    EXPECT_EQ(brief("POST", "/v1/users", bad), "400 InvalidArgument") << bad;
  }
  EXPECT_EQ(brief("POST", "/v1/users", std::string(5000, ' ')), "400 InvalidArgument");
  EXPECT_TRUE(users.users_.empty());
}

TEST_F(UsersApiTest, ErrorsOfTheShardAndOfTheWay) {
  const std::string body = "{\"name\":\"a\"}";
  users.refuse = Code::kTooLarge;
  EXPECT_EQ(brief("POST", "/v1/users", body), "409 LimitReached");
  users.refuse = Code::kInvalidArgument;
  EXPECT_EQ(brief("POST", "/v1/users", body), "400 InvalidArgument");
  users.refuse = Code::kFailedPrecondition;
  EXPECT_EQ(brief("DELETE", "/v1/users/a"), "409 UserOwnsBuckets");
  users.fail = Status(Code::kUnavailable, "no leader");
  EXPECT_EQ(brief("POST", "/v1/users", body), "503 Unavailable");
  EXPECT_EQ(call("GET", "/v1/users").head.headers.get("Retry-After"), "1");
  users.fail = Status(Code::kOutcomeUnknown, "lost");
  EXPECT_EQ(brief("DELETE", "/v1/users/a"), "500 OutcomeUnknown");
  users.fail = Status(Code::kExhausted, "busy");
  EXPECT_EQ(brief("GET", "/v1/users/a"), "503 SlowDown");
  users.fail = Status(Code::kCorrupt, "bad");
  EXPECT_EQ(brief("GET", "/v1/users"), "500 InternalError");
}

}  // namespace
}  // namespace drumlin::api
