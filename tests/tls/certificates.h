// Certificates and keys made on the spot, with a validity and names of the test's choice.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace drumlin::tls::test {

struct Issued {
  std::string certificate;  // PEM
  std::string key;          // PEM
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> pkey;
};

struct Spec {
  std::string key = "P-256";  // or P-384, RSA-2048, RSA-1024, ED25519 (always the same key)
  std::string name = "drumlin test";
  std::string names = "IP:10.0.0.1,DNS:localhost";  // "": none
  int64_t from = 0;                                 // seconds since the epoch
  int64_t to = int64_t{1} << 32;                    // 2106
  const Issued* issuer = nullptr;                   // itself
  bool may_issue = false;
};

Issued issue(const Spec& spec = {});

// The key under a passphrase.
std::string encrypted_key(const Issued& issued, const std::string& passphrase);

}  // namespace drumlin::tls::test
