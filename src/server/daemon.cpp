#include "server/daemon.h"

#include <cstdio>

#include "host/host.h"
#include "node/node.h"

namespace drumlin::server {

int run_daemon(const Settings& settings) {
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
    node::Node node(runtime, settings.config, std::move(hooks));
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
