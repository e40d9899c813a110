// One call of a running node's API, as the admin commands make it, with root's credentials.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "runtime/runtime.h"
#include "server/config_file.h"

namespace drumlin::server {

// Asks the node of `settings`. Yields. A status outside 2xx is an error whose message has the node's own.
Result<std::string> ask_api(Runtime& runtime, const Settings& settings, std::string_view method,
                            std::string_view target, std::string_view body = {});

// Runs `command` on a runtime of its own. What it returns, or 1 if there can be no runtime.
int run_client(const std::function<int(Runtime&)>& command);

// The reason on standard error. 1.
int complain_of(const Status& status);

}  // namespace drumlin::server
