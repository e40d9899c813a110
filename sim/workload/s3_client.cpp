#include "sim/workload/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "auth/basic.h"
#include "auth/sigv4.h"
#include "base/codec.h"
#include "base/digest.h"
#include "sim/cluster/cluster.h"

namespace drumlin::sim {
namespace {

constexpr std::string_view kRegion = "us-east-1";
constexpr size_t kChunkBytes = 8192;

std::string crc32_base64(std::string_view bytes) {
  std::string raw;
  Writer(raw).u32_be(crc32(bytes));
  return base64_encode(raw);
}

// Signs what the head has so far.
auth::Signed sign(http::RequestHead& head, const auth::Credentials& keys, WallTime now,
                  std::string_view payload) {
  std::vector<auth::HeaderView> views;
  for (const http::Header& header : head.headers)
    views.push_back({header.name, header.value});
  auth::Signed made = auth::sign({head.method, head.target, views}, keys, kRegion, now, payload);
  head.headers.set("x-amz-date", made.amz_date);
  head.headers.set("x-amz-content-sha256", made.content_sha256);
  head.headers.set("Authorization", made.authorization);
  return made;
}

// aws-chunked: every chunk signed, and a signed trailer if there is one.
std::string chunked(std::string_view data, auth::ChunkChain chain, std::string_view crc_trailer) {
  std::string out;
  bool last = false;
  while (!last) {
    const std::string_view chunk = data.substr(0, kChunkBytes);
    data.remove_prefix(chunk.size());
    last = chunk.empty();
    out += fmt::format("{:x};chunk-signature={}\r\n", chunk.size(),
                       chain.next(hex(as_view(sha256(chunk)))));
    if (!last) out.append(chunk).append("\r\n");
  }
  if (!crc_trailer.empty()) {
    out += fmt::format("x-amz-checksum-crc32:{}\r\n", crc_trailer);
    out += fmt::format("x-amz-trailer-signature:{}\r\n",
                       chain.trailer(fmt::format("x-amz-checksum-crc32:{}\n", crc_trailer)));
  }
  return out + "\r\n";
}

Outcome outcome_of(const S3Answer& answer) {
  if (answer.status < 500) return answer.ok() ? Outcome::kDone : Outcome::kNotDone;
  // The API's promise: 503 was not applied and never will be.
  return answer.status == 503 ? Outcome::kNotDone : Outcome::kUnknown;
}

}  // namespace

std::vector<std::string> xml_elements(std::string_view xml, std::string_view name) {
  const std::string open = fmt::format("<{}>", name);
  const std::string close = fmt::format("</{}>", name);
  std::vector<std::string> out;
  for (size_t at = 0;;) {
    const size_t from = xml.find(open, at);
    if (from == std::string_view::npos) return out;
    const size_t to = xml.find(close, from);
    if (to == std::string_view::npos) return out;
    out.emplace_back(xml.substr(from + open.size(), to - from - open.size()));
    at = to + close.size();
  }
}

S3Client::S3Client(Runtime& runtime)
    : keys{std::string(kAccessKey), std::string(kSecretKey)}, runtime_(runtime) {}

http::Client& S3Client::client(const Endpoint& node) {
  auto& slot = clients_[node];
  if (slot == nullptr) {
    http::ClientLimits limits;
    limits.connect_timeout = 1s;
    slot = std::make_unique<http::Client>(runtime_, node, limits);
  }
  return *slot;
}

S3Answer S3Client::send(const Endpoint& node, http::RequestHead head, std::string_view body) {
  const bool expect = head.expect_continue;
  head.expect_continue = expect && !body.empty();
  auto response = client(node).request(head, body, after(runtime_.clock(), kPatience), 64u << 20);
  S3Answer answer;
  if (!response.ok()) {
    answer.outcome = response.is(Code::kUnavailable) ? Outcome::kNotDone : Outcome::kUnknown;
    answer.code = response.status().to_string();
    return answer;
  }
  answer.status = response->head.status;
  answer.headers = std::move(response->head.headers);
  answer.content_length = response->head.content_length.value_or(0);
  answer.body = std::move(response->body);
  const std::string_view version = answer.headers.get("x-drumlin-version");
  std::from_chars(version.data(), version.data() + version.size(), answer.version);
  if (answer.status >= 300) {
    const auto codes = xml_elements(answer.body, "Code");
    if (!codes.empty()) answer.code = codes.front();
  }
  answer.outcome = outcome_of(answer);
  return answer;
}

S3Answer S3Client::call(const Endpoint& node, std::string_view method, const std::string& target,
                        http::Headers headers) {
  http::RequestHead head;
  head.method = method;
  head.target = target;
  head.headers = std::move(headers);
  head.headers.set("Host", node.to_string());
  sign(head, keys, runtime_.clock().wall(), hex(as_view(sha256({}))));
  return send(node, std::move(head), {});
}

S3Answer S3Client::post(const Endpoint& node, const std::string& target, std::string_view body) {
  http::RequestHead head;
  head.method = "POST";
  head.target = target;
  head.headers = {{"Host", node.to_string()}, {"Content-MD5", base64_encode(as_view(md5(body)))}};
  sign(head, keys, runtime_.clock().wall(), hex(as_view(sha256(body))));
  return send(node, std::move(head), body);
}

S3Answer S3Client::api(const Endpoint& node, std::string_view method, const std::string& target,
                       std::string_view body) {
  http::RequestHead head;
  head.method = method;
  head.target = target;
  head.headers.append("Host", node.to_string());
  head.headers.append("Authorization",
                      auth::make_basic({std::string(kAccessKey), std::string(kSecretKey)}));
  return send(node, std::move(head), body);
}

S3Answer S3Client::put(const Endpoint& node, const std::string& target, std::string_view body,
                       std::string_view id, Encoding encoding, const http::Headers& more) {
  http::RequestHead head;
  head.method = "PUT";
  head.target = target + "?x-id=PutObject";
  head.headers = {
      {"Host", node.to_string()}, {"Content-Type", "application/x-drumlin"}, {"x-amz-meta-id", id}};
  for (const http::Header& header : more)
    head.headers.append(header.name, header.value);
  head.expect_continue = true;
  const WallTime now = runtime_.clock().wall();
  if (encoding == Encoding::kSigned || encoding == Encoding::kUnsigned) {
    const std::string crc = crc32_base64(body);
    if (encoding == Encoding::kSigned) head.headers.append("x-amz-checksum-crc32", crc);
    sign(head, keys, now,
         encoding == Encoding::kSigned ? hex(as_view(sha256(body)))
                                       : std::string(auth::kUnsignedPayloadText));
    return send(node, std::move(head), body);
  }
  const bool trailer = encoding == Encoding::kChunkedTrailer;
  head.headers.append("Content-Encoding", "aws-chunked");
  head.headers.append("x-amz-decoded-content-length", std::to_string(body.size()));
  if (trailer) head.headers.append("x-amz-trailer", "x-amz-checksum-crc32");
  auth::Signed made = sign(
      head, keys, now, trailer ? auth::kStreamingSignedTrailerText : auth::kStreamingSignedText);
  const std::string framed = chunked(body, auth::ChunkChain(made.context, made.signature),
                                     trailer ? crc32_base64(body) : std::string());
  return send(node, std::move(head), framed);
}

}  // namespace drumlin::sim
