// From a TOML file, DRUMLIN_* environment variables and flags to a node::Config. Later sources win.
// An unknown key of the file is an error: a misspelt setting must not be a silent default.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "node/config.h"

namespace drumlin::server {

// What the daemon needs besides the node's own configuration.
struct Settings {
  node::Config config;
  std::string data_dir = "drumlin-data";
  std::string ca_file;  // of the admin commands: whom to believe, see api_client.h
};

// Reads the file's text into `settings`. kInvalidArgument names file, line and key.
Status apply_toml(std::string_view text, std::string_view file_name, Settings& settings);

// One setting by its dotted name ("ports.s3" = "9100"); flags and environment go through here.
// DRUMLIN_PORTS_S3 is "ports.s3". kInvalidArgument for an unknown name or a bad value.
Status apply_setting(std::string_view name, std::string_view value, Settings& settings);

// All DRUMLIN_* variables of `environment`; other names are not looked at. Those that are no setting
// are left alone and named in `unknown`, for a warning: the prefix is not ours alone (Kubernetes
// sets DRUMLIN_PORT and DRUMLIN_SERVICE_HOST beside a service called drumlin). kInvalidArgument for
// a setting with a bad value.
Status apply_environment(const std::map<std::string, std::string>& environment, Settings& settings,
                         std::vector<std::string>& unknown);

// Every setting's dotted name with its current value as TOML, secrets left out: for --help and docs.
std::map<std::string, std::string> describe(const Settings& settings);

}  // namespace drumlin::server
