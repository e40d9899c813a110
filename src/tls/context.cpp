#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <limits>

#include "tls/parts.h"

namespace drumlin::tls {
namespace {

constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr std::array<unsigned char, 9> kProtocols = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

Status bad(const Pem& pem, std::string_view what) {
  return {Code::kInvalidArgument, pem.name + ": " + std::string(what)};
}

BioPtr reader(const Pem& pem) {
  BioPtr bio(BIO_new_mem_buf(pem.text.data(), static_cast<int>(pem.text.size())));
  DRUMLIN_CHECK(bio != nullptr);
  return bio;
}

// Without one OpenSSL would ask at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Result<std::vector<CertificatePtr>> parse_certificates(const Library& library, const Pem& pem) {
  std::vector<CertificatePtr> out;
  const BioPtr bio = reader(pem);
  for (;;) {
    CertificatePtr next(X509_new_ex(library.get(), nullptr));
    X509* into = next.get();
    if (PEM_read_bio_X509(bio.get(), &into, no_passphrase, nullptr) == nullptr) {
      if (into == nullptr) (void)next.release();  // OpenSSL has freed it
      break;
    }
    out.push_back(std::move(next));
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string why = take_errors();
  if (!at_end) return Status(bad(pem, "a certificate in it cannot be read: " + why));
  if (out.empty()) return Status(bad(pem, "no PEM certificate in it"));
  return out;
}

Result<KeyPtr> parse_key(const Library& library, const Pem& pem) {
  const BioPtr bio = reader(pem);
  KeyPtr key(PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, no_passphrase, nullptr, library.get(),
                                        nullptr));
  if (key != nullptr) {
    (void)take_errors();
    return key;
  }
  (void)take_errors();  // which would name what the decoders tried
  if (pem.text.find("ENCRYPTED") != std::string::npos) {
    return Status(bad(pem, "the key has a passphrase; it must have none"));
  }
  if (pem.text.find("PRIVATE KEY-----") == std::string::npos) {
    return Status(bad(pem, "no PEM private key in it"));
  }
  return Status(bad(pem, "the private key in it cannot be read"));
}

WallTime wall_time(const ASN1_TIME* time) {
  constexpr int64_t kMaxDays = std::numeric_limits<int64_t>::max() / 1'000'000'000 / 86400 - 1;
  const std::unique_ptr<ASN1_TIME, Deleter<ASN1_STRING_free>> epoch(ASN1_TIME_new());
  DRUMLIN_CHECK(ASN1_TIME_set_string(epoch.get(), "19700101000000Z") == 1);
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return {};
  if (days > kMaxDays) return WallTime::max();
  if (days < -kMaxDays) return WallTime::min();
  return WallTime(std::chrono::seconds(int64_t{days} * 86400 + seconds));
}

std::string printed(const std::function<int(BIO*)>& print) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  (void)print(bio.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, size > 0 ? static_cast<size_t>(size) : 0};
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> out;
  GENERAL_NAMES* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const std::string text = printed([&](BIO* bio) { return GENERAL_NAME_print(bio, name); });
    out.push_back(text.substr(text.find(':') + 1));  // "DNS:...", "IP Address:..."
  }
  GENERAL_NAMES_free(names);
  return out;
}

Certificate describe(X509* certificate) {
  Certificate out;
  out.subject = printed([&](BIO* bio) {
    return X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  });
  out.names = names_of(certificate);
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  const char* type = key == nullptr ? nullptr : EVP_PKEY_get0_type_name(key);
  if (type != nullptr) out.key = std::string(type) + " " + std::to_string(EVP_PKEY_get_bits(key));
  out.not_before = wall_time(X509_get0_notBefore(certificate));
  out.not_after = wall_time(X509_get0_notAfter(certificate));
  (void)take_errors();  // of what cannot be shown
  return out;
}

// RFC 7301: who offers protocols but not ours is refused; who offers none is taken to speak it.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kProtocols.data(), kProtocols.size(), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

