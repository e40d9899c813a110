// Answers of the API: JSON, errors of one shape. Internal to the room.
#pragma once

#include <string>
#include <string_view>

#include "http/exchange.h"

namespace drumlin::api {

inline constexpr std::string_view kJson = "application/json";

// {"error": code, "message": message} and a line break.
std::string error_json(std::string_view code, std::string_view message);

// An answer that cannot be delivered has nobody left to be told. `allow`: methods, of a 405. Yields.
void answer(http::Exchange& exchange, int status, std::string_view type, std::string_view body,
            std::string_view allow = {});
void answer_error(http::Exchange& exchange, int status, std::string_view code,
                  std::string_view message, std::string_view allow = {});

}  // namespace drumlin::api
