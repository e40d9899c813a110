#include "tls/listener.h"

#include <utility>

namespace drumlin::tls {

TlsListener::TlsListener(Runtime& runtime, std::unique_ptr<Listener> below, ContextSource context,
                         ListenerOptions options)
    : runtime_(runtime),
      below_(std::move(below)),
      context_(std::move(context)),
      options_(std::move(options)),
      offloads_(
          std::make_shared<Semaphore>(runtime.scheduler(), runtime.clock(), options_.offloads)) {}

Result<std::unique_ptr<Stream>> TlsListener::accept() {
  DRUMLIN_ASSIGN(std::unique_ptr<Stream> stream, below_->accept());
  StreamOptions options;
  options.handshake_deadline = after(runtime_.clock(), options_.handshake_timeout);
  options.offloads = offloads_;
  options.on_handshake = options_.on_handshake;
  return server_stream(runtime_, context_(), std::move(stream), std::move(options));
}

}  // namespace drumlin::tls
