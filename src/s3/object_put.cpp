// PutObject.
#include <algorithm>
#include <array>

#include "base/codec.h"
#include "s3/body.h"
#include "s3/conditions.h"
#include "s3/operations.h"

namespace drumlin::s3 {
namespace {

constexpr size_t kMaxUserMetadataBytes = 2048;
constexpr std::string_view kUserPrefix = "x-amz-meta-";
// Kept and sent back as they came. Content-Encoding too, but for aws-chunked.
constexpr std::array<std::string_view, 5> kStoredHeaders = {
    "Content-Type", "Cache-Control", "Content-Disposition", "Content-Language", "Expires"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// The codings of all Content-Encoding headers but aws-chunked, which is framing and gone by now.
std::string content_codings(const http::Headers& headers) {
  std::string out;
  for (std::string_view value : headers.all("Content-Encoding")) {
    while (!value.empty()) {
      const size_t comma = std::min(value.find(','), value.size());
      std::string_view coding = value.substr(0, comma);
      value.remove_prefix(std::min(comma + 1, value.size()));
      while (coding.starts_with(' '))
        coding.remove_prefix(1);
      while (coding.ends_with(' '))
        coding.remove_suffix(1);
      if (coding.empty() || http::iequals(coding, "aws-chunked")) continue;
      if (!out.empty()) out += ",";
      out += coding;
    }
  }
  return out;
}

// Repeated names are joined by a comma, as if they had been one header.
void add_user_metadata(shard::Pairs& user, std::string name, std::string_view value) {
  for (auto& [key, text] : user) {
    if (key != name) continue;
    text.append(",").append(value);
    return;
  }
  user.emplace_back(std::move(name), value);
}

Outcome<shard::ObjectAttributes> attributes_of(const http::Headers& headers) {
  shard::ObjectAttributes attributes;
  for (std::string_view name : kStoredHeaders) {
    if (const auto value = headers.find(name); value.has_value() && !value->empty()) {
      attributes.headers.emplace_back(name, *value);
    }
  }
  if (std::string codings = content_codings(headers); !codings.empty()) {
    attributes.headers.emplace_back("Content-Encoding", std::move(codings));
  }
  size_t bytes = 0;
  for (const http::Header& header : headers) {
    std::string name = lower(header.name);
    if (!name.starts_with(kUserPrefix)) continue;
    name.erase(0, kUserPrefix.size());
    bytes += name.size() + header.value.size();
    add_user_metadata(attributes.user, std::move(name), header.value);
  }
  if (bytes > kMaxUserMetadataBytes) {
    return Error(ErrorCode::kMetadataTooLarge)
        .with("Size", std::to_string(bytes))
        .with("MaxSizeAllowed", std::to_string(kMaxUserMetadataBytes));
  }
  return attributes;
}

// Of a request's digest: what would be stored. The ETag stands for the bytes.
std::string content_of(const shard::ObjectAttributes& attributes) {
  std::string out;
  Writer writer(out);
  writer.bytes(attributes.etag);
  for (const shard::Pairs* pairs : {&attributes.headers, &attributes.user, &attributes.checksums}) {
    writer.u32(static_cast<uint32_t>(pairs->size()));
    for (const auto& [name, value] : *pairs) {
      writer.bytes(name);
      writer.bytes(value);
    }
  }
  return out;
}

}  // namespace

Outcome<Response> put_object(Context& context, const Request& request) {
  // All that the headers can tell is judged before the body is read, or even asked for.
  DRUMLIN_S3_ASSIGN(shard::ObjectAttributes attributes, attributes_of(request.head.headers));
  router::WriteTerms terms;
  DRUMLIN_S3_ASSIGN(terms.when, put_condition(request.head.headers));
  DRUMLIN_S3_ASSIGN(const BodyPlan plan, plan_body(request, context.settings.max_body_bytes, true));
  DRUMLIN_S3_ASSIGN(const auto memory, acquire_body_bytes(context, plan.size, context.deadline()));
  DRUMLIN_S3_ASSIGN(Body body, read_body(context, request, plan));
  Response response;
  response.headers.append("ETag", "\"" + body.md5_hex + "\"");
  attributes.etag = std::move(body.md5_hex);
  if (body.checksum.has_value()) {
    attributes.checksums.emplace_back(checksum_name(body.checksum->kind), body.checksum->base64);
    response.headers.append(checksum_header(body.checksum->kind), body.checksum->base64);
    response.headers.append("x-amz-checksum-type", "FULL_OBJECT");
  }
  terms.request = request_digest(request, request.target.key, terms.when, content_of(attributes));
  const auto written =
      context.store.put_object(request.target.bucket, request.target.key, std::move(attributes),
                               Blob(std::move(body.bytes)), terms, context.call());
  if (!written.ok()) return bucket_error(written.status(), request.target.bucket);
  if (written->outcome != router::Written::Outcome::kDone) {
    return refused(*written, request.target.key, condition_name(terms.when));
  }
  response.headers.append(kVersionHeader, std::to_string(written->version));
  return response;
}

}  // namespace drumlin::s3
