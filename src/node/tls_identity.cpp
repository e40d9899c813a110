#include "node/tls_identity.h"

#include <fmt/format.h>

#include <utility>

#include "tls/listener.h"

namespace drumlin::node {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

TlsIdentity::TlsIdentity(Runtime& runtime, observe::Observer observer, const Config& config,
                         ReadFile read_file)
    : runtime_(runtime),
      observer_(observer),
      config_(config),
      read_file_(std::move(read_file)),
      not_after_gauge_(observer.metrics.gauge(
          "drumlin_tls_certificate_not_after_seconds",
          "When the certificate in use expires, in seconds since 1970-01-01.")) {
  DRUMLIN_CHECK(read_file_ != nullptr, "TLS needs a way to read files");
}

Status TlsIdentity::load() {
  Result<std::string> certificate = Status(Code::kCancelled);
  Result<std::string> key = Status(Code::kCancelled);
  // Of the job's own: it may outlive the node by a moment, if a signal comes while a start fails.
  const auto job = [&certificate, &key, read = read_file_,
                    certificate_path = config_.tls_certificate, key_path = config_.tls_key] {
    certificate = read(certificate_path);
    key = read(key_path);
  };
  runtime_.offload(job);
  if (!certificate.ok()) return certificate.status().with_context("tls.certificate");
  if (!key.ok()) return key.status().with_context("tls.key");
  DRUMLIN_ASSIGN(
      context_,
      tls::Context::server(runtime_, {*certificate, "tls.certificate " + config_.tls_certificate},
                           {*key, "tls.key " + config_.tls_key}));
  const tls::Certificate& got = context_->certificate();
  not_after_gauge_.Set(static_cast<double>(unix_nanos(got.not_after)) * 1e-9);
  observer_.log.info("tls", "certificate in use",
                     {{"file", config_.tls_certificate},
                      {"subject", got.subject},
                      {"names", joined(got.names)},
                      {"key", got.key}});
  const std::string trouble = got.trouble(runtime_.clock().wall());
  if (!trouble.empty()) {
    observer_.log.warn("tls", "clients will refuse the certificate",
                       {{"file", config_.tls_certificate}, {"why", "it " + trouble}});
  }
  return {};
}

void TlsIdentity::reload() {
  again_ = true;
  if (std::exchange(reloading_, true)) return;
  runtime_.spawn("tls reload", [this] {
    while (std::exchange(again_, false)) {
      const Status loaded = load();
      if (loaded.ok()) continue;
      observer_.log.error("tls", "the new certificate is refused, the old one stays in use",
                          {{"why", loaded.message()}});
    }
    reloading_ = false;
  });
}

std::unique_ptr<Listener> TlsIdentity::wrap(std::unique_ptr<Listener> below) {
  const std::string listener = below->local().to_string();
  const auto counter = [&](const char* outcome) -> observe::Counter& {
    return observer_.metrics.counter("drumlin_tls_handshakes_total", "TLS handshakes that ended.",
                                     {{"listener", listener}, {"outcome", outcome}});
  };
  tls::ListenerOptions options;
  options.on_handshake = [this, &good = counter("ok"), &bad = counter("failed")](
                             const Endpoint& peer, const tls::Handshake& handshake) {
    (handshake.status.ok() ? good : bad).Increment();
    if (handshake.status.ok()) return;
    observer_.log.debug("tls", "a handshake failed",
                        {{"from", peer.to_string()}, {"why", handshake.status.message()}});
  };
  return std::make_unique<tls::TlsListener>(
      runtime_, std::move(below), [this] { return context_; }, std::move(options));
}

}  // namespace drumlin::node
