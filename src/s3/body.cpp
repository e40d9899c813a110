#include "s3/body.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/digest.h"
#include "s3/aws_chunked.h"

namespace drumlin::s3 {
namespace {

// From here on hashing costs much more than a hop to another thread.
constexpr size_t kOffloadBytes = 256 << 10;

template <typename Job>
void run_cpu(Runtime& runtime, size_t bytes, Job job) {
  if (bytes >= kOffloadBytes) {
    runtime.offload(std::move(job));
  } else {
    job();
  }
}

Error from_read(const Status& status) {
  return status.is(Code::kTimeout) ? ErrorCode::kRequestTimeout : ErrorCode::kIncompleteBody;
}

Outcome<uint64_t> decoded_length(const http::Headers& headers) {
  const auto text = headers.find("x-amz-decoded-content-length");
  if (!text.has_value()) return ErrorCode::kMissingContentLength;
  uint64_t length = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), length);
  if (text->empty() || parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) {
    return invalid_argument("The x-amz-decoded-content-length header is not a number.",
                            "x-amz-decoded-content-length", *text);
  }
  return length;
}

Outcome<uint64_t> body_size(const Request& request, bool required) {
  const http::RequestHead& head = request.head;
  if (auth::is_streaming(request.auth.payload)) return decoded_length(head.headers);
  if (head.headers.has("x-amz-decoded-content-length") && head.content_length.has_value()) {
    DRUMLIN_S3_ASSIGN(const uint64_t decoded, decoded_length(head.headers));
    if (decoded != *head.content_length) {
      return Error(ErrorCode::kInvalidRequest,
                   "x-amz-decoded-content-length without a streaming x-amz-content-sha256");
    }
  }
  if (head.content_length.has_value()) return *head.content_length;
  if (head.chunked || required) return ErrorCode::kMissingContentLength;
  return uint64_t{0};
}

Outcome<std::string> read_plain(const Request& request, uint64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const auto n = request.body.read(std::span(bytes).subspan(have));
    if (!n.ok()) return from_read(n.status());
    if (*n == 0) return ErrorCode::kIncompleteBody;
    have += *n;
  }
  return bytes;
}

AwsChunkedDecoder::Form form_of(const Request& request, const BodyPlan& plan) {
  const auth::PayloadKind kind = request.auth.payload;
  AwsChunkedDecoder::Form form;
  form.decoded_length = plan.size;
  form.with_trailer = kind != auth::PayloadKind::kStreamingSigned;
  if (kind != auth::PayloadKind::kStreamingUnsignedTrailer) {
    form.chain.emplace(request.auth.context, request.auth.signature);
  }
  form.trailers = plan.checksum.trailers;
  return form;
}

// Shared with the offload job, which may outlive this fiber.
struct Decoding {
  explicit Decoding(AwsChunkedDecoder::Form form) : decoder(std::move(form)) {}
  AwsChunkedDecoder decoder;
  std::string piece;
  std::string out;
  Check outcome = good();
};

// Fills `piece` as far as the body goes.
Check read_piece(const Request& request, std::string& piece, size_t capacity, bool& ended) {
  piece.resize(capacity);
  size_t have = 0;
  while (have < capacity && !ended) {
    const auto n = request.body.read(std::span(piece).subspan(have));
    if (!n.ok()) return from_read(n.status());
    ended = *n == 0;
    have += *n;
  }
  piece.resize(have);
  return good();
}

Outcome<std::string> read_chunked(Context& context, const Request& request, const BodyPlan& plan,
                                  std::optional<Checksum>& from_trailer) {
  auto work = std::make_shared<Decoding>(form_of(request, plan));
  work->out.reserve(static_cast<size_t>(plan.size));
  // Room for the framing of the usual chunks, so that a small body is read at once.
  const size_t capacity = std::min<size_t>(kOffloadBytes, static_cast<size_t>(plan.size) + 1024);
  bool ended = false;
  while (!ended) {
    DRUMLIN_S3_TRY(read_piece(request, work->piece, capacity, ended));
    run_cpu(context.runtime, work->piece.size(),
            [work] { work->outcome = work->decoder.feed(work->piece, work->out); });
    DRUMLIN_S3_TRY(work->outcome);
  }
  DRUMLIN_S3_TRY(work->decoder.finish());
  if (plan.checksum.in_trailer.has_value()) {
    const std::string name = checksum_header(*plan.checksum.in_trailer);
    for (const auto& [key, value] : work->decoder.trailers()) {
      if (key == name) from_trailer = Checksum{*plan.checksum.in_trailer, value};
    }
    if (!from_trailer.has_value()) return ErrorCode::kMalformedTrailer;
    if (!well_formed(*from_trailer)) {
      return Error(ErrorCode::kInvalidRequest,
                   "Value for " + name + " trailing header is invalid.");
    }
  }
  return std::move(work->out);
}

