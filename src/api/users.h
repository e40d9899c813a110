// The part of the API about users and their keys. All of it is root's.
//
//   GET    /v1/users                all users with the names of their keys
//   POST   /v1/users                {"name": NAME}: makes one. 201
//   GET    /v1/users/NAME
//   DELETE /v1/users/NAME           with its keys; 409 UserOwnsBuckets. 204
//   POST   /v1/users/NAME/disable   and /enable. 204
//   POST   /v1/users/NAME/keys      makes a key. 201; the only answer that ever holds its secret
//   DELETE /v1/keys/KEY             204
//   POST   /v1/keys/KEY/disable     and /enable. 204
//
// Lists are linearizable. A change is known to every node within a second of its answer. After an
// error 500 OutcomeUnknown, look: a key may be there whose secret nobody knows.
#pragma once

#include <string>
#include <string_view>

#include "http/exchange.h"
#include "observe/observer.h"
#include "router/users.h"
#include "runtime/runtime.h"

namespace drumlin::api {

class UsersApi {
 public:
  // References outlive it. `timeout`: of what a request asks of the cluster.
  UsersApi(Runtime& runtime, observe::Observer observer, router::UserStore& users,
           std::string root_access_key, Duration timeout);

  static bool is_for(std::string_view path);
  // REQUIRES: is_for(path), and the caller is root. Yields.
  void handle(http::Exchange& exchange, std::string_view path);

 private:
  void list(http::Exchange& exchange);
  void show(http::Exchange& exchange, const std::string& name);
  void create_user(http::Exchange& exchange);
  void create_key(http::Exchange& exchange, const std::string& user);
  void change(http::Exchange& exchange, std::string_view what, std::string_view of,
              shard::Payload command);
  void on_user(http::Exchange& exchange, const std::string& name, std::string_view verb);
  void on_key(http::Exchange& exchange, const std::string& key, std::string_view verb);
  // Answers unless the change was made.
  bool changed(http::Exchange& exchange, const Result<shard::Reply>& reply);
  std::string random_text(size_t length, std::string_view alphabet);
  Instant deadline() const { return after(runtime_.clock(), timeout_); }

  Runtime& runtime_;
  observe::Observer observer_;
  router::UserStore& users_;
  const std::string root_access_key_;
  const Duration timeout_;
};

}  // namespace drumlin::api
