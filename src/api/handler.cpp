#include "api/handler.h"

#include <utility>

#include "api/answers.h"
#include "auth/basic.h"

namespace drumlin::api {
Handler::Handler(observe::Observer observer, Sources sources, std::unique_ptr<UsersApi> users)
    : observer_(observer), sources_(std::move(sources)), users_(std::move(users)) {}

bool Handler::authorized(const http::RequestHead& request) const {
  const auto secret_of = [this](std::string_view access_key) -> std::optional<std::string> {
    if (access_key != sources_.access_key) return std::nullopt;
    return sources_.secret_key;
  };
  return auth::verify_basic(request.headers.get("authorization"), secret_of).has_value();
}

void Handler::handle(http::Exchange& exchange) {
  const http::RequestHead& request = exchange.head();
  const std::string_view path =
      std::string_view(request.target).substr(0, request.target.find('?'));
  const bool of_users = users_ != nullptr && UsersApi::is_for(path);
  if (!of_users && request.method != "GET" && request.method != "HEAD") {
    answer_error(exchange, 405, "MethodNotAllowed", "only GET and HEAD", "GET, HEAD");
  } else if (path == "/health/live") {
    answer(exchange, 200, kJson, "{\"live\":true}\n");
  } else if (path == "/health/ready") {
    std::string why_not;
    if (sources_.ready(why_not)) {
      answer(exchange, 200, kJson, "{\"ready\":true}\n");
    } else {
      answer_error(exchange, 503, "NotReady", why_not);
    }
  } else if (!authorized(request)) {
    answer_error(exchange, 401, "Unauthorized",
                 "HTTP Basic with access key and secret key of the configuration");
  } else if (of_users) {
    users_->handle(exchange, path);
  } else if (path == "/metrics") {
    answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", observer_.metrics.render());
  } else if (path == "/v1/status") {
    answer(exchange, 200, kJson, sources_.status_json());
  } else {
    answer_error(exchange, 404, "NotFound",
                 "known: /health/live, /health/ready, /metrics, /v1/status, /v1/users, /v1/keys");
  }
}

void Handler::error(int status, std::string_view reason, http::ResponseHead& head,
                    std::string& body) {
  (void)status;
  head.headers.append("Content-Type", kJson);
  body = error_json("BadRequest", reason);
}

}  // namespace drumlin::api
