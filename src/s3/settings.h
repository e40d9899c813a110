// Settings of the S3 API of a node.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace drumlin::s3 {

struct Settings {
  std::string access_key;
  std::string secret_key;
  std::string region = "us-east-1";
  uint64_t max_body_bytes = (8u << 20) - 1;  // of one object
  size_t body_bytes_in_flight = 256u << 20;  // of all requests, received and sent
  Duration request_timeout = 10s;            // for the store; and, before that, for memory
  size_t max_requests = 1024;                // served at once, from head to end of answer
  // Of body_bytes_in_flight, what one user may hold. REQUIRES: max_body_bytes or more.
  size_t body_bytes_per_user = 128u << 20;
};

}  // namespace drumlin::s3
