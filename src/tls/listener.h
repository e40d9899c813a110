// TlsListener: makes TLS of every connection that a listener accepts. Handshakes are done by whoever
// reads the connection first, so a slow one holds up nobody else.
#pragma once

#include <functional>
#include <memory>

#include "tls/stream.h"

namespace drumlin::tls {

struct ListenerOptions {
  Duration handshake_timeout = 10s;  // from the acceptance
  size_t offloads = 2;               // heavy handshakes at a time; the others wait
  OnHandshake on_handshake;
};

class TlsListener final : public Listener {
 public:
  // The context that a connection gets when it is accepted; never null.
  using ContextSource = std::function<std::shared_ptr<const Context>()>;

  TlsListener(Runtime& runtime, std::unique_ptr<Listener> below, ContextSource context,
              ListenerOptions options);

  Result<std::unique_ptr<Stream>> accept() override;
  void close() override { below_->close(); }
  Endpoint local() const override { return below_->local(); }

 private:
  Runtime& runtime_;
  std::unique_ptr<Listener> below_;
  ContextSource context_;
  const ListenerOptions options_;
  std::shared_ptr<Semaphore> offloads_;
};

}  // namespace drumlin::tls
