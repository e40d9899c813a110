#include "auth/principal.h"

#include "base/digest.h"

namespace drumlin::auth {

std::string canonical_user_id(uint64_t user, std::string_view root_access_key) {
  return hex(user == 0 ? sha256("drumlin owner\n" + std::string(root_access_key))
                       : sha256("drumlin user\n" + std::to_string(user)));
}

}  // namespace drumlin::auth
