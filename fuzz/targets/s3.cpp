// What S3 clients send besides HTTP: aws-chunked bodies, XML bodies, paths and queries, ranges.
#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/digest.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "s3/aws_chunked.h"
#include "s3/range.h"
#include "s3/uri.h"
#include "s3/xml.h"

namespace drumlin::fuzz {
namespace {

using s3::AwsChunkedDecoder;

auth::ChunkChain chain() {
  return {{"key", "20130524T000000Z", "20130524/us-east-1/s3/aws4_request"}, std::string(64, '5')};
}

struct Outcome {
  bool good = false;
  s3::ErrorCode error{};
  std::string out;
  std::vector<std::pair<std::string, std::string>> trailers;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(const AwsChunkedDecoder::Form& form, std::string_view bytes, size_t step) {
  AwsChunkedDecoder decoder(form);
  Outcome out;
  s3::Check check = s3::good();
  for (size_t at = 0; at < bytes.size() && check.ok(); at += step) {
    const size_t had = out.out.size();
    check = decoder.feed(bytes.substr(at, step), out.out);
    DRUMLIN_CHECK_LE(out.out.size(), form.decoded_length);
    DRUMLIN_CHECK_LE(out.out.size() - had, step);
  }
  if (check.ok()) check = decoder.finish();
  out.good = check.ok();
  if (!check.ok()) out.error = check.error().code;
  if (out.good) out.trailers = decoder.trailers();
  return out;
}

// The body that a correct client makes of the pieces.
std::string encode(const AwsChunkedDecoder::Form& form, const std::vector<std::string>& pieces,
                   const std::vector<std::string>& values) {
  std::string out;
  std::optional<auth::ChunkChain> signer = form.chain;
  const auto head = [&](std::string_view data) {
    char size[20];
    std::snprintf(size, sizeof(size), "%zx", data.size());
    out += size;
    if (signer) out += ";chunk-signature=" + signer->next(hex(sha256(data)));
    out += "\r\n";
  };
  for (const std::string& piece : pieces) {
    if (piece.empty()) continue;
    head(piece);
    out += piece + "\r\n";
  }
  head({});
  if (form.with_trailer) {
    std::string canonical;
    for (size_t i = 0; i < form.trailers.size(); ++i) {
      out += form.trailers[i] + ":" + values[i] + "\r\n";
      canonical += form.trailers[i] + ":" + values[i] + "\n";
    }
    if (signer) out += "x-amz-trailer-signature:" + signer->trailer(canonical) + "\r\n";
  }
  return out + "\r\n";
}

size_t elements(const s3::XmlElement& element) {
  size_t out = 1;
  for (const s3::XmlElement& child : element.children)
    out += elements(child);
  return out;
}

}  // namespace

// Byte 0: bit 0 made by a client, bit 1 signed, bit 2 with trailer; byte 1: how it is cut.
void aws_chunked(std::string_view input) {
  Source source(input);
  const uint8_t mode = source.byte();
  const size_t step = source.byte() + size_t{1};
  AwsChunkedDecoder::Form form;
  if ((mode & 2) != 0) form.chain = chain();
  form.with_trailer = (mode & 4) != 0;
  if (form.with_trailer) form.trailers = {"x-amz-checksum-crc32"};
  if ((mode & 1) == 0) {
    form.decoded_length = source.number();
    const std::string_view bytes = source.rest();
    const Outcome whole = decode(form, bytes, SIZE_MAX / 2);
    DRUMLIN_CHECK(decode(form, bytes, step) == whole, "cut into ", step);
    DRUMLIN_CHECK(decode(form, bytes, 1) == whole, "cut into bytes");
    if (whole.good) DRUMLIN_CHECK_EQ(whole.out.size(), form.decoded_length);
    return;
  }
  std::vector<std::string> pieces;
  std::string data;
  while (!source.empty() && pieces.size() < 50) {
    pieces.push_back(source.string());
    data += pieces.back();
  }
  form.decoded_length = data.size();
  std::string body = encode(form, pieces, {"sOO8/Q=="});
  const Outcome made = decode(form, body, step);
  DRUMLIN_CHECK(made.good, static_cast<int>(made.error));
  DRUMLIN_CHECK(made.out == data);
  DRUMLIN_CHECK_EQ(made.trailers.size(), form.trailers.size());
  // A signed body that lost or changed a byte of data is refused.
  if (form.chain && !data.empty()) {
    const size_t at = body.find("\r\n") + 2;
    body[at] = static_cast<char>(body[at] ^ 1);
    DRUMLIN_CHECK(!decode(form, body, step).good, "bent data");
  }
  DRUMLIN_CHECK(!decode(form, body.substr(0, body.size() - 3), step).good, "cut off");
}

void s3_xml(std::string_view input) {
  constexpr size_t kMost = 20;
  if (const auto tree = s3::read_xml(input, "Delete", kMost)) {
    DRUMLIN_CHECK_EQ(tree->name, "Delete");
    DRUMLIN_CHECK_LE(elements(*tree), kMost);
  }
  for (const char* root : {"CreateBucketConfiguration", "Delete"}) {
    for (const char* child : {"LocationConstraint", "Object", "Quiet"}) {
      const auto text = s3::read_xml_child(input, root, child);
      // Entities are of five kinds: nothing grows.
      if (text) DRUMLIN_CHECK_LE(text->size(), input.size());
    }
  }
  // What we write we can read: a text that is XML at all comes back, but for white space around it.
  const auto plain = [](char c) {
    const auto n = static_cast<unsigned char>(c);
    return n >= ' ' || n == '\n' || n == '\t' || n == '\r';
  };
  std::string value(input);
  value.erase(std::remove_if(value.begin(), value.end(), [&](char c) { return !plain(c); }),
              value.end());
  if (!s3::valid_utf8(value)) return;
  s3::XmlDocument document("Root", s3::kNamespace);
  document.root().text("Key", "[" + value + "]");
  const std::string written = document.to_string();
  const std::optional<s3::XmlElement> tree = s3::read_xml(written, "Root", 2 * input.size() + 2);
  DRUMLIN_CHECK(tree.has_value() && tree->children.size() == 1, written);
  DRUMLIN_CHECK_EQ(tree->children[0].text, "[" + value + "]");
  const auto back = s3::read_xml_child(written, "Root", "Key");
  DRUMLIN_CHECK(back.has_value(), written);
  DRUMLIN_CHECK_EQ(*back, "[" + value + "]");
}

void s3_uri(std::string_view input) {
  auto target = s3::parse_target(input);
  if (target.ok()) {
    DRUMLIN_CHECK_LE(target->key.size(), s3::kMaxKeyBytes);
    DRUMLIN_CHECK(s3::valid_utf8(target->key));
    DRUMLIN_CHECK(target->key.find('\0') == std::string::npos);
    DRUMLIN_CHECK(target->bucket.empty() ? target->key.empty()
                                         : s3::valid_bucket_name(target->bucket));
    // Written as a client would, it is the same again.
    std::string text = "/" + target->bucket;
    if (!target->key.empty()) text += "/" + s3::percent_encode(target->key);
    char separator = '?';
    for (const auto& [name, value] : target->query.items()) {
      text += separator + s3::percent_encode(name) + "=" + s3::percent_encode(value);
      separator = '&';
    }
    auto again = s3::parse_target(text);
    DRUMLIN_CHECK(again.ok(), text);
    DRUMLIN_CHECK(again->bucket == target->bucket && again->key == target->key, text);
    DRUMLIN_CHECK(again->query.items() == target->query.items(), text);
  } else {
    DRUMLIN_CHECK_GE(s3::info(target.error().code).status, 400);
  }
  const std::string encoded = s3::percent_encode(input);
  DRUMLIN_CHECK(s3::percent_decode(encoded, false) == input);
  DRUMLIN_CHECK(s3::percent_decode(encoded, true) == input);
  if (const auto range = s3::parse_range(input)) {
    for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, UINT64_MAX}) {
      const auto span = s3::resolve(*range, size);
      if (!span) continue;
      DRUMLIN_CHECK_GT(span->count, uint64_t{0});
      DRUMLIN_CHECK_LE(span->count, size);
      DRUMLIN_CHECK_LE(span->first, size - span->count);
    }
  }
}

}  // namespace drumlin::fuzz
