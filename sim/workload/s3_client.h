// S3Client: what an SDK does, on simulated streams: signs, frames bodies as current SDKs do, understands
// answers. Speaks bytes to whichever node it is told; knows nothing of what is behind them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/credentials.h"
#include "http/client.h"
#include "sim/check/history.h"
#include "sim/plan/plan.h"

namespace drumlin::sim {

struct S3Answer {
  Outcome outcome = Outcome::kUnknown;
  int status = 0;        // 0: none came
  std::string code;      // of an error, "NoSuchKey"
  uint64_t version = 0;  // x-drumlin-version; 0: none
  http::Headers headers;
  uint64_t content_length = 0;
  std::string body;

  bool ok() const { return status >= 200 && status < 300; }
};

class S3Client {
 public:
  explicit S3Client(Runtime& runtime);

  auth::Credentials keys;  // that sign; root's at first

  // All yield, at most kPatience.
  static constexpr Duration kPatience = 8s;
  S3Answer put(const Endpoint& node, const std::string& target, std::string_view body,
               std::string_view id, Encoding encoding, const http::Headers& more = {});
  // With the body's MD5, for the operations that want a digest.
  S3Answer post(const Endpoint& node, const std::string& target, std::string_view body);
  S3Answer call(const Endpoint& node, std::string_view method, const std::string& target,
                http::Headers headers = {});

  // A request to a node's API, with root's credentials. `outcome` and `code` mean little.
  S3Answer api(const Endpoint& node, std::string_view method, const std::string& target,
               std::string_view body);

 private:
  S3Answer send(const Endpoint& node, http::RequestHead head, std::string_view body);
  http::Client& client(const Endpoint& node);

  Runtime& runtime_;
  std::map<Endpoint, std::unique_ptr<http::Client>> clients_;
};

// The texts of all <name> elements, in order. For answers of our own nodes: no attributes, no nesting
// of a name in itself.
std::vector<std::string> xml_elements(std::string_view xml, std::string_view name);

}  // namespace drumlin::sim
