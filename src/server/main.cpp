// drumlin: the daemon and the admin commands.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "host/host.h"
#include "server/admin.h"
#include "server/admin_users.h"
#include "server/config_file.h"
#include "server/daemon.h"
#include "server/inspect.h"

namespace {

using drumlin::Status;
using drumlin::server::Settings;

struct Sources {
  std::string config_file;
  std::string data;
  std::string listen;
  uint16_t port = 0;
  std::vector<std::string> set;
};

void add_sources(CLI::App& command, Sources& sources) {
  command.add_option("--config", sources.config_file, "TOML file");
  command.add_option("--data", sources.data, "data directory (node.data)");
  command.add_option("--listen", sources.listen, "address of the three listeners (node.listen)");
  command.add_option("--port", sources.port, "ports.s3; ports.api and ports.peer follow it");
  command.add_option("--set", sources.set, "any setting: --set log.level=debug (see --settings)")
      ->type_name("NAME=VALUE");
}

// File, then environment, then flags.
Status read_settings(const Sources& sources, Settings& settings) {
  if (!sources.config_file.empty()) {
    DRUMLIN_ASSIGN(const std::string text, drumlin::host::read_file(sources.config_file));
    DRUMLIN_TRY(drumlin::server::apply_toml(text, sources.config_file, settings));
  }
  std::vector<std::string> unknown;
  DRUMLIN_TRY(drumlin::server::apply_environment(drumlin::host::environment(), settings, unknown));
  for (const std::string& variable : unknown) {
    std::fprintf(stderr, "drumlin: warning: the environment variable %s is no setting, ignored\n",
                 variable.c_str());
  }
  if (!sources.data.empty()) settings.data_dir = sources.data;
  if (!sources.listen.empty()) settings.config.listen = sources.listen;
  if (sources.port != 0) {
    if (sources.port > 65533) return {drumlin::Code::kInvalidArgument, "--port is too large"};
    settings.config.s3_port = sources.port;
    settings.config.api_port = static_cast<uint16_t>(sources.port + 1);
    settings.config.peer_port = static_cast<uint16_t>(sources.port + 2);
  }
  for (const std::string& item : sources.set) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos) {
      return {drumlin::Code::kInvalidArgument, "--set wants NAME=VALUE, not \"" + item + "\""};
    }
    DRUMLIN_TRY(
        drumlin::server::apply_setting(item.substr(0, equals), item.substr(equals + 1), settings));
  }
  settings.config.kv_path = settings.data_dir + "/kv";
  return settings.config.validate();
}

int complain(const Status& status) {
  std::fprintf(stderr, "drumlin: %s\n", status.message().c_str());
  return status.is(drumlin::Code::kInvalidArgument) ? 2 : 1;
}

void add_ca(CLI::App& command, Settings& settings) {
  command.add_option("--ca", settings.ca_file,
                     "PEM file: speak TLS, believe whom these have issued");
}

// `admin users` or `admin keys` with their verbs. What is parsed goes into `command`.
CLI::App* add_users(CLI::App& admin, bool keys, Sources& sources, Settings& settings,
                    drumlin::server::UsersCommand& command) {
  CLI::App* const group = admin.add_subcommand(keys ? "keys" : "users",
                                               keys ? "access keys of users" : "users beside root");
  group->require_subcommand(1);
  const auto add = [&](const char* verb, const char* help, const char* what,
                       const char* what_help) {
    CLI::App* const sub = group->add_subcommand(verb, help);
    add_sources(*sub, sources);
    sub->add_flag("--json", command.json, "as the API answers it");
    add_ca(*sub, settings);
    CLI::Option* const name = sub->add_option(what, command.name, what_help);
    if (std::string(verb) != "list") name->required();
    sub->callback([&command, keys, verb] {
      command.keys = keys;
      command.verb = verb;
    });
  };
  if (keys) {
    add("list", "all keys, without their secrets", "USER", "only of this user");
    add("create", "make a key; prints the secret, once", "USER", "whose key it is");
    add("delete", "for good; refused everywhere within a second", "KEY", "the access key");
    add("disable", "refused everywhere within a second", "KEY", "the access key");
    add("enable", "good again", "KEY", "the access key");
  } else {
    add("list", "all users", "USER", "only this one");
    add("create", "make a user; it needs a key next", "USER", "1 to 64 letters, digits or +=,.@_-");
    add("delete", "with its keys; refused while it owns a bucket", "USER", "whom");
    add("disable", "none of its keys is good any more, within a second", "USER", "whom");
    add("enable", "its keys are good again", "USER", "whom");
  }
  return group;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Drumlin: a strongly consistent, S3-compatible object store");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("drumlin ") + DRUMLIN_VERSION);

  Sources sources;
  bool list_settings = false;
  bool json = false;
  Settings settings;
  CLI::App* server = app.add_subcommand("server", "run one node until SIGINT or SIGTERM");
  add_sources(*server, sources);
  server->add_flag("--settings", list_settings, "list every setting with its value and exit");
  CLI::App* admin = app.add_subcommand("admin", "ask a running node");
  admin->require_subcommand(1);
  CLI::App* status = admin->add_subcommand("status", "the node, its peers and its shards");
  add_sources(*status, sources);
  status->add_flag("--json", json, "as the API answers it");
  add_ca(*status, settings);

  std::vector<std::string> files;
  bool no_records = false;
  CLI::App* inspect = app.add_subcommand(
      "inspect",
      "say what files of a data directory hold: the log, hardstate.a and .b, superblock");
  inspect->add_option("FILE", files, "of a node that is stopped, or a copy")->required();
  inspect->add_flag("--no-records", no_records, "of the log: batches only");

  drumlin::server::UsersCommand users_command;
  CLI::App* users = add_users(*admin, /*keys=*/false, sources, settings, users_command);
  CLI::App* keys = add_users(*admin, /*keys=*/true, sources, settings, users_command);

  // CLI11 says of an unknown command only that one is missing.
  const auto named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty()) {
    std::fprintf(stderr, "drumlin: unknown command \"%s\" (server, admin, inspect)\n", argv[1]);
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }

  if (inspect->parsed()) return drumlin::server::run_inspect(files, !no_records);
  if (list_settings) {
    // Before validation: the listing helps whoever has no valid configuration yet.
    for (const auto& [name, value] : drumlin::server::describe(settings)) {
      std::printf("%s = %s\n", name.c_str(), value.c_str());
    }
    return 0;
  }
  const Status read = read_settings(sources, settings);
  if (!read.ok()) return complain(read);
  if (server->parsed()) return drumlin::server::run_daemon(settings);
  if (users->parsed() || keys->parsed()) {
    return drumlin::server::run_admin_users(settings, users_command);
  }
  return drumlin::server::run_admin_status(settings, json);
}
