// The daemon: one node on the production runtime.
#pragma once

#include "server/config_file.h"

namespace drumlin::server {

// Runs until SIGINT or SIGTERM. The exit code: 0 stopped in order, 1 could not start or stop (the
// reason is on standard error), 70 halted.
int run_daemon(const Settings& settings);

}  // namespace drumlin::server
