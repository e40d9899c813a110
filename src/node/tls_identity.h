// TlsIdentity: the certificate and key that S3 and API show, from their files to the connections.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "node/config.h"
#include "observe/observer.h"
#include "runtime/runtime.h"
#include "tls/context.h"

namespace drumlin::node {

class TlsIdentity {
 public:
  using ReadFile = std::function<Result<std::string>(const std::string& path)>;

  // All outlive this.
  TlsIdentity(Runtime& runtime, observe::Observer observer, const Config& config,
              ReadFile read_file);
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  // Reads both files. On an error what was in use stays in use. A certificate that is not yet or no
  // longer good is taken, with a warning in the log. Yields.
  Status load();
  // load() from a fiber of its own, with the outcome in the log. One at a time: asked for during one,
  // another follows. Does not yield.
  void reload();

  // TLS on top of a listener. After load(); must not outlive this.
  std::unique_ptr<Listener> wrap(std::unique_ptr<Listener> below);

 private:
  Runtime& runtime_;
  observe::Observer observer_;
  const Config& config_;
  const ReadFile read_file_;
  observe::Gauge& not_after_gauge_;
  std::shared_ptr<const tls::Context> context_;
  bool reloading_ = false;
  bool again_ = false;
};

}  // namespace drumlin::node
