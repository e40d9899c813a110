#include "http/message.h"

#include <algorithm>
#include <charconv>

namespace drumlin::http {
namespace {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

// A header value may hold what a client once sent; it must not be able to end the line.
void append_clean(std::string& out, std::string_view text) {
  const size_t from = out.size();
  out.append(text);
  std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), is_control, ' ');
}

void append_number(std::string& out, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

bool is_framing(std::string_view name) {
  switch (name.size()) {
    case 10:
      return iequals(name, "connection");
    case 14:
      return iequals(name, "content-length");
    case 17:
      return iequals(name, "transfer-encoding");
    default:
      return false;
  }
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

void Headers::append(std::string_view name, std::string_view value) {
  slots_.push_back({text_.size(), name.size(), value.size()});
  text_.append(name);
  text_.append(value);
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  append(name, value);
}

void Headers::remove(std::string_view name) {
  std::erase_if(slots_, [&](const Slot& slot) {
    return iequals(std::string_view(text_).substr(slot.at, slot.name_size), name);
  });
}

void Headers::clear() {
  text_.clear();
  slots_.clear();
}

Header Headers::operator[](size_t i) const {
  const Slot& slot = slots_[i];
  const std::string_view text = text_;
  return {text.substr(slot.at, slot.name_size),
          text.substr(slot.at + slot.name_size, slot.value_size)};
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Header& field : *this) {
    if (iequals(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name) const {
  return find(name).value_or(std::string_view());
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const Header& field : *this) {
    if (iequals(field.name, name)) out.push_back(field.value);
  }
  return out;
}

size_t Headers::count(std::string_view name) const {
  size_t n = 0;
  for (const Header& field : *this)
    n += iequals(field.name, name) ? 1 : 0;
  return n;
}

void RequestHead::clear() {
  method.clear();
  target.clear();
  version = 11;
  headers.clear();
  keep_alive = false;
  content_length.reset();
  chunked = false;
  expect_continue = false;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

void append_status_line(std::string& out, int status) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<uint64_t>(status));
  out.push_back(' ');
  out.append(reason_phrase(status));
  out.append("\r\n");
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  append_clean(out, name);
  out.append(": ");
  append_clean(out, value);
  out.append("\r\n");
}

void append_header(std::string& out, std::string_view name, uint64_t value) {
  out.append(name);
  out.append(": ");
  append_number(out, value);
  out.append("\r\n");
}

void append_headers(std::string& out, const Headers& headers) {
  for (const Header& field : headers) {
    if (!is_framing(field.name)) append_header(out, field.name, field.value);
  }
}

}  // namespace drumlin::http
