// Makes aws-chunked bodies, as a client does.
#pragma once

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/sigv4.h"
#include "base/digest.h"

namespace drumlin::s3::test {

struct ChunkedForm {
  size_t chunk_size = 64 << 10;
  std::optional<auth::ChunkChain> chain;  // signed forms
  std::vector<std::pair<std::string, std::string>> trailers;
};

inline std::string chunked_body(std::string_view data, ChunkedForm form) {
  std::string out;
  for (;;) {
    const std::string_view chunk = data.substr(0, std::min(form.chunk_size, data.size()));
    data.remove_prefix(chunk.size());
    char size[24];
    std::snprintf(size, sizeof(size), "%zx", chunk.size());
    out += size;
    if (form.chain.has_value()) out += ";chunk-signature=" + form.chain->next(hex(sha256(chunk)));
    out += "\r\n";
    if (chunk.empty()) break;
    out.append(chunk).append("\r\n");
  }
  std::string canonical;
  for (const auto& [name, value] : form.trailers) {
    out += name + ":" + value + "\r\n";
    canonical += name + ":" + value + "\n";
  }
  if (form.chain.has_value() && !form.trailers.empty()) {
    out += "x-amz-trailer-signature:" + form.chain->trailer(canonical) + "\r\n";
  }
  return out + "\r\n";
}

}  // namespace drumlin::s3::test
