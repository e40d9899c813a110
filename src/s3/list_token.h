// Continuation tokens: where a listing goes on, opaque to clients.
//
// Base64url of: version 1 (1 byte) | flags (1 byte: 1 = common prefix) | key | 16 bytes of
// HMAC-SHA256 over the scope and all before it, under the secret key. So a token that was changed,
// or that belongs to another bucket, is refused, and any node can read what another one made.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace drumlin::s3 {

struct ListPosition {
  std::string key;  // the last one that was listed
  bool common_prefix = false;
  bool operator==(const ListPosition&) const = default;
};

std::string make_list_token(const ListPosition& position, std::string_view scope,
                            std::string_view secret);
std::optional<ListPosition> read_list_token(std::string_view token, std::string_view scope,
                                            std::string_view secret);

}  // namespace drumlin::s3
