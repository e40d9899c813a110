#include "bench/client/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "auth/sigv4.h"
#include "base/digest.h"
#include "base/rng.h"

namespace drumlin::bench {
namespace {

constexpr size_t kPage = 1000;

std::string key_name(size_t i) {
  return fmt::format("key-{:08}", i);
}

}  // namespace

Prepared RequestMaker::make(std::string_view method, std::string_view target, std::string_view body,
                            Payload payload) const {
  const std::array<auth::HeaderView, 1> headers{auth::HeaderView{"host", host_}};
  const std::string declared =
      payload == Payload::kSigned ? hex(sha256(body)) : std::string(auth::kUnsignedPayloadText);
  const auth::Signed s =
      auth::sign({method, target, headers}, credentials_, region_, now_, declared);
  Prepared out;
  out.head = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nx-amz-date: {}\r\nx-amz-content-sha256: {}\r\nAuthorization: "
      "{}\r\n",
      method, target, host_, s.amz_date, s.content_sha256, s.authorization);
  if (method == "PUT") out.head += fmt::format("Content-Length: {}\r\n", body.size());
  out.head += "\r\n";
  out.body = body;
  return out;
}

Keyspace::Keyspace(std::string bucket, size_t keys, size_t body_bytes)
    : bucket_(std::move(bucket)), keys_(keys) {
  Rng rng(body_bytes + 1);
  for (size_t i = 0; i < kBodies; ++i) {
    std::string& body = bodies_.emplace_back();
    body.reserve(body_bytes + sizeof(uint64_t));
    while (body.size() < body_bytes) {
      const uint64_t word = rng.next();
      body.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    body.resize(body_bytes);
  }
}

std::string Keyspace::target(size_t i) const {
  return "/" + bucket_ + "/" + key_name(i);
}

Prepared Keyspace::create_bucket(const RequestMaker& maker) const {
  Prepared out = maker.make("PUT", "/" + bucket_, {}, Payload::kSigned);
  out.any_body = true;
  return out;
}

std::vector<Prepared> Keyspace::puts(const RequestMaker& maker, Payload payload) const {
  std::vector<Prepared> out;
  out.reserve(keys_);
  for (size_t i = 0; i < keys_; ++i)
    out.push_back(maker.make("PUT", target(i), body(i), payload));
  return out;
}

std::vector<Prepared> Keyspace::gets(const RequestMaker& maker) const {
  std::vector<Prepared> out;
  out.reserve(keys_);
  for (size_t i = 0; i < keys_; ++i) {
    out.push_back(maker.make("GET", target(i), {}, Payload::kSigned));
    out.back().expected = body(i);
  }
  return out;
}

std::vector<Prepared> Keyspace::lists(const RequestMaker& maker) const {
  std::vector<Prepared> out;
  constexpr size_t kPlaces = 16;
  const size_t last = keys_ > kPage ? keys_ - kPage : 0;  // the last page that is full
  for (size_t i = 0; i < kPlaces; ++i) {
    const size_t first = last * i / (kPlaces - 1);
    std::string target = "/" + bucket_ + "?list-type=2&max-keys=" + std::to_string(kPage);
    if (first > 0) target += "&start-after=" + key_name(first - 1);
    Prepared page = maker.make("GET", target, {}, Payload::kSigned);
    page.listed = std::min(kPage, keys_ - first);
    out.push_back(std::move(page));
  }
  return out;
}

}  // namespace drumlin::bench
