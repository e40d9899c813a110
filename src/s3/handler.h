// S3Handler: the S3 API of a node. Takes HTTP exchanges, authenticates them, answers from a Store.
//
// A request is judged in this order: signature, target, operation, headers, caller, body, store.
// Whatever fails first is the answer, and the body is not asked for ("100 Continue") before the headers have
// passed. Every answer carries a request id that is also in the log.
//
// No more than Settings::max_requests are served at once; one beyond that waits a second for its turn, then it is
// told to slow down. A turn is taken once the signature is known to be right: strangers cannot use them up.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "auth/sigv4.h"
#include "http/server.h"
#include "observe/observer.h"
#include "router/store.h"
#include "runtime/runtime.h"
#include "s3/caller.h"
#include "s3/operations.h"
#include "s3/request.h"
#include "s3/settings.h"

namespace drumlin::s3 {

class S3Handler {
 public:
  // All references outlive the handler, and the handler every exchange that it was given.
  // `users` may be null: then there is no user but root, whose key is in the settings.
  S3Handler(Runtime& runtime, observe::Observer observer, router::Store& store, Settings settings,
            router::UserStore* users = nullptr);
  S3Handler(const S3Handler&) = delete;
  S3Handler& operator=(const S3Handler&) = delete;

  // One request, from its head to the end of the answer. On a fiber; yields.
  void handle(http::Exchange& exchange);

  // For http::Server: words what HTTP itself refuses as S3 errors. Does not yield.
  void http_error(int status, std::string_view reason, http::ResponseHead& head, std::string& body);

 private:
  struct Trace;  // of one request, for log and metrics
  struct Instruments {
    std::array<observe::Counter*, 6> by_class{};  // [status / 100]
    observe::Histogram* latency = nullptr;
  };
  void answer(http::Exchange& exchange, Outcome<Response> outcome, Trace& trace);
  Outcome<Response> serve(const http::RequestHead& sent, BodySource& body, Trace& trace,
                          Permits& turn);
  Outcome<auth::Verified> authenticate(const http::RequestHead& head, auth::Principal& principal);
  Response error_response(const Error& error, const http::RequestHead& head, const Trace& trace);
  Trace new_trace();
  void add_common(http::Headers& headers, const Trace& trace);
  void record(const http::Exchange& exchange, const Trace& trace);

  Runtime& runtime_;
  observe::Observer observer_;
  router::Store& store_;
  const Settings settings_;
  Callers callers_;
  const auth::Verifier verifier_;  // each request brings its lookup
  BodyBudget body_bytes_;
  Semaphore requests_;  // being served
  Rng ids_;
  std::array<Instruments, kOperations> instruments_;
};

}  // namespace drumlin::s3
