#include "api/answers.h"

#include <boost/json.hpp>
#include <utility>

#include "observe/log.h"

namespace drumlin::api {

std::string error_json(std::string_view code, std::string_view message) {
  // Messages say again what stood in the request.
  const std::string safe = observe::json_safe(message);
  return boost::json::serialize(boost::json::object{{"error", code}, {"message", safe}}) + "\n";
}

void answer(http::Exchange& exchange, int status, std::string_view type, std::string_view body,
            std::string_view allow) {
  http::ResponseHead head;
  head.status = status;
  head.headers.append("Content-Type", type);
  head.headers.append("Cache-Control", "no-store");
  if (status == 401) head.headers.append("WWW-Authenticate", "Basic realm=\"drumlin\"");
  if (status == 405) head.headers.append("Allow", allow);
  if (status == 503) head.headers.append("Retry-After", "1");
  exchange.respond(std::move(head), body).ignore();
}

void answer_error(http::Exchange& exchange, int status, std::string_view code,
                  std::string_view message, std::string_view allow) {
  answer(exchange, status, kJson, error_json(code, message), allow);
}

}  // namespace drumlin::api
