#include "server/api_client.h"

#include "host/host.h"
#include "tls/stream.h"

namespace drumlin::server {

Result<std::unique_ptr<http::Client>> api_client(Runtime& runtime, const Settings& settings) {
  const Endpoint api{settings.config.listen, settings.config.api_port};
  const bool pinned = settings.ca_file.empty();
  const std::string& file = pinned ? settings.config.tls_certificate : settings.ca_file;
  if (file.empty()) return std::make_unique<http::Client>(runtime, api);

  DRUMLIN_ASSIGN(const std::string text, host::read_file(file));
  DRUMLIN_ASSIGN(const auto context, tls::Context::client(runtime, {text, file},
                                                          pinned ? tls::Context::Trust::kPinned
                                                                 : tls::Context::Trust::kIssuer));
  const auto connect = [&runtime, context](const Endpoint& to,
                                           Instant deadline) -> Result<std::unique_ptr<Stream>> {
    DRUMLIN_ASSIGN(auto stream, runtime.network().connect(to, deadline));
    tls::StreamOptions options;
    options.handshake_deadline = deadline;
    return tls::client_stream(runtime, context, to.host, std::move(stream), std::move(options));
  };
  return std::make_unique<http::Client>(runtime, api, http::ClientLimits{}, connect);
}

}  // namespace drumlin::server
