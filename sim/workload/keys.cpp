#include "sim/workload/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace drumlin::sim {
namespace {

std::string odd_key(uint32_t number) {
  switch (number) {
    case 0:
      return "two words";
    case 1:
      return "a+b%20c%";
    case 2:
      return "dir/sub/../dots";
    case 3:
      return "dir//nothing between";
    case 4:
      return "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87-\xe6\x97\xa5\xe6\x9c\xac-\xf0\x9f\x97\x9d";
    case 5:
      return "long/" + std::string(1019, 'x');
    case 6:
      return "dir/ ends with a space ";
    case 7:
      return "\"<&'>]]>";
    case 8:
      return "tab\tand\nline";
    case 9:
      return "\x01\x7f~";
    case 10:
      return "dir/!*'();:@&=$,?#[]";
    case 11:
      return "/begins with a slash";
    default:
      return fmt::format("odd {}", number);
  }
}

bool unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string bucket_name(uint32_t number) {
  return fmt::format("bucket-{}", number);
}

std::string key_name(uint32_t number, bool odd) {
  if (odd) return odd_key(number);
  return number % 4 == 3 ? fmt::format("dir/key-{:02}", number) : fmt::format("key-{:02}", number);
}

std::string uri_encode(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    if (unreserved(c) || (keep_slashes && c == '/')) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string uri_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const auto [end, error] =
          std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      if (error == std::errc() && end == text.data() + i + 3) {
        out += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

bool fits_xml(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= ' ' || c == '\t' || c == '\n' || c == '\r';
  });
}

std::string xml_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'' ||
        static_cast<unsigned char>(c) < ' ') {
      out += fmt::format("&#{};", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string xml_unescape(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kNamed = {
      {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    const auto named = std::find_if(kNamed.begin(), kNamed.end(),
                                    [&](const auto& name) { return rest.starts_with(name.first); });
    const size_t end = rest.find(';');
    unsigned value = 0;
    if (named != kNamed.end()) {
      out += named->second;
      i += named->first.size();
    } else if (rest.starts_with("&#") && end != std::string_view::npos &&
               std::from_chars(rest.data() + 2, rest.data() + end, value).ec == std::errc()) {
      out += static_cast<char>(value);
      i += end + 1;
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace drumlin::sim
