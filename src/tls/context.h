// Context: certificate, key and rules for TLS connections; made once, shared by all of them and never
// changed. A server that gets another certificate makes another Context: connections keep theirs.
//
// The rules: TLS 1.2 with ECDHE and an AEAD cipher, or TLS 1.3; X25519, P-256 or P-384; no
// renegotiation, compression or early data; ALPN http/1.1. No resumption: S3's clients hardly ask for
// it, and the key of its tickets would undo the forward secrecy of TLS 1.2.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "runtime/runtime.h"

namespace drumlin::tls {

// PEM text, and what messages call it: the file's path. The text never appears in a message.
struct Pem {
  std::string text;
  std::string name;
};

// The leaf certificate of a server, for people.
struct Certificate {
  std::string subject;             // "CN=storage,O=..."
  std::vector<std::string> names;  // DNS names and addresses that it is good for
  std::string key;                 // "EC 256", "RSA 2048": bits
  WallTime not_before{};
  WallTime not_after{};
  // "is good only from ...", "has expired ..."; empty if it is good at `now`.
  std::string trouble(WallTime now) const;
};

class Context {
 public:
  // For the accepting side. `certificate`: the leaf first, then what leads to its root. `key`: of the
  // leaf, without a passphrase. kInvalidArgument says which of the two is wrong, and how. A leaf that
  // is not good at present is accepted: see Certificate::trouble. `runtime` gives chance, and must
  // outlive the context. Parsing and checking take about a millisecond; does not yield.
  static Result<std::shared_ptr<const Context>> server(Runtime& runtime, const Pem& certificate,
                                                       const Pem& key);

  // For the connecting side: how it knows the server.
  enum class Trust : unsigned char {
    kIssuer,  // its chain leads to one of `trusted`, and the leaf is good for the address asked for
    kPinned,  // its leaf is the first of `trusted`, whatever address that names
  };
  static Result<std::shared_ptr<const Context>> client(Runtime& runtime, const Pem& trusted,
                                                       Trust trust);

  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Certificate& certificate() const { return certificate_; }  // server()'s
  // A handshake costs the server more than is right for the reactor: it is offloaded. True of all
  // keys but P-256 and Ed25519.
  bool heavy() const { return heavy_; }

  struct Parts;  // of the room
  const Parts& parts() const { return *parts_; }

 private:
  explicit Context(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
  Certificate certificate_;
  bool heavy_ = false;
};

}  // namespace drumlin::tls
