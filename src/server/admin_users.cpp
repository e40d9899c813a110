#include "server/admin_users.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <exception>

#include "server/api_call.h"

namespace drumlin::server {
namespace {

namespace json = boost::json;

std::string text(const json::value& v) {
  return std::string(v.as_string());
}

// A name as part of a path.
std::string encoded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

struct Request {
  std::string method;
  std::string target;
  std::string body;
};

Request request_of(const UsersCommand& command) {
  const std::string user = "/v1/users/" + encoded(command.name);
  if (command.verb == "list") return {"GET", command.name.empty() ? "/v1/users" : user, ""};
  if (command.verb == "create" && command.keys) return {"POST", user + "/keys", ""};
  if (command.verb == "create") {
    return {"POST", "/v1/users", json::serialize(json::object{{"name", command.name}})};
  }
  const std::string target = command.keys ? "/v1/keys/" + encoded(command.name) : user;
  if (command.verb == "delete") return {"DELETE", target, ""};
  return {"POST", target + "/" + command.verb, ""};
}

void print_users(const json::array& users) {
  fmt::print("{:<24} {:<9} {:>4}  {:<28} {}\n", "user", "state", "keys", "created", "owner id");
  for (const json::value& item : users) {
    const json::object& user = item.as_object();
    fmt::print("{:<24} {:<9} {:>4}  {:<28} {}\n", text(user.at("name")), text(user.at("state")),
               user.at("keys").as_array().size(), text(user.at("created")),
               text(user.at("owner_id")));
  }
}

void print_keys(const json::array& users) {
  fmt::print("{:<22} {:<9} {:<28} {}\n", "access key", "state", "created", "user");
  for (const json::value& item : users) {
    const json::object& user = item.as_object();
    for (const json::value& each : user.at("keys").as_array()) {
      const json::object& key = each.as_object();
      fmt::print("{:<22} {:<9} {:<28} {}\n", text(key.at("access_key")), text(key.at("state")),
                 text(key.at("created")), text(user.at("name")));
    }
  }
}

void print_list(const UsersCommand& command, const json::object& answer) {
  json::array users;
  if (command.name.empty()) {
    users = answer.at("users").as_array();
  } else {
    users.push_back(answer);
  }
  command.keys ? print_keys(users) : print_users(users);
}

void print_answer(const UsersCommand& command, const std::string& body) {
  if (command.verb == "list") return print_list(command, json::parse(body).as_object());
  if (command.verb == "create" && command.keys) {
    const json::object key = json::parse(body).as_object();
    fmt::print("access_key  {}\nsecret_key  {}\n", text(key.at("access_key")),
               text(key.at("secret_key")));
    std::fputs("The secret key is shown this once and never again.\n", stderr);
    return;
  }
  static constexpr std::string_view kDone[] = {"created", "deleted", "disabled", "enabled"};
  for (std::string_view done : kDone) {
    if (done.starts_with(command.verb)) {
      fmt::print("{} {} {}\n", command.keys ? "key" : "user", command.name, done);
    }
  }
}

}  // namespace

int run_admin_users(const Settings& settings, const UsersCommand& command) {
  return run_client([&](Runtime& runtime) {
    const Request request = request_of(command);
    const auto body = ask_api(runtime, settings, request.method, request.target, request.body);
    if (!body.ok()) return complain_of(body.status());
    if (command.json) {
      std::fputs(body->c_str(), stdout);
      return 0;
    }
    try {
      print_answer(command, *body);
    } catch (const std::exception& e) {  // Boost.JSON: no JSON, a field missing or of another type
      std::fprintf(stderr, "drumlin: the node answers otherwise than this program expects: %s\n",
                   e.what());
      return 1;
    }
    return 0;
  });
}

}  // namespace drumlin::server
