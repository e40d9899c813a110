#include "s3/list_token.h"

#include <algorithm>

#include "base/digest.h"

namespace drumlin::s3 {
namespace {

constexpr char kVersion = 1;
constexpr size_t kMacBytes = 16;

std::string mac(std::string_view content, std::string_view scope, std::string_view secret) {
  std::string text = "drumlin list token\n";
  text.append(scope).push_back('\n');  // a bucket name holds no newline
  text.append(content);
  return std::string(as_view(hmac_sha256(secret, text)).substr(0, kMacBytes));
}

}  // namespace

std::string make_list_token(const ListPosition& position, std::string_view scope,
                            std::string_view secret) {
  std::string content{kVersion, static_cast<char>(position.common_prefix ? 1 : 0)};
  content.append(position.key);
  std::string token = base64_encode(content + mac(content, scope, secret));
  std::replace(token.begin(), token.end(), '+', '-');
  std::replace(token.begin(), token.end(), '/', '_');
  return token;
}

std::optional<ListPosition> read_list_token(std::string_view token, std::string_view scope,
                                            std::string_view secret) {
  std::string text(token);
  if (text.find_first_of("+/") != std::string::npos) return std::nullopt;
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  std::string bytes;
  if (!base64_decode(text, bytes) || bytes.size() < 2 + kMacBytes) return std::nullopt;
  const std::string_view all = bytes;
  const std::string_view content = all.substr(0, all.size() - kMacBytes);
  if (!constant_time_equal(mac(content, scope, secret), all.substr(content.size()))) {
    return std::nullopt;
  }
  if (content[0] != kVersion || (content[1] & ~1) != 0) return std::nullopt;
  return ListPosition{std::string(content.substr(2)), content[1] == 1};
}

}  // namespace drumlin::s3
