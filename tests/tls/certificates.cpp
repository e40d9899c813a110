#include "tests/tls/certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/check.h"

namespace drumlin::tls::test {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

EVP_PKEY* make_key(const std::string& kind) {
  if (kind == "RSA-2048") return EVP_RSA_gen(2048);
  if (kind == "RSA-1024") return EVP_RSA_gen(1024);
  if (kind == "ED25519") {
    const unsigned char seed[32] = {'d', 'r', 'u', 'm', 'l', 'i', 'n'};
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed, sizeof seed);
  }
  return EVP_EC_gen(kind.c_str());
}

void extend(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  DRUMLIN_CHECK(extension != nullptr, value);
  DRUMLIN_CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void set_time(ASN1_TIME* time, int64_t seconds) {
  DRUMLIN_CHECK(ASN1_TIME_set(time, seconds) != nullptr);
}

}  // namespace

Issued issue(const Spec& spec) {
  Issued out;
  out.pkey.reset(make_key(spec.key), EVP_PKEY_free);
  out.x509.reset(X509_new(), X509_free);
  X509* certificate = out.x509.get();
  DRUMLIN_CHECK(out.pkey != nullptr && certificate != nullptr);
  X509* issuer = spec.issuer == nullptr ? certificate : spec.issuer->x509.get();
  EVP_PKEY* signer = spec.issuer == nullptr ? out.pkey.get() : spec.issuer->pkey.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
  set_time(X509_getm_notBefore(certificate), spec.from);
  set_time(X509_getm_notAfter(certificate), spec.to);
  X509_set_pubkey(certificate, out.pkey.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  extend(certificate, issuer, NID_basic_constraints,
         spec.may_issue ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!spec.names.empty()) extend(certificate, issuer, NID_subject_alt_name, spec.names.c_str());
  const bool ed25519 = EVP_PKEY_is_a(signer, "ED25519") == 1;
  DRUMLIN_CHECK(X509_sign(certificate, signer, ed25519 ? nullptr : EVP_sha256()) > 0);

  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  out.certificate = text_of(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, out.pkey.get(), nullptr, nullptr, 0, nullptr, nullptr);
  out.key = text_of(bio);
  return out;
}

std::string encrypted_key(const Issued& issued, const std::string& passphrase) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, issued.pkey.get(), EVP_aes_256_cbc(), passphrase.data(),
                                static_cast<int>(passphrase.size()), nullptr, nullptr);
  return text_of(bio);
}

}  // namespace drumlin::tls::test
