// Credentials: who may talk. The lookup is handed in, so that one node can hold one key pair and a
// test or a later key store any number.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace drumlin::auth {

struct Credentials {
  std::string access_key;
  std::string secret_key;  // never logged, never in an answer
};

// The secret key of an access key; nothing if there is no such key. May yield, where the caller of
// what takes it may.
using SecretLookup = std::function<std::optional<std::string>(std::string_view access_key)>;

// A lookup that knows one pair. An empty access key matches nothing.
SecretLookup single_key(Credentials credentials);

}  // namespace drumlin::auth
