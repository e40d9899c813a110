#include "bench/client/answer.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>

namespace drumlin::bench {
namespace {

constexpr size_t kHeadLimit = 32 << 10;

template <typename Number>
std::optional<Number> number_at(std::string_view text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return out;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// The value of a header; `name` in lower case.
std::optional<std::string_view> header(std::string_view head, std::string_view name) {
  for (size_t at = head.find("\r\n"); at != std::string_view::npos;
       at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    size_t i = 0;
    while (i < name.size() && lower(line[i]) == name[i])
      ++i;
    if (i < name.size()) continue;
    std::string_view value = line.substr(name.size() + 1, line.find("\r\n") - name.size() - 1);
    while (value.starts_with(' '))
      value.remove_prefix(1);
    return value;
  }
  return std::nullopt;
}

size_t count(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
    ++n;
  return n;
}

}  // namespace

void AnswerReader::begin(const Prepared& request) {
  request_ = &request;
  head_.clear();
  text_.clear();
  error_.clear();
  in_body_ = close_ = false;
  equal_ = true;
  status_ = 0;
  length_ = got_ = 0;
}

bool AnswerReader::feed(std::string_view bytes) {
  if (!in_body_ && !take_head(bytes)) return !error_.empty();
  take_body(bytes);
  if (error_.empty() && got_ < length_) return false;
  judge();
  return true;
}

// Leaves in `bytes` what comes after the head. False: the head is not complete, or broken.
bool AnswerReader::take_head(std::string_view& bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  if (head_.empty() && end != std::string_view::npos) {  // the usual case: no copy
    parse_head(bytes.substr(0, end + 2));
    bytes.remove_prefix(end + 4);
  } else {
    const size_t before = head_.size();
    head_.append(bytes);
    const size_t found = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (found == std::string::npos) {
      if (head_.size() > kHeadLimit) error_ = "answer: endless head";
      close_ = !error_.empty();
      return false;
    }
    parse_head(std::string_view(head_).substr(0, found + 2));
    bytes.remove_prefix(found + 4 - before);
  }
  in_body_ = error_.empty();
  return in_body_;
}

void AnswerReader::parse_head(std::string_view head) {
  const auto status =
      head.starts_with("HTTP/1.1 ") ? number_at<int>(head.substr(9, 3)) : std::nullopt;
  const auto length = header(head, "content-length");
  const auto number = length ? number_at<uint64_t>(*length) : std::nullopt;
  if (!status || *status < 200) {
    error_ = "answer: no status line";
  } else if (!number && *status != 204 && *status != 304) {
    error_ = "answer: no Content-Length";
  } else {
    status_ = *status;
    length_ = number.value_or(0);
    close_ = header(head, "connection").value_or("") == "close";
    return;
  }
  close_ = true;
}

void AnswerReader::take_body(std::string_view bytes) {
  if (bytes.size() > length_ - got_) {
    error_ = "answer: more than was promised";
    close_ = true;
    return;
  }
  const bool compared = status_ == 200 && request_->listed == 0 && !request_->any_body;
  if (compared && equal_) {
    const std::string_view wanted = request_->expected;
    equal_ = got_ + bytes.size() <= wanted.size() &&
             std::memcmp(bytes.data(), wanted.data() + got_, bytes.size()) == 0;
  } else if (!compared) {
    text_.append(bytes);
  }
  got_ += bytes.size();
}

void AnswerReader::judge() {
  if (!error_.empty()) return;
  if (status_ != 200) {
    const size_t begin = text_.find("<Code>");
    const size_t end = text_.find("</Code>");
    const bool named = begin != std::string::npos && end != std::string::npos && end > begin;
    error_ = fmt::format("{} {}", status_, named ? text_.substr(begin + 6, end - begin - 6) : "");
  } else if (request_->listed > 0) {
    const size_t keys = count(text_, "<Contents>");
    if (keys != request_->listed) {
      error_ = fmt::format("answer: {} keys instead of {}", keys, request_->listed);
    }
  } else if (!request_->any_body && (!equal_ || got_ != request_->expected.size())) {
    error_ = got_ == request_->expected.size() ? "answer: wrong bytes" : "answer: wrong length";
  }
}

}  // namespace drumlin::bench
