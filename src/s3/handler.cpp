#include "s3/handler.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/digest.h"
#include "http/date.h"

namespace drumlin::s3 {
namespace {

// For a request that finds all others at work.
constexpr Duration kTurn = 1s;
// Bytes: a bucket and the longest key. Strangers can send more.
constexpr size_t kLoggedPath = 1200;

class ExchangeBody : public BodySource {
 public:
  explicit ExchangeBody(http::Exchange& exchange) : exchange_(exchange) {}
  Result<size_t> read(std::span<char> into) override { return exchange_.read_body(into); }

 private:
  http::Exchange& exchange_;
};

ErrorCode code_of(auth::AuthFailure failure, bool presigned) {
  using enum auth::AuthFailure;
  switch (failure) {
    case kMissing:
    case kExpired:
    case kInvalidDate:
    case kUnsignedHeaders:
      return ErrorCode::kAccessDenied;
    case kUnsupported:
      return ErrorCode::kInvalidRequest;
    case kMalformed:
    case kWrongRegion:
      return presigned ? ErrorCode::kAuthorizationQueryParametersError
                       : ErrorCode::kAuthorizationHeaderMalformed;
    case kUnknownAccessKey:
      return ErrorCode::kInvalidAccessKeyId;
    case kSignatureMismatch:
      return ErrorCode::kSignatureDoesNotMatch;
    case kTimeSkewed:
      return ErrorCode::kRequestTimeTooSkewed;
    case kMissingContentSha256:
      return ErrorCode::kInvalidRequest;
    case kInvalidContentSha256:
      return ErrorCode::kInvalidArgument;
  }
  DRUMLIN_UNREACHABLE();
}

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
      return ErrorCode::kBadRequest;
    case 408:
      return ErrorCode::kRequestTimeout;
    case 411:
      return ErrorCode::kMissingContentLength;
    case 413:
      return ErrorCode::kEntityTooLarge;
    case 414:
      return ErrorCode::kUriTooLong;
    case 431:
      return ErrorCode::kRequestHeaderSectionTooLarge;
    case 501:
      return ErrorCode::kNotImplemented;
    case 503:
      return ErrorCode::kSlowDown;
    case 505:
      return ErrorCode::kVersionNotSupported;
    default:
      return status < 500 ? ErrorCode::kBadRequest : ErrorCode::kInternalError;
  }
}

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

std::string upper_hex(uint64_t value) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4)
    out.push_back(kDigits[(value >> shift) & 15]);
  return out;
}

// What presigning SDKs move from headers into the query means what it means as a header, so it must not
// be ignored: x-amz-meta-*, x-amz-acl, x-amz-checksum-mode, ... Nothing if there is no such thing.
std::optional<http::RequestHead> with_hoisted_headers(const http::RequestHead& head,
                                                      const Target& target) {
  static constexpr std::array<std::string_view, 7> kOfTheSignature = {
      "X-Amz-Algorithm",     "X-Amz-Credential", "X-Amz-Date",          "X-Amz-Expires",
      "X-Amz-SignedHeaders", "X-Amz-Signature",  "X-Amz-Content-Sha256"};
  std::optional<http::RequestHead> out;
  for (const auto& [name, value] : target.query.items()) {
    if (!http::iequals(std::string_view(name).substr(0, 6), "x-amz-")) continue;
    const bool of_signature =
        std::any_of(kOfTheSignature.begin(), kOfTheSignature.end(),
                    [&n = name](std::string_view each) { return http::iequals(n, each); });
    if (of_signature) continue;
    if (!out.has_value()) out = head;
    out->headers.append(name, value);
  }
  return out;
}

}  // namespace

struct S3Handler::Trace {
  Operation operation = Operation::kNone;
  std::string request_id;
  std::string host_id;
  std::string user;  // once it is known
  int status = 0;
  std::string_view error;  // its code, or empty
};

S3Handler::S3Handler(Runtime& runtime, observe::Observer observer, router::Store& store,
                     Settings settings, router::UserStore* users)
    : runtime_(runtime),
      observer_(observer),
      store_(store),
      settings_(std::move(settings)),
      callers_(settings_, users),
      verifier_{settings_.region, nullptr},
      body_bytes_(runtime.scheduler(), runtime.clock(), settings_.body_bytes_in_flight,
                  settings_.body_bytes_per_user),
      requests_(runtime.scheduler(), runtime.clock(), settings_.max_requests),
      ids_(runtime.random().stream("s3.request_ids")) {
  static constexpr std::array<const char*, 6> kClasses = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (size_t i = 0; i < kOperations; ++i) {
    const std::string operation(operation_name(static_cast<Operation>(i)));
    for (size_t c = 2; c < kClasses.size(); ++c) {
      instruments_[i].by_class[c] =
          &observer_.metrics.counter("drumlin_s3_requests_total", "S3 requests answered.",
                                     {{"operation", operation}, {"class", kClasses[c]}});
    }
    instruments_[i].latency = &observer_.metrics.latency(
        "drumlin_s3_request_seconds", "From the end of a request's head to the end of its answer.",
        {{"operation", operation}});
  }
}

S3Handler::Trace S3Handler::new_trace() {
  Trace trace;
  trace.request_id = upper_hex(ids_.next());
  std::string host(16, '\0');
  store_le(host.data(), ids_.next());
  store_le(host.data() + 8, ids_.next());
  trace.host_id = base64_encode(host);
  return trace;
}

void S3Handler::add_common(http::Headers& headers, const Trace& trace) {
  headers.append("x-amz-request-id", trace.request_id);
  headers.append("x-amz-id-2", trace.host_id);
  headers.append("Date", http::format_date(runtime_.clock().wall()));
  headers.append("Server", "Drumlin");
}

