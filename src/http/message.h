// Messages: the heads of HTTP/1.1 requests and responses (RFC 9110, RFC 9112), as plain values. Bodies
// never live here: they are read and written through Exchange and Client. Nothing here yields.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drumlin::http {

// ASCII only, as header names and tokens are compared.
bool iequals(std::string_view a, std::string_view b);

struct Header {
  std::string_view name;
  std::string_view value;
  bool operator==(const Header&) const = default;
};

// Header fields in order of arrival; names compare without case, duplicates are kept. All text lies in
// one string that keeps its memory over clear(), so a reused Headers allocates nothing. Views into it
// last until the next change; an argument must not be a view into the same Headers.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> fields) {
    for (const Header& field : fields)
      append(field.name, field.value);
  }

  void append(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);  // in place of all of that name
  void remove(std::string_view name);                       // all of that name
  void clear();

  std::optional<std::string_view> find(std::string_view name) const;  // the first of that name
  std::string_view get(std::string_view name) const;                  // the first, or empty
  std::vector<std::string_view> all(std::string_view name) const;
  size_t count(std::string_view name) const;
  bool has(std::string_view name) const { return find(name).has_value(); }

  size_t size() const { return slots_.size(); }
  bool empty() const { return slots_.empty(); }
  Header operator[](size_t i) const;

  class Iterator {
   public:
    Iterator(const Headers* headers, size_t i) : headers_(headers), i_(i) {}
    Header operator*() const { return (*headers_)[i_]; }
    Iterator& operator++() {
      ++i_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return i_ != other.i_; }

   private:
    const Headers* headers_;
    size_t i_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  struct Slot {
    size_t at;  // in text_: the name, then the value
    size_t name_size;
    size_t value_size;
  };
  std::string text_;  // removed fields leave their bytes behind until clear()
  std::vector<Slot> slots_;
};

struct RequestHead {
  std::string method = "GET";  // case-sensitive
  std::string target = "/";    // the bytes of the request line, never decoded or normalised
  int version = 11;            // 10 or 11
  Headers headers;

  // What the headers say about framing; filled by the server, ignored by the client.
  bool keep_alive = true;
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool expect_continue = false;  // for the client: wait for "100 Continue" before sending the body

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  void clear();
};

// Content-Length, Transfer-Encoding and Connection belong to this room: when sent, fields of those
// names in `headers` are left out. CR, LF and other control characters in what is sent become spaces.
struct ResponseHead {
  int status = 200;
  Headers headers;
  bool close = false;  // sent: close the connection afterwards. Received: the server will.
  // Received: absent if chunked or ended by the end of the connection. Sent: see Exchange::respond.
  std::optional<uint64_t> content_length;
};

// "Not Found" for 404; "" for a status without a registered phrase.
std::string_view reason_phrase(int status);

// 1xx, 204 and 304 never carry a body.
constexpr bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

// Pieces of a head on the wire. Used by Exchange and Client.
void append_status_line(std::string& out, int status);
void append_header(std::string& out, std::string_view name, std::string_view value);
void append_header(std::string& out, std::string_view name, uint64_t value);
// All but the framing fields (see ResponseHead).
void append_headers(std::string& out, const Headers& headers);

}  // namespace drumlin::http