struct Digesting {
  std::string bytes;
  bool want_sha256 = false;
  std::optional<ChecksumKind> kind;
  std::string md5_raw;
  std::string sha256_hex;
  std::string checksum;

  void run() {
    md5_raw = as_view(md5(bytes));
    if (want_sha256) sha256_hex = hex(sha256(bytes));
    if (kind.has_value()) checksum = compute_checksum(*kind, bytes);
  }
};

Error bad_checksum(ChecksumKind kind) {
  std::string name(checksum_name(kind));
  for (char& c : name)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return {ErrorCode::kBadDigest,
          "The " + name + " you specified did not match the calculated checksum."};
}

}  // namespace

Outcome<BodyPlan> plan_body(const Request& request, uint64_t max_bytes, bool required) {
  BodyPlan plan;
  plan.streaming = auth::is_streaming(request.auth.payload);
  DRUMLIN_S3_ASSIGN(plan.size, body_size(request, required));
  if (plan.size > max_bytes) {
    return Error(ErrorCode::kEntityTooLarge)
        .with("ProposedSize", std::to_string(plan.size))
        .with("MaxSizeAllowed", std::to_string(max_bytes));
  }
  DRUMLIN_S3_ASSIGN(plan.checksum, plan_checksum(request.head.headers));
  const bool trailer_form =
      plan.streaming && request.auth.payload != auth::PayloadKind::kStreamingSigned;
  if (plan.checksum.in_trailer.has_value() && !trailer_form) {
    return Error(ErrorCode::kInvalidRequest,
                 "x-amz-trailer needs an x-amz-content-sha256 that ends in -TRAILER.");
  }
  if (const auto md5_header = request.head.headers.find("Content-MD5")) {
    std::string raw;
    if (!base64_decode(*md5_header, raw) || raw.size() != std::tuple_size_v<Md5Digest>) {
      return ErrorCode::kInvalidDigest;
    }
    plan.md5 = std::move(raw);
  }
  return plan;
}

Outcome<BodyBudget::Bytes> acquire_body_bytes(Context& context, uint64_t size, Instant deadline) {
  if (size == 0) return BodyBudget::Bytes();
  auto bytes = context.body_bytes.acquire(context.caller.principal.user, static_cast<size_t>(size),
                                          deadline);
  if (!bytes.ok()) return from_store(Status(Code::kExhausted));
  return std::move(*bytes);
}

Outcome<Body> read_body(Context& context, const Request& request, const BodyPlan& plan) {
  std::optional<Checksum> promised = plan.checksum.expected;
  auto work = std::make_shared<Digesting>();
  if (plan.streaming) {
    DRUMLIN_S3_ASSIGN(work->bytes, read_chunked(context, request, plan, promised));
  } else {
    DRUMLIN_S3_ASSIGN(work->bytes, read_plain(request, plan.size));
  }
  work->want_sha256 = request.auth.payload == auth::PayloadKind::kExact;
  if (promised.has_value()) work->kind = promised->kind;
  run_cpu(context.runtime, work->bytes.size(), [work] { work->run(); });
  if (work->want_sha256 && work->sha256_hex != request.auth.payload_sha256) {
    return Error(ErrorCode::kXAmzContentSha256Mismatch)
        .with("ClientComputedContentSHA256", request.auth.payload_sha256)
        .with("S3ComputedContentSHA256", work->sha256_hex);
  }
  if (plan.md5.has_value() && *plan.md5 != work->md5_raw) {
    return Error(ErrorCode::kBadDigest)
        .with("ExpectedDigest", base64_encode(*plan.md5))
        .with("CalculatedDigest", base64_encode(work->md5_raw));
  }
  if (promised.has_value() && promised->base64 != work->checksum)
    return bad_checksum(promised->kind);
  return Body{std::move(work->bytes), hex(work->md5_raw), std::move(promised)};
}

}  // namespace drumlin::s3