SslContextPtr make_ssl_context(const Library& library, const SSL_METHOD* method) {
  SslContextPtr out(SSL_CTX_new_ex(library.get(), nullptr, method));
  SSL_CTX* ctx = out.get();
  DRUMLIN_CHECK(ctx != nullptr, take_errors());
  SSL_CTX_set_security_level(ctx, 2);  // 112 bits: RSA from 2048, no SHA-1 in signatures
  DRUMLIN_CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
  DRUMLIN_CHECK(SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1);
  DRUMLIN_CHECK(SSL_CTX_set_cipher_list(ctx, kCiphers12) == 1);
  DRUMLIN_CHECK(SSL_CTX_set_ciphersuites(ctx, kCiphers13) == 1);
  DRUMLIN_CHECK(SSL_CTX_set1_groups_list(ctx, kGroups) == 1);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  DRUMLIN_CHECK(SSL_CTX_set_num_tickets(ctx, 0) == 1);
  // An idle connection keeps no record buffers.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return out;
}

// Days since the epoch to year, month, day (Howard Hinnant's civil_from_days).
std::string date(WallTime t) {
  const int64_t days = std::chrono::floor<std::chrono::days>(t.time_since_epoch()).count();
  const std::chrono::year_month_day day{std::chrono::sys_days(std::chrono::days(days))};
  const auto two = [](unsigned n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return std::to_string(static_cast<int>(day.year())) + "-" +
         two(static_cast<unsigned>(day.month())) + "-" + two(static_cast<unsigned>(day.day()));
}

}  // namespace

std::string Certificate::trouble(WallTime now) const {
  if (now < not_before) return "is good only from " + date(not_before);
  if (now > not_after) return "has expired on " + date(not_after);
  return {};
}

Context::Context(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Context::~Context() = default;

Result<std::shared_ptr<const Context>> Context::server(Runtime& runtime, const Pem& certificate,
                                                       const Pem& key) {
  auto parts = std::make_unique<Parts>(runtime);
  DRUMLIN_ASSIGN(const auto chain, parse_certificates(parts->library, certificate));
  DRUMLIN_ASSIGN(const KeyPtr private_key, parse_key(parts->library, key));
  parts->ssl = make_ssl_context(parts->library, TLS_server_method());
  SSL_CTX* ctx = parts->ssl.get();
  if (X509_check_private_key(chain[0].get(), private_key.get()) != 1) {
    (void)take_errors();
    return Status(
        bad(key, "the key does not belong to the first certificate of " + certificate.name));
  }
  if (SSL_CTX_use_certificate(ctx, chain[0].get()) != 1) {
    return Status(bad(certificate, "the certificate is refused: " + take_errors()));
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(ctx, chain[i].get()) != 1) {
      return Status(bad(certificate, "certificate " + std::to_string(i + 1) +
                                         " of the chain is refused: " + take_errors()));
    }
  }
  if (SSL_CTX_use_PrivateKey(ctx, private_key.get()) != 1) {
    return Status(bad(key, "the key is refused: " + take_errors()));
  }
  SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
  std::shared_ptr<Context> out(new Context(std::move(parts)));
  out->certificate_ = describe(chain[0].get());
  out->heavy_ =
      EVP_PKEY_is_a(private_key.get(), "ED25519") != 1 &&
      !(EVP_PKEY_is_a(private_key.get(), "EC") == 1 && EVP_PKEY_get_bits(private_key.get()) == 256);
  return std::shared_ptr<const Context>(std::move(out));
}

Result<std::shared_ptr<const Context>> Context::client(Runtime& runtime, const Pem& trusted,
                                                       Trust trust) {
  auto parts = std::make_unique<Parts>(runtime);
  DRUMLIN_ASSIGN(const auto certificates, parse_certificates(parts->library, trusted));
  parts->ssl = make_ssl_context(parts->library, TLS_client_method());
  parts->trust = trust;
  SSL_CTX* ctx = parts->ssl.get();
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  const size_t used = trust == Trust::kPinned ? 1 : certificates.size();
  for (size_t i = 0; i < used; ++i)
    DRUMLIN_CHECK(X509_STORE_add_cert(store, certificates[i].get()) == 1, take_errors());
  // The pinned leaf is the end of the chain, whoever issued it.
  if (trust == Trust::kPinned) X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  DRUMLIN_CHECK(SSL_CTX_set_alpn_protos(ctx, kProtocols.data(), kProtocols.size()) == 0);
  return std::shared_ptr<const Context>(new Context(std::move(parts)));
}

}  // namespace drumlin::tls
