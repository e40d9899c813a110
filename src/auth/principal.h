// Principal: who a request turned out to be from, and what that allows. The one place of the rule:
// root may use every bucket, a user those it owns. There are no policies to add to it yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drumlin::auth {

struct Principal {
  uint64_t user = 0;  // 0: root, the key of the node's configuration
  std::string name = "drumlin";

  bool is_root() const { return user == 0; }
};

// The owner that a bucket must have for `principal` to use it in any way, to create one of its name
// or to see it listed. Nothing: whoever owns it.
inline std::optional<uint64_t> owner_needed(const Principal& principal) {
  return principal.is_root() ? std::nullopt : std::optional<uint64_t>(principal.user);
}

// As Amazon's canonical ids look: 64 hex digits. No secret. Root's follows from its access key.
std::string canonical_user_id(uint64_t user, std::string_view root_access_key);

}  // namespace drumlin::auth
