#include "runtime/network.h"

#include <charconv>
#include <vector>

namespace drumlin {

std::string Endpoint::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto bad = [&] {
    return Status(Code::kInvalidArgument, "not an address HOST:PORT: " + std::string(text));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  Endpoint out{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (host.empty() || error != std::errc() || end != port.data() + port.size()) return bad();
  return out;
}

Status Stream::read_exact(std::span<char> into) {
  while (!into.empty()) {
    DRUMLIN_ASSIGN(const size_t n, read_some(into));
    if (n == 0) return {Code::kClosed, "stream ended early"};
    into = into.subspan(n);
  }
  return {};
}

Status Stream::write_all(std::string_view bytes) {
  return write_all(std::span(&bytes, 1));
}

Status Stream::write_all(std::span<const std::string_view> pieces) {
  std::vector<std::string_view> left;
  for (std::string_view piece : pieces) {
    if (!piece.empty()) left.push_back(piece);
  }
  size_t first = 0;
  while (first < left.size()) {
    DRUMLIN_ASSIGN(size_t n, write_some(std::span(left).subspan(first)));
    while (first < left.size() && n >= left[first].size())
      n -= left[first++].size();
    if (n > 0) left[first].remove_prefix(n);
  }
  return {};
}

}  // namespace drumlin
