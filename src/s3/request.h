// What passes between the handler and the operations: a request that is authenticated and parsed,
// and a response as a value. Internal to the room.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "auth/principal.h"
#include "auth/sigv4.h"
#include "base/blob.h"
#include "http/message.h"
#include "router/store.h"
#include "runtime/runtime.h"
#include "s3/body_budget.h"
#include "s3/errors.h"
#include "s3/settings.h"
#include "s3/uri.h"

namespace drumlin::s3 {

// The body of a request. read(): as http::Exchange::read_body; yields.
class BodySource {
 public:
  virtual ~BodySource() = default;
  virtual Result<size_t> read(std::span<char> into) = 0;
};

struct Request {
  const http::RequestHead& head;
  const Target& target;
  const auth::Verified& auth;
  BodySource& body;
};

// Who a request is from, and what it may use.
struct Caller {
  auth::Principal principal;
  std::string owner_id;                // as whose a bucket of it is shown
  std::optional<uint64_t> only_owner;  // see router::Call
};

// What operations need of the node.
struct Context {
  Runtime& runtime;
  router::Store& store;
  const Settings& settings;
  const Caller& caller;
  BodyBudget& body_bytes;

  Instant deadline() const { return after(runtime.clock(), settings.request_timeout); }
  // Of the store, on the caller's behalf.
  router::Call call() const { return {deadline(), caller.only_owner, caller.principal.user}; }
};

// Permits of a semaphore, given back on destruction.
class Permits {
 public:
  Permits() = default;
  // Already acquired.
  Permits(Semaphore& semaphore, size_t n) : semaphore_(&semaphore), n_(n) {}
  Permits(Permits&& other) noexcept
      : semaphore_(std::exchange(other.semaphore_, nullptr)), n_(other.n_) {}
  Permits& operator=(Permits&& other) noexcept {
    std::swap(semaphore_, other.semaphore_);
    std::swap(n_, other.n_);
    return *this;
  }
  ~Permits() {
    if (semaphore_ != nullptr) semaphore_->release(n_);
  }

 private:
  Semaphore* semaphore_ = nullptr;
  size_t n_ = 0;
};

struct Response {
  int status = 200;
  http::Headers headers;
  std::string text;  // the body, unless `blob` has it
  Blob blob;
  std::string_view body() const { return blob.empty() ? std::string_view(text) : blob.view(); }
  std::optional<uint64_t> content_length;  // for HEAD: of what GET would send
  BodyBudget::Bytes memory;                // held until the body has been sent
};

}  // namespace drumlin::s3
