// AnswerReader: takes the bytes of one answer as they come and says what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/client/request.h"

namespace drumlin::bench {

class AnswerReader {
 public:
  void begin(const Prepared& request);
  // Returns true at the end of the answer; then error() is empty if it is as the request wants it,
  // and must_close() says whether the connection can be used again.
  bool feed(std::string_view bytes);
  const std::string& error() const { return error_; }
  bool must_close() const { return close_; }
  uint64_t body_bytes() const { return length_; }
  int status() const { return status_; }
  // The body of an answer that is not compared: any_body, listings, errors.
  const std::string& text() const { return text_; }

 private:
  bool take_head(std::string_view& bytes);
  void parse_head(std::string_view head);
  void take_body(std::string_view bytes);
  void judge();

  const Prepared* request_ = nullptr;
  std::string head_;  // until it is complete
  std::string text_;  // of a body that is not compared as it comes
  std::string error_;
  bool in_body_ = false;
  bool close_ = false;
  bool equal_ = true;
  int status_ = 0;
  uint64_t length_ = 0;
  uint64_t got_ = 0;
};

}  // namespace drumlin::bench
