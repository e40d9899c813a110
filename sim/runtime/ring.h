// Ring, ByteRing: queues in one block of memory that grows and is then reused, so that a packet
// costs no allocation.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/digest.h"

namespace drumlin::sim {

template <typename T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return slots_[(first_ + i) & (slots_.size() - 1)]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  void push_back(const T& value) {
    if (size_ == slots_.size()) grow();
    ++size_;
    back() = value;
  }
  void pop_front() {
    first_ = (first_ + 1) & (slots_.size() - 1);
    --size_;
  }
  void keep_first(size_t n) { size_ = std::min(size_, n); }
  void clear() { size_ = 0; }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 4 : 2 * slots_.size());
    for (size_t i = 0; i < size_; ++i)
      larger[i] = (*this)[i];
    slots_ = std::move(larger);
    first_ = 0;
  }
  std::vector<T> slots_;  // a power of two of them
  size_t first_ = 0;
  size_t size_ = 0;
};

// Bytes of a stream by their position in it: [begin(), end()).
class ByteRing {
 public:
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return end_; }
  void append(std::string_view bytes) {
    reserve(end_ - begin_ + bytes.size());
    const char* from = bytes.data();
    for_blocks(end_, bytes.size(), [&](char* block, size_t n) {
      std::memcpy(block, from, n);
      from += n;
    });
    end_ += bytes.size();
  }
  // Moves bytes from the front.
  void take(std::span<char> into) {
    char* to = into.data();
    for_blocks(begin_, into.size(), [&](const char* block, size_t n) {
      std::memcpy(to, block, n);
      to += n;
    });
    begin_ += into.size();
  }
  // Of the bytes [position, position + n).
  uint64_t digest(uint64_t position, size_t n) {
    uint64_t out = n;
    for_blocks(position, n, [&](const char* block, size_t size) {
      out = xxh3({block, size}, out);
    });
    return out;
  }
  char& at(uint64_t position) { return bytes_[position & (bytes_.size() - 1)]; }
  void drop_to(uint64_t begin) { begin_ = std::max(begin_, begin); }
  void cut_to(uint64_t end) { end_ = std::min(end_, end); }

 private:
  template <typename Do>
  void for_blocks(uint64_t position, size_t n, const Do& action) {
    while (n > 0) {
      const size_t index = position & (bytes_.size() - 1);
      const size_t block = std::min(n, bytes_.size() - index);
      action(bytes_.data() + index, block);
      position += block;
      n -= block;
    }
  }
  void reserve(size_t n) {
    if (n <= bytes_.size()) return;
    std::vector<char> larger(std::bit_ceil(std::max(n, size_t{1024})));
    bytes_.swap(larger);
    for (uint64_t p = begin_; p < end_; ++p)
      at(p) = larger[p & (larger.size() - 1)];
  }
  std::vector<char> bytes_;  // a power of two of them
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

}  // namespace drumlin::sim
