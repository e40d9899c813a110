// The part of the workload about users: makes them and their keys, changes keys while others use them,
// tries what is another's, and keys that are no longer good.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/digest.h"
#include "sim/workload/names.h"

namespace drumlin::sim {
namespace {

namespace json = boost::json;

// By then every node knows a key; so that nobody is refused in a rotation that is done well.
constexpr Duration kSettle = 1100ms;

std::string user_name(uint32_t number) {
  return fmt::format("user-{}", number);
}

json::object parse(const std::string& body) {
  json::error_code error;
  json::value value = json::parse(body, error);
  return error || !value.is_object() ? json::object() : std::move(value.as_object());
}

std::string text(const json::object& object, std::string_view field) {
  const json::value* const value = object.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

uint32_t Workload::owner_of(uint32_t bucket) const {
  return bucket % plan_.users;
}

auth::Credentials Workload::credentials_of(uint32_t user) const {
  return users_.at(user).current;
}

// Sets whose operation it is: of the bucket's owner, but for intrusions and old keys.
void Workload::sign_as_owner(Client& client, const Op& op) {
  if (plan_.users == 0) return;
  client.s3->keys = credentials_of(owner_of(op.bucket));
}

void Workload::note_key(const std::string& key, Instant began, const S3Answer& answer) {
  if (answer.status == 0 || answer.status == 503) return;
  // A HEAD's refusal has no words, and could be a denial: it is judged where that cannot be.
  const bool wordless = answer.status == 403 && answer.code.empty();
  if (wordless) return;
  access_.used(key, began, world_.now(), answer.code == "InvalidAccessKeyId");
}

// Asks the nodes in turn until one says something definite.
S3Answer Workload::ask_api(Client& client, std::string_view method, const std::string& target,
                           std::string_view body) {
  for (;; client.node = 1 + client.node % plan_.nodes) {
    S3Answer answer = client.s3->api(cluster_.api(client.node), method, target, body);
    if (answer.status != 0 && answer.status < 500) return answer;
    (void)client.runtime.sleep_for(kPause);
  }
}

bool Workload::revoke(Client& client, const std::string& key, bool disable) {
  access_.revoking(key, world_.now());
  const S3Answer answer = disable ? ask_api(client, "POST", "/v1/keys/" + key + "/disable")
                                  : ask_api(client, "DELETE", "/v1/keys/" + key);
  if (!answer.ok() && answer.status != 404) {
    verdict_.safety("answer", fmt::format("revoking {}: {} {}", key, answer.status, answer.body));
    return false;
  }
  access_.revoked(key, world_.now());
  return true;
}

// Keys that nobody holds: of a making whose answer was lost, or disabled once.
void Workload::sweep_keys(Client& client, uint32_t user) {
  const S3Answer answer = ask_api(client, "GET", "/v1/users/" + user_name(user));
  const json::object record = parse(answer.body);
  const json::value* const keys = record.if_contains("keys");
  if (!answer.ok() || keys == nullptr || !keys->is_array()) {
    verdict_.safety("answer",
                    fmt::format("{}: {} {}", user_name(user), answer.status, answer.body));
    return;
  }
  for (const json::value& each : keys->get_array()) {
    const std::string key = text(each.as_object(), "access_key");
    if (key != users_[user].current.access_key) revoke(client, key, /*disable=*/false);
  }
}

std::optional<auth::Credentials> Workload::make_key(Client& client, uint32_t user) {
  sweep_keys(client, user);
  // Once: after a lost answer there may be a key, and a retry would make another.
  const S3Answer answer = client.s3->api(cluster_.api(client.node), "POST",
                                         "/v1/users/" + user_name(user) + "/keys", {});
  if (answer.status != 201) return std::nullopt;
  const json::object made = parse(answer.body);
  auth::Credentials out{text(made, "access_key"), text(made, "secret_key")};
  access_.created(out.access_key, world_.now());
  return out;
}

void Workload::prepare_users(Client& client) {
  for (uint32_t u = 0; u < plan_.users; ++u) {
    const std::string body = json::serialize(json::object{{"name", user_name(u)}});
    const S3Answer made = ask_api(client, "POST", "/v1/users", body);
    if (made.status != 201 && made.status != 409) {
      verdict_.safety("answer", fmt::format("a user: {} {}", made.status, made.body));
      return;
    }
    for (;;) {
      if (auto key = make_key(client, u)) {
        users_[u].current = std::move(*key);
        break;
      }
      client.node = 1 + client.node % plan_.nodes;
      (void)client.runtime.sleep_for(kPause);
    }
  }
}

// As whoever cares for keys does it: the new one, time, everybody to the new one, the old one goes.
S3Answer Workload::rotate_key(Client& client, const Op& op, uint32_t node) {
  const uint32_t number = op.key % plan_.users;
  User& user = users_[number];
  S3Answer answer;
  answer.outcome = Outcome::kNotDone;
  answer.status = 409;
  answer.code = "Rotating";
  if (user.rotating) return answer;  // by another client
  user.rotating = true;
  client.node = node;
  if (auto key = make_key(client, number)) {
    (void)client.runtime.sleep_for(kSettle);
    user.retired.push_back(std::exchange(user.current, std::move(*key)));
    revoke(client, user.retired.back().access_key, /*disable=*/op.size % 2 == 1);
    answer.outcome = Outcome::kDone;
    answer.status = 204;
    answer.code.clear();
  }
  user.rotating = false;
  return answer;
}

S3Answer Workload::old_key(Client& client, const Op& op, const Endpoint& node) {
  const std::vector<auth::Credentials>& retired = users_[owner_of(op.bucket)].retired;
  if (!retired.empty()) client.s3->keys = retired[op.key % retired.size()];
  const std::string bucket = bucket_name(op.bucket);
  switch (op.size % 3) {
    case 0:
      return client.s3->call(node, "GET", "/" + bucket + "?list-type=2");
    case 1:
      return client.s3->call(node, "GET", object_target(op));
    default:
      return client.s3->call(node, "GET", "/");
  }
}

// One of the operations there are, on what another user owns.
S3Answer Workload::intrude(Client& client, const Op& op, const Endpoint& node) {
  constexpr uint32_t kMake = 7;
  constexpr uint32_t kKinds = 9;
  const uint32_t kind = op.size % kKinds;
  // Of those that come and go anybody could well become the owner.
  const uint32_t number = kind == kMake ? op.bucket % plan_.buckets : op.bucket;
  const std::string bucket = bucket_name(number);
  client.s3->keys = credentials_of((owner_of(number) + 1) % plan_.users);
  const History::Start start = history_.begin(bucket, key_of(op.key));
  const auto call = [&](std::string_view method, const std::string& target) {
    return client.s3->call(node, method, target);
  };
  S3Answer answer;
  std::string what;
  switch (kind) {
    case 0:
      what = "GET of an object";
      answer = call("GET", object_target(op));
      break;
    case 1:
      what = "HEAD of an object";
      answer = call("HEAD", object_target(op));
      break;
    case 2: {
      what = "PUT of an object";
      const std::string id = fmt::format("intruder{}-{}", client.number, client.puts++);
      const std::string body = body_of(id, 100);
      answer = client.s3->put(node, object_target(op), body, id, Encoding::kSigned);
      history_.wrote(start, bucket, key_of(op.key),
                     History::Value{id, hex(as_view(md5(body))), body.size()}, answer.outcome,
                     answer.version);
      break;
    }
    case 3:
      what = "DELETE of an object";
      answer = call("DELETE", object_target(op));
      break;
    case 4:
      what = "a listing";
      answer = call("GET", "/" + bucket + "?list-type=2");
      break;
    case 5:
      what = "HEAD of a bucket";
      answer = call("HEAD", "/" + bucket);
      break;
    case 6:
      what = "DELETE of a bucket";
      answer = call("DELETE", "/" + bucket);
      break;
    case kMake:
      what = "making a bucket";
      answer = call("PUT", "/" + bucket);
      break;
    default:
      return list_own(client, op, node);
  }
  judge_intrusion(start, bucket, what, answer);
  return answer;
}

void Workload::judge_intrusion(const History::Start& start, const std::string& bucket,
                               const std::string& what, const S3Answer& answer) {
  if (answer.status == 0 || answer.status >= 500) return;
  const bool gone = answer.status == 404 && !answer.headers.has("x-drumlin-version") &&
                    (answer.code.empty() || answer.code == "NoSuchBucket");
  const bool taken = answer.code == "BucketAlreadyExists";
  const bool denied = answer.status == 403;
  access_.intruded(what + " in " + bucket, !gone && !taken && !denied,
                   fmt::format("{} {}", answer.status, answer.code));
  if (gone) history_.saw_bucket(start, bucket, false);
}

// All of its own that stay, and none of another's.
S3Answer Workload::list_own(Client& client, const Op& op, const Endpoint& node) {
  const uint32_t user = (owner_of(op.bucket) + 1) % plan_.users;
  S3Answer answer = client.s3->call(node, "GET", "/");
  if (!answer.ok()) return answer;
  const std::vector<std::string> names = xml_elements(answer.body, "Name");
  for (uint32_t b = 0; b < plan_.buckets + plan_.churn_buckets(); ++b) {
    const bool there = std::find(names.begin(), names.end(), bucket_name(b)) != names.end();
    const bool own = owner_of(b) == user;
    const bool stays = b < plan_.buckets;
    access_.intruded("ListBuckets", there ? !own : own && stays,
                     fmt::format("{} is {}", bucket_name(b), there ? "listed" : "missing"));
  }
  return answer;
}

}  // namespace drumlin::sim
