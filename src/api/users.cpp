#include "api/users.h"

#include <boost/json.hpp>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "api/answers.h"
#include "auth/principal.h"

namespace drumlin::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kUsers = "/v1/users";
constexpr std::string_view kKeys = "/v1/keys";
constexpr size_t kMaxBodyBytes = 4096;
// 90 and 240 bits of chance.
constexpr std::string_view kKeyPrefix = "DK";
constexpr size_t kKeyLetters = 18;
constexpr std::string_view kKeyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr size_t kSecretLetters = 40;
constexpr std::string_view kSecretAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool at_or_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned char byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* const begin = text.data() + i + 1;
    const auto [end, error] = std::from_chars(begin, begin + 2, byte, 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

// Below kUsers or kKeys: "/NAME" or "/NAME/VERB".
struct Place {
  std::string name;
  std::string verb;
};
std::optional<Place> parse_place(std::string_view rest) {
  rest.remove_prefix(1);
  const size_t slash = std::min(rest.find('/'), rest.size());
  const auto name = percent_decode(rest.substr(0, slash));
  const std::string_view verb = rest.substr(std::min(slash + 1, rest.size()));
  if (!name || name->empty() || verb.find('/') != std::string_view::npos) return std::nullopt;
  if (slash != rest.size() && verb.empty()) return std::nullopt;
  return Place{*name, std::string(verb)};
}

std::string_view text_of(shard::UserState state) {
  return state == shard::UserState::kActive ? "active" : "disabled";
}

json::object object_of(const shard::AccessKey& key) {
  return {{"access_key", key.id},
          {"state", text_of(key.state)},
          {"created", observe::rfc3339(key.created)}};
}

json::object object_of(const shard::UserRecord& user, std::string_view root_access_key) {
  json::array keys;
  for (const shard::AccessKey& key : user.keys)
    keys.push_back(object_of(key));
  return {{"name", user.name},
          {"owner_id", auth::canonical_user_id(user.id, root_access_key)},
          {"state", text_of(user.state)},
          {"created", observe::rfc3339(user.created)},
          {"keys", std::move(keys)}};
}

std::string line(const json::value& value) {
  return json::serialize(value) + "\n";
}

Result<std::string> read_body(http::Exchange& exchange) {
  std::string body;
  char piece[1024];
  for (;;) {
    DRUMLIN_ASSIGN(const size_t n, exchange.read_body(piece));
    if (n == 0) return body;
    if (body.size() + n > kMaxBodyBytes) return Status(Code::kTooLarge, "the body is too large");
    body.append(piece, n);
  }
}

// The field "name" of {"name": ...}, and nothing beside it.
std::optional<std::string> parse_name(std::string_view body) {
  json::error_code error;
  const json::value value = json::parse(json::string_view(body.data(), body.size()), error);
  if (error || !value.is_object() || value.get_object().size() != 1) return std::nullopt;
  const json::value* const name = value.get_object().if_contains("name");
  if (name == nullptr || !name->is_string()) return std::nullopt;
  return std::string(name->get_string());
}

struct Words {
  int status;
  std::string_view code;
};
Words words_of(Code code) {
  switch (code) {
    case Code::kNotFound:
      return {404, "NotFound"};
    case Code::kAlreadyExists:
      return {409, "AlreadyExists"};
    case Code::kFailedPrecondition:
      return {409, "UserOwnsBuckets"};
    case Code::kTooLarge:
      return {409, "LimitReached"};
    case Code::kInvalidArgument:
      return {400, "InvalidArgument"};
    case Code::kOutcomeUnknown:
      return {500, "OutcomeUnknown"};
    case Code::kExhausted:
      return {503, "SlowDown"};
    case Code::kUnavailable:
    case Code::kTimeout:
    case Code::kCancelled:
      return {503, "Unavailable"};
    default:
      return {500, "InternalError"};
  }
}

void answer_status(http::Exchange& exchange, Code code, std::string_view message) {
  const Words words = words_of(code);
  answer_error(exchange, words.status, words.code, message);
}

}  // namespace

UsersApi::UsersApi(Runtime& runtime, observe::Observer observer, router::UserStore& users,
                   std::string root_access_key, Duration timeout)
    : runtime_(runtime),
      observer_(observer),
      users_(users),
      root_access_key_(std::move(root_access_key)),
      timeout_(timeout) {}

bool UsersApi::is_for(std::string_view path) {
  return at_or_below(path, kUsers) || at_or_below(path, kKeys);
}

void UsersApi::handle(http::Exchange& exchange, std::string_view path) {
  const std::string& method = exchange.head().method;
  if (path == kUsers) {
    if (method == "GET" || method == "HEAD") return list(exchange);
    if (method == "POST") return create_user(exchange);
    return answer_error(exchange, 405, "MethodNotAllowed", "GET, HEAD or POST", "GET, HEAD, POST");
  }
  const bool of_users = at_or_below(path, kUsers);
  const std::string_view rest = path.substr(of_users ? kUsers.size() : kKeys.size());
  const auto place = rest.empty() ? std::nullopt : parse_place(rest);
  if (!place) return answer_error(exchange, 404, "NotFound", "no such path");
  of_users ? on_user(exchange, place->name, place->verb)
           : on_key(exchange, place->name, place->verb);
}

