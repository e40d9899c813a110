// GetObject and HeadObject: the same answer, with and without the bytes.
#include <algorithm>
#include <array>
#include <optional>

#include "http/date.h"
#include "s3/body.h"
#include "s3/conditions.h"
#include "s3/operations.h"
#include "s3/range.h"

namespace drumlin::s3 {
namespace {

struct Override {
  std::string_view parameter;
  std::string_view header;
};
constexpr std::array kOverrides = {
    Override{"response-cache-control", "Cache-Control"},
    Override{"response-content-disposition", "Content-Disposition"},
    Override{"response-content-encoding", "Content-Encoding"},
    Override{"response-content-language", "Content-Language"},
    Override{"response-content-type", "Content-Type"},
    Override{"response-expires", "Expires"},
};

void add_validators(const shard::ObjectRecord& object, http::Headers& headers) {
  headers.append("ETag", "\"" + object.attributes.etag + "\"");
  headers.append("Last-Modified", http::format_date(object.modified));
  headers.append(kVersionHeader, std::to_string(object.version));
}

void add_stored(const Request& request, const shard::ObjectRecord& object, http::Headers& headers) {
  for (const auto& [name, value] : object.attributes.headers)
    headers.append(name, value);
  for (const Override& each : kOverrides) {
    const std::string_view value = request.target.query.get(each.parameter);
    if (!value.empty()) headers.set(each.header, value);
  }
  if (!headers.has("Content-Type")) headers.append("Content-Type", "binary/octet-stream");
  for (const auto& [name, value] : object.attributes.user) {
    headers.append("x-amz-meta-" + name, value);
  }
}

// Of the whole object: a client would hold it against the bytes of a range.
void add_checksums(const Request& request, const shard::ObjectRecord& object,
                   http::Headers& headers) {
  if (!http::iequals(request.head.headers.get("x-amz-checksum-mode"), "ENABLED")) return;
  for (const auto& [name, value] : object.attributes.checksums) {
    headers.append("x-amz-checksum-" + name, value);
  }
  if (!object.attributes.checksums.empty()) headers.append("x-amz-checksum-type", "FULL_OBJECT");
}

Error no_such_key(const Request& request, const router::GotObject& got) {
  Error error = Error(ErrorCode::kNoSuchKey).with("Key", request.target.key);
  error.headers.append(kVersionHeader, std::to_string(got.version));
  return error;
}

Error invalid_range(std::string_view asked, const shard::ObjectRecord& object) {
  Error error = Error(ErrorCode::kInvalidRange)
                    .with("RangeRequested", std::string(asked))
                    .with("ActualObjectSize", std::to_string(object.size));
  error.headers.append("Content-Range", "bytes */" + std::to_string(object.size));
  error.headers.append(kVersionHeader, std::to_string(object.version));
  return error;
}

// Not found, or a condition that ends it.
std::optional<Outcome<Response>> early_answer(const Request& request,
                                              const router::GotObject& got) {
  if (!got.found) return no_such_key(request, got);
  const shard::ObjectRecord& object = got.object;
  switch (evaluate(request.head.headers, object.attributes.etag, object.modified)) {
    case Condition::kHolds:
      return std::nullopt;
    case Condition::kFailed: {
      Error error =
          Error(ErrorCode::kPreconditionFailed)
              .with("Condition",
                    request.head.headers.has("If-Match") ? "If-Match" : "If-Unmodified-Since");
      error.headers.append(kVersionHeader, std::to_string(object.version));
      return error;
    }
    case Condition::kNotModified:
      break;
  }
  Response response;
  response.status = 304;
  add_validators(object, response.headers);
  return response;
}

// What an object may have to come at the first asking.
constexpr uint64_t kFirstBytes = 256 << 10;
// It may have been replaced by a larger one while memory was waited for.
constexpr int kRounds = 4;

struct Fetched {
  router::GotObject got;
  BodyBudget::Bytes memory;  // for got.body
};

// Memory for the body is taken before it is asked for: however many clients ask, no more bodies are
// held than body_bytes allows. The size is not known before; so a small body comes at once, and a
// larger one when there is room for all of it. Nothing is held while waiting.
Outcome<Fetched> fetch(Context& context, const Request& request,
                       const std::optional<router::ByteRange>& range) {
  const Instant deadline = context.deadline();
  uint64_t room = std::min<uint64_t>(kFirstBytes, context.body_bytes.share() / 8 + 1);
  for (int round = 0; round < kRounds; ++round) {
    DRUMLIN_S3_ASSIGN(auto memory, acquire_body_bytes(context, room, deadline));
    auto got = context.store.get_object(request.target.bucket, request.target.key, true, range,
                                        room, context.call());
    if (!got.ok()) return bucket_error(got.status(), request.target.bucket);
    memory.shrink(got->body.size());
    if (!got->body_left_out) return Fetched{std::move(*got), std::move(memory)};
    if (auto early = early_answer(request, *got)) return Fetched{std::move(*got), {}};
    const std::optional<Span> asked =
        range.has_value() ? resolve(*range, got->object.size) : Span{0, got->object.size};
    if (!asked.has_value() || asked->count <= room) break;
    room = asked->count;
  }
  return from_store(Status(Code::kExhausted));
}

Outcome<Fetched> fetch_head(Context& context, const Request& request) {
  auto got = context.store.get_object(request.target.bucket, request.target.key, false,
                                      std::nullopt, 0, context.call());
  if (!got.ok()) return bucket_error(got.status(), request.target.bucket);
  return Fetched{std::move(*got), {}};
}

Outcome<Response> answer(Context& context, const Request& request, bool with_body) {
  const std::string_view range_text = request.head.headers.get("Range");
  std::optional<router::ByteRange> range = parse_range(range_text);
  DRUMLIN_S3_ASSIGN(Fetched fetched,
                    with_body ? fetch(context, request, range) : fetch_head(context, request));
  if (range.has_value() && fetched.got.found &&
      !range_applies(request.head.headers, fetched.got.object.attributes.etag,
                     fetched.got.object.modified)) {
    range.reset();
    fetched = Fetched{};
    if (with_body) {
      DRUMLIN_S3_ASSIGN(fetched, fetch(context, request, range));
    } else {
      DRUMLIN_S3_ASSIGN(fetched, fetch_head(context, request));
    }
  }
  router::GotObject& got = fetched.got;
  if (auto early = early_answer(request, got)) return std::move(*early);
  const shard::ObjectRecord& object = got.object;
  Span span{0, object.size};
  Response response;
  response.headers.append("Accept-Ranges", "bytes");
  if (range.has_value()) {
    const std::optional<Span> resolved = resolve(*range, object.size);
    if (!resolved.has_value()) return invalid_range(range_text, object);
    span = *resolved;
    response.status = 206;
    response.headers.append("Content-Range", "bytes " + std::to_string(span.first) + "-" +
                                                 std::to_string(span.first + span.count - 1) + "/" +
                                                 std::to_string(object.size));
  } else {
    add_checksums(request, object, response.headers);
  }
  add_validators(object, response.headers);
  add_stored(request, object, response.headers);
  add_version_id(request, response.headers);
  response.content_length = span.count;
  if (!with_body) return response;
  if (got.body.size() != span.count || (range.has_value() && got.first != span.first)) {
    return Error(ErrorCode::kInternalError,
                 "The store returned other bytes than it was asked for.");
  }
  response.memory = std::move(fetched.memory);
  response.blob = std::move(got.body);
  return response;
}

}  // namespace

Outcome<Response> get_object(Context& context, const Request& request) {
  return answer(context, request, true);
}

Outcome<Response> head_object(Context& context, const Request& request) {
  return answer(context, request, false);
}

}  // namespace drumlin::s3