Outcome<auth::Verified> S3Handler::authenticate(const http::RequestHead& head,
                                                auth::Principal& principal) {
  std::vector<auth::HeaderView> views;
  views.reserve(head.headers.size());
  for (const http::Header& header : head.headers)
    views.push_back({header.name, header.value});
  const WallTime now = runtime_.clock().wall();
  const Instant deadline = after(runtime_.clock(), settings_.request_timeout);
  Status unknown;
  auth::VerifyResult result =
      verifier_.verify({head.method, head.target, views}, now, [&](std::string_view access_key) {
        return callers_.secret_of(access_key, deadline, principal, unknown);
      });
  if (!unknown.ok()) return from_store(unknown);
  if (auto* verified = std::get_if<auth::Verified>(&result)) return std::move(*verified);
  const auth::AuthError& refused = std::get<auth::AuthError>(result);
  const bool presigned = !head.headers.has("Authorization");
  Error error(code_of(refused.failure, presigned), refused.message);
  if (refused.failure == auth::AuthFailure::kWrongRegion) {
    return std::move(error).with("Region", settings_.region);
  }
  return error;
}

Outcome<Response> S3Handler::serve(const http::RequestHead& sent, BodySource& body, Trace& trace,
                                   Permits& turn) {
  auth::Principal principal;
  DRUMLIN_S3_ASSIGN(const auth::Verified verified, authenticate(sent, principal));
  trace.user = principal.name;
  if (!requests_.acquire(1, after(runtime_.clock(), kTurn)).ok()) return ErrorCode::kSlowDown;
  turn = Permits(requests_, 1);
  DRUMLIN_S3_ASSIGN(const Target target, parse_target(sent.target));
  const std::optional<http::RequestHead> folded = with_hoisted_headers(sent, target);
  const http::RequestHead& head = folded.has_value() ? *folded : sent;
  DRUMLIN_S3_ASSIGN(trace.operation, route(head.method, target));
  DRUMLIN_S3_TRY(refuse_unbuilt_headers(trace.operation, head.headers));
  DRUMLIN_S3_ASSIGN(const Caller caller,
                    callers_.admit(std::move(principal), trace.operation, target, head.headers,
                                   store_, after(runtime_.clock(), settings_.request_timeout)));
  Context context{runtime_, store_, settings_, caller, body_bytes_};
  return run(trace.operation, context, {head, target, verified, body});
}

Response S3Handler::error_response(const Error& error, const http::RequestHead& head,
                                   const Trace& trace) {
  Response response;
  response.status = info(error.code).status;
  response.headers = error.headers;
  response.headers.append("Content-Type", "application/xml");
  // Nothing but a length would tell the client of a HEAD about it.
  response.content_length = head.method == "HEAD" ? std::optional<uint64_t>(0) : std::nullopt;
  response.text = render(error, path_of(head.target), trace.request_id, trace.host_id);
  return response;
}

void S3Handler::handle(http::Exchange& exchange) {
  Trace trace = new_trace();
  Permits turn;  // until the answer has left
  ExchangeBody body(exchange);
  answer(exchange, serve(exchange.head(), body, trace, turn), trace);
}

void S3Handler::answer(http::Exchange& exchange, Outcome<Response> outcome, Trace& trace) {
  if (!outcome.ok()) {
    trace.error = info(outcome.error().code).name;
    outcome = error_response(outcome.error(), exchange.head(), trace);
  }
  Response& response = *outcome;
  trace.status = response.status;
  http::ResponseHead head;
  head.status = response.status;
  head.headers = std::move(response.headers);
  add_common(head.headers, trace);
  if (exchange.head().method == "HEAD") head.content_length = response.content_length;
  const Status sent = exchange.respond(std::move(head), response.body());
  if (!sent.ok() && trace.error.empty()) trace.error = "ClientGone";
  record(exchange, trace);
}

void S3Handler::record(const http::Exchange& exchange, const Trace& trace) {
  const Duration took = runtime_.clock().now() - exchange.started();
  const Instruments& instruments = instruments_[static_cast<size_t>(trace.operation)];
  const auto status_class = static_cast<size_t>(trace.status) / 100;
  instruments.by_class[status_class]->Increment();
  instruments.latency->Observe(to_seconds(took));
  const observe::Level level = trace.error.empty() ? observe::Level::kDebug : observe::Level::kInfo;
  if (!observer_.log.enabled(level)) return;
  const http::RequestHead& head = exchange.head();
  const std::string peer = exchange.peer().to_string();
  // The path only: a presigned query holds a signature.
  observer_.log.write(level, "s3", "request",
                      {{"request_id", trace.request_id},
                       {"peer", peer},
                       {"user", trace.user},
                       {"operation", operation_name(trace.operation)},
                       {"method", head.method},
                       {"path", path_of(head.target).substr(0, kLoggedPath)},
                       {"status", trace.status},
                       {"error", trace.error},
                       {"sent", exchange.body_sent()},
                       {"us", to_us(took)}});
}

void S3Handler::http_error(int status, std::string_view reason, http::ResponseHead& head,
                           std::string& body) {
  Trace trace = new_trace();
  trace.status = status;
  const Error error(code_of_status(status), std::string(reason));
  head.status = status;
  head.headers = error.headers;
  head.headers.append("Content-Type", "application/xml");
  add_common(head.headers, trace);
  body = render(error, "/", trace.request_id, trace.host_id);
  observer_.log.info("s3", "request refused by http",
                     {{"request_id", trace.request_id}, {"status", status}, {"reason", reason}});
}

}  // namespace drumlin::s3