void UsersApi::on_user(http::Exchange& exchange, const std::string& name, std::string_view verb) {
  const std::string& method = exchange.head().method;
  if (verb.empty()) {
    if (method == "GET" || method == "HEAD") return show(exchange, name);
    if (method == "DELETE") {
      return change(exchange, "user deleted", name, shard::DeleteUser{name});
    }
    return answer_error(exchange, 405, "MethodNotAllowed", "GET, HEAD or DELETE",
                        "GET, HEAD, DELETE");
  }
  if (verb != "keys" && verb != "enable" && verb != "disable") {
    return answer_error(exchange, 404, "NotFound", "known: keys, enable, disable");
  }
  if (method != "POST") return answer_error(exchange, 405, "MethodNotAllowed", "POST", "POST");
  if (verb == "keys") return create_key(exchange, name);
  const bool enable = verb == "enable";
  change(
      exchange, enable ? "user enabled" : "user disabled", name,
      shard::SetUserState{name, enable ? shard::UserState::kActive : shard::UserState::kDisabled});
}

void UsersApi::on_key(http::Exchange& exchange, const std::string& key, std::string_view verb) {
  const std::string& method = exchange.head().method;
  if (verb.empty()) {
    if (method == "DELETE") return change(exchange, "key deleted", key, shard::DeleteKey{key});
    return answer_error(exchange, 405, "MethodNotAllowed", "DELETE", "DELETE");
  }
  if (verb != "enable" && verb != "disable") {
    return answer_error(exchange, 404, "NotFound", "known: enable, disable");
  }
  if (method != "POST") return answer_error(exchange, 405, "MethodNotAllowed", "POST", "POST");
  const bool enable = verb == "enable";
  change(exchange, enable ? "key enabled" : "key disabled", key,
         shard::SetKeyState{key, enable ? shard::UserState::kActive : shard::UserState::kDisabled});
}

void UsersApi::list(http::Exchange& exchange) {
  const auto table = users_.users_now(deadline());
  if (!table.ok()) return answer_status(exchange, table.code(), table.status().message());
  json::array users;
  for (const shard::UserRecord& user : (*table)->users())
    users.push_back(object_of(user, root_access_key_));
  answer(exchange, 200, kJson, line(json::object{{"users", std::move(users)}}));
}

void UsersApi::show(http::Exchange& exchange, const std::string& name) {
  const auto table = users_.users_now(deadline());
  if (!table.ok()) return answer_status(exchange, table.code(), table.status().message());
  const shard::UserRecord* const user = (*table)->user(name);
  if (user == nullptr) {
    return answer_error(exchange, 404, "NotFound", "no user \"" + name + "\"");
  }
  answer(exchange, 200, kJson, line(object_of(*user, root_access_key_)));
}

bool UsersApi::changed(http::Exchange& exchange, const Result<shard::Reply>& reply) {
  if (!reply.ok()) {
    answer_status(exchange, reply.code(), reply.status().message());
    return false;
  }
  if (reply->code != Code::kOk) {
    answer_status(exchange, reply->code, reply->message);
    return false;
  }
  return true;
}

void UsersApi::change(http::Exchange& exchange, std::string_view what, std::string_view of,
                      shard::Payload command) {
  if (!changed(exchange, users_.change(std::move(command), deadline()))) return;
  observer_.log.info("users", what, {{"of", of}});
  answer(exchange, 204, kJson, "");
}

void UsersApi::create_user(http::Exchange& exchange) {
  const auto body = read_body(exchange);
  const auto name = body.ok() ? parse_name(*body) : std::nullopt;
  if (!name) {
    return answer_error(exchange, 400, "InvalidArgument", "the body must be {\"name\": \"...\"}");
  }
  if (!changed(exchange, users_.change(shard::CreateUser{*name}, deadline()))) return;
  observer_.log.info("users", "user created", {{"of", *name}});
  const auto table = users_.users_now(deadline());
  const shard::UserRecord* const user = table.ok() ? (*table)->user(*name) : nullptr;
  // It was made, whatever came between.
  answer(exchange, 201, kJson,
         line(user != nullptr ? object_of(*user, root_access_key_)
                              : json::object{{"name", *name}, {"state", "active"}}));
}

std::string UsersApi::random_text(size_t length, std::string_view alphabet) {
  DRUMLIN_CHECK_EQ(256 % alphabet.size(), 0u);  // or some letters would be likelier
  std::string out(length, '\0');
  runtime_.secure_random(out);
  for (char& c : out)
    c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return out;
}

void UsersApi::create_key(http::Exchange& exchange, const std::string& user) {
  shard::CreateKey create;
  create.user = user;
  create.access_key = std::string(kKeyPrefix) + random_text(kKeyLetters, kKeyAlphabet);
  create.secret = random_text(kSecretLetters, kSecretAlphabet);
  const json::object made{{"user", user},
                          {"access_key", create.access_key},
                          {"secret_key", create.secret},
                          {"state", "active"}};
  const std::string access_key = create.access_key;
  if (!changed(exchange, users_.change(std::move(create), deadline()))) return;
  observer_.log.info("users", "key created", {{"of", user}, {"access_key", access_key}});
  answer(exchange, 201, kJson, line(made));
}

}  // namespace drumlin::api
