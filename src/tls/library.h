// Inside of the room: OpenSSL's objects with owners, its errors as text, and a library context of our
// own, so that nothing of it comes from the environment (no openssl.cnf, no OPENSSL_CONF) and all
// chance comes from Runtime::secure_random: what a simulated node sends repeats with its seed.
#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <functional>
#include <memory>
#include <span>
#include <string>

namespace drumlin::tls {

template <auto kFree>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using SslPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;

// What the calling thread's error queue holds first, and why OpenSSL failed therefore; the queue is
// empty afterwards. It is shared by all fibers of the thread: nothing may suspend between a call of
// OpenSSL and this.
std::string take_errors();

class Library {
 public:
  // `random` is called on whichever thread needs chance, and must live as long as this.
  explicit Library(std::function<void(std::span<char>)> random);
  ~Library();  // no other object of it may be left
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  OSSL_LIB_CTX* get() const { return context_; }
  // A thread that is not the reactor's has to call this at the end of whatever it did with `get()`:
  // what OpenSSL keeps for the thread would otherwise outlive the library context.
  void leave_thread() const { OPENSSL_thread_stop_ex(context_); }

 private:
  const std::function<void(std::span<char>)> random_;
  OSSL_LIB_CTX* context_;
  OSSL_PROVIDER* random_provider_;
  OSSL_PROVIDER* default_provider_;
};

}  // namespace drumlin::tls
