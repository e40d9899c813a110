#include "tls/library.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstring>

#include "base/check.h"

namespace drumlin::tls {
namespace {

using Source = std::function<void(std::span<char>)>;

constexpr const char* kAlgorithm = "DRUMLIN-RANDOM";
constexpr const char* kSource = "drumlin-source";  // parameter: the address of a Source
constexpr unsigned kStrength = 256;
constexpr size_t kMaxRequest = 1 << 16;

// An EVP_RAND: hands out what the Source gives. OpenSSL makes a primary one for a library context and
// children of it for each thread; the primary is told its Source, the children ask their parent.
struct Generator {
  const Generator* parent = nullptr;
  const Source* source = nullptr;
  int state = EVP_RAND_STATE_UNINITIALISED;
};

const OSSL_DISPATCH* generator_functions();

void* generator_new(void*, void* parent, const OSSL_DISPATCH* parent_functions) {
  auto* out = new Generator;
  // The parent of the primary is OpenSSL's own source of entropy; it is not asked.
  if (parent_functions == generator_functions()) out->parent = static_cast<Generator*>(parent);
  return out;
}

void generator_free(void* self) {
  delete static_cast<Generator*>(self);
}

int generator_instantiate(void* self, unsigned strength, int, const unsigned char*, size_t,
                          const OSSL_PARAM*) {
  static_cast<Generator*>(self)->state = EVP_RAND_STATE_READY;
  return strength <= kStrength ? 1 : 0;
}

int generator_uninstantiate(void* self) {
  static_cast<Generator*>(self)->state = EVP_RAND_STATE_UNINITIALISED;
  return 1;
}

int generator_generate(void* self, unsigned char* out, size_t size, unsigned strength, int,
                       const unsigned char*, size_t) {
  const auto* generator = static_cast<const Generator*>(self);
  while (generator->parent != nullptr)
    generator = generator->parent;
  if (generator->source == nullptr || strength > kStrength) return 0;
  (*generator->source)({reinterpret_cast<char*>(out), size});
  return 1;
}

int generator_reseed(void*, int, const unsigned char*, size_t, const unsigned char*, size_t) {
  return 1;
}

int generator_lock(void*) {
  return 1;  // a Source needs no lock
}

void generator_unlock(void*) {}

int generator_get(void* self, OSSL_PARAM params[]) {
  const auto* generator = static_cast<const Generator*>(self);
  OSSL_PARAM* p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
  if (p != nullptr && OSSL_PARAM_set_int(p, generator->state) == 0) return 0;
  p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
  if (p != nullptr && OSSL_PARAM_set_uint(p, kStrength) == 0) return 0;
  p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
  return p == nullptr || OSSL_PARAM_set_size_t(p, kMaxRequest) != 0 ? 1 : 0;
}

const OSSL_PARAM* generator_gettable(void*, void*) {
  static const OSSL_PARAM kParams[] = {OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, nullptr),
                                       OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, nullptr),
                                       OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, nullptr),
                                       OSSL_PARAM_END};
  return kParams;
}

int generator_set(void* self, const OSSL_PARAM params[]) {
  const OSSL_PARAM* p = OSSL_PARAM_locate_const(params, kSource);
  if (p == nullptr) return 1;
  auto* generator = static_cast<Generator*>(self);
  if (p->data_size != sizeof generator->source) return 0;
  std::memcpy(&generator->source, p->data, sizeof generator->source);
  return 1;
}

const OSSL_PARAM* generator_settable(void*, void*) {
  static const OSSL_PARAM kParams[] = {OSSL_PARAM_octet_string(kSource, nullptr, 0),
                                       OSSL_PARAM_END};
  return kParams;
}

template <typename Function>
OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

const OSSL_DISPATCH* generator_functions() {
  static const OSSL_DISPATCH kFunctions[] = {
      entry(OSSL_FUNC_RAND_NEWCTX, generator_new),
      entry(OSSL_FUNC_RAND_FREECTX, generator_free),
      entry(OSSL_FUNC_RAND_INSTANTIATE, generator_instantiate),
      entry(OSSL_FUNC_RAND_UNINSTANTIATE, generator_uninstantiate),
      entry(OSSL_FUNC_RAND_GENERATE, generator_generate),
      entry(OSSL_FUNC_RAND_RESEED, generator_reseed),
      entry(OSSL_FUNC_RAND_ENABLE_LOCKING, generator_lock),
      entry(OSSL_FUNC_RAND_LOCK, generator_lock),
      entry(OSSL_FUNC_RAND_UNLOCK, generator_unlock),
      entry(OSSL_FUNC_RAND_GET_CTX_PARAMS, generator_get),
      entry(OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, generator_gettable),
      entry(OSSL_FUNC_RAND_SET_CTX_PARAMS, generator_set),
      entry(OSSL_FUNC_RAND_SETTABLE_CTX_PARAMS, generator_settable),
      {0, nullptr}};
  return kFunctions;
}

const OSSL_ALGORITHM* provider_query(void*, int operation, int* no_cache) {
  static const OSSL_ALGORITHM kAlgorithms[] = {
      {kAlgorithm, "provider=drumlin", generator_functions(), nullptr},
      {nullptr, nullptr, nullptr, nullptr}};
  *no_cache = 0;
  return operation == OSSL_OP_RAND ? kAlgorithms : nullptr;
}

int provider_init(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** out,
                  void** self) {
  static const OSSL_DISPATCH kFunctions[] = {
      entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query), {0, nullptr}};
  static const char kSelf = 0;  // has no state, but may not be null
  *out = kFunctions;
  *self = const_cast<char*>(&kSelf);
  return 1;
}

}  // namespace

std::string take_errors() {
  const unsigned long first = ERR_get_error();  // the cause; later ones say where it surfaced
  ERR_clear_error();
  if (first == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(first);
  return reason != nullptr ? reason : "error " + std::to_string(first);
}

Library::Library(Source random) : random_(std::move(random)), context_(OSSL_LIB_CTX_new()) {
  DRUMLIN_CHECK(context_ != nullptr);
  DRUMLIN_CHECK(OSSL_PROVIDER_add_builtin(context_, "drumlin", provider_init) == 1);
  random_provider_ = OSSL_PROVIDER_load(context_, "drumlin");
  default_provider_ = OSSL_PROVIDER_load(context_, "default");
  DRUMLIN_CHECK(random_provider_ != nullptr && default_provider_ != nullptr, take_errors());
  DRUMLIN_CHECK(RAND_set_DRBG_type(context_, kAlgorithm, nullptr, nullptr, nullptr) == 1);
  EVP_RAND_CTX* primary = RAND_get0_primary(context_);
  DRUMLIN_CHECK(primary != nullptr, take_errors());
  const Source* source = &random_;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(kSource, &source, sizeof source),
                               OSSL_PARAM_construct_end()};
  DRUMLIN_CHECK(EVP_RAND_CTX_set_params(primary, params) == 1, take_errors());
}

Library::~Library() {
  OSSL_PROVIDER_unload(default_provider_);
  OSSL_PROVIDER_unload(random_provider_);
  OSSL_LIB_CTX_free(context_);
}

}  // namespace drumlin::tls
