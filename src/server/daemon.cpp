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
  return (*created)->run([&](Runtime& runtime, Cancellation& stop) {
    node::Hooks hooks;
    hooks.log = host::stderr_log_sink();
    node::Node node(runtime, settings.config, std::move(hooks));
    const Status ended = node.run(stop);
    if (ended.ok()) return 0;
    std::fprintf(stderr, "drumlin: %s\n", ended.message().c_str());
    return 1;
  });
}

}  // namespace drumlin::server
