// Damaging bytes on purpose, and writing golden ones down.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace drumlin::test {

inline std::string to_hex(std::string_view bytes) {
  return hex(bytes);
}

// Two hex digits a byte; blanks are for the reader.
inline std::string from_hex(std::string_view text) {
  std::string out;
  int high = -1;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<char>(high * 16 + digit));
      high = -1;
    }
  }
  return out;
}

// Calls visit(bytes cut to each shorter length).
template <typename Visit>
void each_truncation(const std::string& bytes, Visit&& visit) {
  for (size_t n = 0; n < bytes.size(); ++n)
    visit(bytes.substr(0, n));
}

// Calls visit(bytes with one bit, then all bits, of one byte changed), for each byte.
template <typename Visit>
void each_flip(const std::string& bytes, Visit&& visit) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned mask : {0x01U, 0x80U, 0xffU}) {
      std::string bent = bytes;
      bent[i] = static_cast<char>(static_cast<unsigned char>(bent[i]) ^ mask);
      visit(bent);
    }
  }
}

}  // namespace drumlin::test
