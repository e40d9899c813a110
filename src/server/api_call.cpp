#include "server/api_call.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "base/digest.h"
#include "host/host.h"
#include "server/api_client.h"

namespace drumlin::server {
namespace {

// "message" of the node's error, or all that it said.
std::string reason_in(const std::string& body) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  if (!error && value.is_object()) {
    const boost::json::value* const message = value.get_object().if_contains("message");
    if (message != nullptr && message->is_string()) return std::string(message->get_string());
  }
  return body;
}

Code code_of(int status) {
  if (status == 400) return Code::kInvalidArgument;
  if (status == 401) return Code::kPermissionDenied;
  if (status == 404) return Code::kNotFound;
  if (status == 409) return Code::kFailedPrecondition;
  return status == 500 ? Code::kOutcomeUnknown : Code::kUnavailable;
}

}  // namespace

Result<std::string> ask_api(Runtime& runtime, const Settings& settings, std::string_view method,
                            std::string_view target, std::string_view body) {
  DRUMLIN_ASSIGN(const std::unique_ptr<http::Client> client, api_client(runtime, settings));
  const Endpoint& api = client->endpoint();
  http::RequestHead head;
  head.method = method;
  head.target = target;
  head.headers.append("Host", api.to_string());
  head.headers.append("Authorization", "Basic " + base64_encode(settings.config.access_key + ":" +
                                                                settings.config.secret_key));
  auto response = client->request(head, body, after(runtime.clock(), 10s), 16u << 20);
  if (!response.ok()) return response.status().with_context(api.to_string());
  const int status = response->head.status;
  if (status < 200 || status > 299) {
    return Status(code_of(status), fmt::format("{} answers {}: {}", api.to_string(), status,
                                               reason_in(response->body)));
  }
  return std::move(response->body);
}

int complain_of(const Status& status) {
  std::fprintf(stderr, "drumlin: %s\n", status.message().c_str());
  return 1;
}

int run_client(const std::function<int(Runtime&)>& command) {
  host::Host::Options options;  // without a data directory: this is only a client
  auto created = host::Host::create(options);
  if (!created.ok()) return complain_of(created.status());
  return (*created)->run([&](Runtime& runtime, Cancellation&) { return command(runtime); });
}

}  // namespace drumlin::server
