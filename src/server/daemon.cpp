#include "server/daemon.h"

#include <cstdio>

#include "host/host.h"
#include "node/node.h"

namespace drumlin::server {

namespace {

constexpr size_t kOtherFiles = 128;  // the log, peers, listeners, directories
constexpr size_t kFewConnections = 16;

// A node that runs out of files halts at the first that it cannot open, so connections get what is left.
Status fit_into(size_t files, node::Config& config) {
  node::Limits& limits = config.limits;
  const size_t others = limits.max_api_connections + config.kv_max_open_files +
                        2 * limits.refused_connections + limits.peer_handshakes + kOtherFiles;
  if (others + limits.max_connections <= files) return {};
  if (others + kFewConnections > files) {
    return {Code::kFailedPrecondition,
            "this process may open " + std::to_string(files) + " files (ulimit -n), and needs " +
                std::to_string(others + kFewConnections) +
                ": raise that, or lower limits.max_api_connections, limits.refused_connections, "
                "limits.peer_handshakes and storage.kv_max_open_files"};
  }
  std::fprintf(
      stderr,
      "drumlin: this process may open %zu files (ulimit -n): %zu S3 connections at most, not "
      "limits.max_connections = %zu\n",
      files, files - others, limits.max_connections);
  limits.max_connections = files - others;
  return {};
}

}  // namespace

int run_daemon(const Settings& settings) {
  node::Config config = settings.config;
  const Status fits = fit_into(host::open_files_limit(), config);
  if (!fits.ok()) {
    std::fprintf(stderr, "drumlin: %s\n", fits.message().c_str());
    return 1;
  }
  host::Host::Options options;
  options.data_dir = settings.data_dir;
  auto created = host::Host::create(options);
  if (!created.ok()) {
    std::fprintf(stderr, "drumlin: %s\n", created.status().message().c_str());
    return 1;
  }
  node::Node* running = nullptr;
  const auto main = [&](Runtime& runtime, Cancellation& stop) {
    node::Hooks hooks;
    hooks.log = host::stderr_log_sink();
    hooks.read_file = host::read_file;
    node::Node node(runtime, config, std::move(hooks));
    running = &node;
    const Status ended = node.run(stop);
    running = nullptr;
    if (ended.ok()) return 0;
    std::fprintf(stderr, "drumlin: %s\n", ended.message().c_str());
    return 1;
  };
  return (*created)->run(main, [&] {
    if (running != nullptr) running->reload();
  });
}

}  // namespace drumlin::server
