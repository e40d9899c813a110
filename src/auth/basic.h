// HTTP Basic authentication (RFC 7617), with the access key as user and the secret key as password.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/credentials.h"

namespace drumlin::auth {

// Of the value of an Authorization header. Nothing if it is not well-formed Basic: the scheme in
// any case, one canonical base64 token, "user:password" inside; the user holds no colon.
std::optional<Credentials> parse_basic(std::string_view authorization);

// For clients.
std::string make_basic(const Credentials& credentials);

// The access key, if the header carries a pair that `lookup` confirms. Compares in constant time.
std::optional<std::string> verify_basic(std::string_view authorization, const SecretLookup& lookup);

}  // namespace drumlin::auth
