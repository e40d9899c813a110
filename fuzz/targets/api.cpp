// The admin API: requests about users and keys, whatever is in their paths and JSON, to a handler over
// the shard that keeps them.
#include <boost/json.hpp>
#include <memory>
#include <string>

#include "api/handler.h"
#include "auth/basic.h"
#include "base/check.h"
#include "fuzz/targets/memory_stream.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "http/reader.h"
#include "shard/query.h"
#include "shard/shard.h"
#include "tests/support/map_kv.h"
#include "tests/support/world.h"

namespace drumlin::fuzz {
namespace {

const auth::Credentials kRoot{"ROOT", "the secret of root"};

// The catalogue, without a cluster.
class Catalogue final : public router::UserStore {
 public:
  Result<router::UserTablePtr> users(Instant deadline) override { return users_now(deadline); }
  Result<router::UserTablePtr> users_now(Instant) override {
    const auto answer = shard_.query(kv_, shard::encode_query(shard::GetUsers{}));
    DRUMLIN_CHECK_OK(answer.status());
    auto reply = shard::decode_get_users_reply(*answer);
    DRUMLIN_CHECK(reply.ok() && reply->users, reply.status().to_string());
    return std::make_shared<const router::UserTable>(reply->version, std::move(*reply->users));
  }
  Result<shard::Reply> change(shard::Payload payload, Instant) override {
    shard::Command command;
    command.payload = std::move(payload);
    kv::Batch batch;
    const auto applied = shard_.apply(kv_, batch, shard_.applied() + 1, shard::encode(command));
    DRUMLIN_CHECK_OK(applied.status());
    DRUMLIN_CHECK_OK(kv_.write(batch, kv::Access::kBlocking));
    shard_.commit_applied();
    return shard::decode_reply(applied->reply);
  }

 private:
  test::MapKv kv_;
  shard::Shard shard_{0, 1};
};

struct Answer {
  int status = 0;  // 0: the request itself was refused
  std::string body;
};

class Api {
 public:
  Api()
      : handler_(world_.observer(),
                 {[](std::string&) { return true; }, [] { return std::string("{}\n"); },
                  kRoot.access_key, kRoot.secret_key},
                 std::make_unique<api::UsersApi>(world_, world_.observer(), catalogue_,
                                                 kRoot.access_key, 5s)) {}

  Answer ask(std::string_view method, std::string_view target, std::string_view body) {
    const std::string text = std::string(method) + " " + std::string(target) +
                             " HTTP/1.1\r\nHost: x\r\nAuthorization: " + auth::make_basic(kRoot) +
                             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                             std::string(body);
    MemoryStream stream(text);
    http::MessageReader reader(stream, limits_.head_bytes);
    http::RequestHead head;
    http::HeadScanner::Found found;
    while ((found = reader.next_head()) == http::HeadScanner::Found::kNeedMore) {
      const auto n = reader.fill();
      if (!n.ok() || *n == 0) return {};
    }
    if (found != http::HeadScanner::Found::kHead || reader.take_request(head)) return {};
    const bool stopping = false;
    http::Exchange exchange(stream, reader, world_.clock(), limits_, head, stopping);
    handler_.handle(exchange);
    DRUMLIN_CHECK(exchange.responded());
    const std::string& written = stream.written();
    return {exchange.status(), written.substr(written.find("\r\n\r\n") + 4)};
  }
  router::UserTablePtr table() { return catalogue_.users_now(Instant{}).value(); }

 private:
  test::World world_;
  const http::Limits limits_;
  Catalogue catalogue_;
  api::Handler handler_;
};

bool is_json(std::string_view text) {
  boost::json::error_code error;
  (void)boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  return !error;
}

}  // namespace

// One request after the other: method, target, body.
void admin_api(std::string_view input) {
  static constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH"};
  Source source(input);
  Api api;
  for (int i = 0; i < 16 && !source.empty(); ++i) {
    const std::string_view method = kMethods[source.below(std::size(kMethods))];
    const std::string target = source.string(300);
    const Answer answer = api.ask(method, target, source.text(5000));
    if (answer.status == 0) continue;
    DRUMLIN_CHECK(answer.status >= 200 && answer.status != 500, method, target, answer.body);
    const bool wordless = method == "HEAD" || answer.status == 204;
    DRUMLIN_CHECK(wordless ? answer.body.empty() : target == "/metrics" || is_json(answer.body),
                  answer.body);
    // A secret is told once.
    const auto table = api.table();
    for (const shard::UserRecord& user : table->users()) {
      DRUMLIN_CHECK(shard::valid_user_name(user.name), user.name);
      for (const shard::AccessKey& key : user.keys) {
        DRUMLIN_CHECK(answer.status == 201 || answer.body.find(key.secret) == std::string::npos);
      }
    }
  }
  const Answer all = api.ask("GET", "/v1/users", "");
  DRUMLIN_CHECK_EQ(all.status, 200);
  const boost::json::value listed = boost::json::parse(all.body);
  DRUMLIN_CHECK_EQ(listed.at("users").as_array().size(), api.table()->users().size());
}

}  // namespace drumlin::fuzz
