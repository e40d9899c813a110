#include "auth/basic.h"

#include <utility>

#include "base/digest.h"

namespace drumlin::auth {
namespace {

constexpr std::string_view kScheme = "basic ";

bool has_scheme(std::string_view text) {
  if (text.size() < kScheme.size()) return false;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != kScheme[i]) return false;
  }
  return true;
}

}  // namespace

SecretLookup single_key(Credentials credentials) {
  return [credentials =
              std::move(credentials)](std::string_view access_key) -> std::optional<std::string> {
    if (access_key.empty() || access_key != credentials.access_key) return std::nullopt;
    return credentials.secret_key;
  };
}

std::optional<Credentials> parse_basic(std::string_view authorization) {
  if (!has_scheme(authorization)) return std::nullopt;
  std::string_view token = authorization.substr(kScheme.size());
  while (!token.empty() && token.front() == ' ')
    token.remove_prefix(1);
  while (!token.empty() && token.back() == ' ')
    token.remove_suffix(1);
  std::string pair;
  if (token.empty() || !base64_decode(token, pair)) return std::nullopt;
  const size_t colon = pair.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{pair.substr(0, colon), pair.substr(colon + 1)};
}

std::string make_basic(const Credentials& credentials) {
  return "Basic " + base64_encode(credentials.access_key + ":" + credentials.secret_key);
}

std::optional<std::string> verify_basic(std::string_view authorization,
                                        const SecretLookup& lookup) {
  std::optional<Credentials> given = parse_basic(authorization);
  if (!given.has_value()) return std::nullopt;
  const std::optional<std::string> secret = lookup(given->access_key);
  // Over digests: the time then tells nothing about the length either.
  if (!secret.has_value() ||
      !constant_time_equal(as_view(sha256(*secret)), as_view(sha256(given->secret_key)))) {
    return std::nullopt;
  }
  return std::move(given->access_key);
}

}  // namespace drumlin::auth
