#include "api/handler.h"

#include <boost/json.hpp>

#include "auth/basic.h"

namespace drumlin::api {
namespace {

std::string error_json(std::string_view code, std::string_view message) {
  return boost::json::serialize(boost::json::object{{"error", code}, {"message", message}}) + "\n";
}

Status answer(http::Exchange& exchange, int status, std::string_view type, std::string_view body) {
  http::ResponseHead head;
  head.status = status;
  head.headers.append("Content-Type", type);
  head.headers.append("Cache-Control", "no-store");
  if (status == 401) head.headers.append("WWW-Authenticate", "Basic realm=\"drumlin\"");
  if (status == 405) head.headers.append("Allow", "GET, HEAD");
  return exchange.respond(std::move(head), body);
}

constexpr std::string_view kJson = "application/json";

}  // namespace

Handler::Handler(observe::Observer observer, Sources sources)
    : observer_(observer), sources_(std::move(sources)) {}

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
  // An answer that cannot be delivered has nobody left to be told.
  if (request.method != "GET" && request.method != "HEAD") {
    answer(exchange, 405, kJson, error_json("MethodNotAllowed", "only GET and HEAD")).ignore();
  } else if (path == "/health/live") {
    answer(exchange, 200, kJson, "{\"live\":true}\n").ignore();
  } else if (path == "/health/ready") {
    std::string why_not;
    if (sources_.ready(why_not)) {
      answer(exchange, 200, kJson, "{\"ready\":true}\n").ignore();
    } else {
      answer(exchange, 503, kJson, error_json("NotReady", why_not)).ignore();
    }
  } else if (!authorized(request)) {
    answer(exchange, 401, kJson,
           error_json("Unauthorized", "HTTP Basic with access key and secret key"))
        .ignore();
  } else if (path == "/metrics") {
    answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", observer_.metrics.render())
        .ignore();
  } else if (path == "/v1/status") {
    answer(exchange, 200, kJson, sources_.status_json()).ignore();
  } else {
    answer(exchange, 404, kJson,
           error_json("NotFound", "known: /health/live, /health/ready, /metrics, /v1/status"))
        .ignore();
  }
}

void Handler::error(int status, std::string_view reason, http::ResponseHead& head,
                    std::string& body) {
  (void)status;
  head.headers.append("Content-Type", kJson);
  body = error_json("BadRequest", reason);
}

}  // namespace drumlin::api
