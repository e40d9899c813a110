// `drumlin admin users` and `drumlin admin keys`.
#pragma once

#include <string>

#include "server/config_file.h"

namespace drumlin::server {

// What was asked for: verb "list", "create", "delete", "disable" or "enable".
struct UsersCommand {
  bool keys = false;  // else: users
  std::string verb;
  std::string name;  // a user, or an access key; empty: list all
  bool json = false;
};

// 0, or 1 with the reason on standard error.
int run_admin_users(const Settings& settings, const UsersCommand& command);

}  // namespace drumlin::server
