// Requests made ahead: signed once, sent many times. A signature is good for 15 minutes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/credentials.h"
#include "base/time.h"

namespace drumlin::bench {

enum class Payload : unsigned char {
  kSigned,    // x-amz-content-sha256 is the body's digest
  kUnsigned,  // UNSIGNED-PAYLOAD
};

struct Prepared {
  std::string head;           // to the empty line
  std::string_view body;      // sent after it
  std::string_view expected;  // the answer's body, byte for byte
  bool any_body = false;      // the answer's body is not looked at
  size_t listed = 0;          // the answer's body lists so many keys
};

class RequestMaker {
 public:
  RequestMaker(auth::Credentials credentials, std::string region, std::string host, WallTime now)
      : credentials_(std::move(credentials)),
        region_(std::move(region)),
        host_(std::move(host)),
        now_(now) {}
  // `target` as it goes on the wire. `body` must outlive the answer.
  Prepared make(std::string_view method, std::string_view target, std::string_view body,
                Payload payload) const;

 private:
  auth::Credentials credentials_;
  std::string region_;
  std::string host_;
  WallTime now_;
};

// Keys of one bucket and their bodies, which a GET can compare byte for byte: key i has body
// i mod kBodies.
class Keyspace {
 public:
  Keyspace(std::string bucket, size_t keys, size_t body_bytes);
  size_t keys() const { return keys_; }
  std::string target(size_t i) const;
  std::string_view body(size_t i) const { return bodies_[i % bodies_.size()]; }

  Prepared create_bucket(const RequestMaker& maker) const;
  std::vector<Prepared> puts(const RequestMaker& maker, Payload payload) const;
  std::vector<Prepared> gets(const RequestMaker& maker) const;
  // Pages of up to 1000 keys from several places on.
  std::vector<Prepared> lists(const RequestMaker& maker) const;

 private:
  static constexpr size_t kBodies = 16;
  std::string bucket_;
  size_t keys_;
  std::vector<std::string> bodies_;
};

}  // namespace drumlin::bench
