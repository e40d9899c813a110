// The admin commands: questions to a running node's API, answers for people.
#pragma once

#include "server/config_file.h"

namespace drumlin::server {

// `drumlin admin status`. 0, or 1 with the reason on standard error.
int run_admin_status(const Settings& settings, bool json);

}  // namespace drumlin::server
