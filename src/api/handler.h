// The API listener: health, metrics and status, as JSON and Prometheus text.
//
//   GET /health/live    200 while the process runs                       no credentials
//   GET /health/ready   200 when every shard here has a leader, else 503  no credentials
//   GET /metrics        Prometheus text format 0.0.4                      HTTP Basic
//   GET /v1/status      the node and its shards, JSON                     HTTP Basic
//   /v1/users, /v1/keys users and their keys, JSON: see api/users.h       HTTP Basic
//
// Credentials are the access key and the secret key of the configuration: root's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/users.h"
#include "http/server.h"
#include "observe/observer.h"
#include "runtime/runtime.h"

namespace drumlin::api {

// What the answers are made of. None of these yields.
struct Sources {
  std::function<bool(std::string& why_not)> ready;
  std::function<std::string()> status_json;
  std::string access_key;
  std::string secret_key;
};

class Handler {
 public:
  // `users` may be null: then the API knows nothing of them.
  Handler(observe::Observer observer, Sources sources, std::unique_ptr<UsersApi> users = nullptr);
  void handle(http::Exchange& exchange);
  // For what the HTTP layer itself refuses.
  static void error(int status, std::string_view reason, http::ResponseHead& head,
                    std::string& body);

 private:
  bool authorized(const http::RequestHead& request) const;
  observe::Observer observer_;
  Sources sources_;
  std::unique_ptr<UsersApi> users_;
};

}  // namespace drumlin::api
