// The canonical forms of AWS Signature Version 4, in the flavour of S3: the path is taken as sent,
// never normalised nor encoded again; so is every name and value of the query.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace drumlin::auth {

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

// A request as its signature sees it. Only views: this room knows no HTTP library.
struct RequestView {
  std::string_view method;
  std::string_view target;  // raw: path, and "?query" if there is one
  std::span<const HeaderView> headers;
};

// ASCII lower case.
std::string lower(std::string_view text);

// Parameters sorted by name, then value, both as sent; "k" becomes "k=". Parameters named `without`
// are left out (X-Amz-Signature of a presigned request).
std::string canonical_query(std::string_view query, std::string_view without = {});

// "name:value\n" per name of `signed_headers` (lower case, ascending): values trimmed, runs of
// spaces folded, those of one name joined by commas. Nothing if the request lacks one of them.
std::optional<std::string> canonical_headers(std::span<const HeaderView> headers,
                                             std::span<const std::string_view> signed_headers);

struct CanonicalRequest {
  std::string_view method;
  std::string_view target;
  std::string_view headers;         // as canonical_headers() makes them
  std::string_view signed_headers;  // "host;x-amz-date"
  std::string_view payload;         // hex SHA-256, or one of the constants that stand for it
};
std::string canonical_request(const CanonicalRequest& request,
                              std::string_view without_parameter = {});

// "20130524T000000Z", and back; nothing if it is not a real time in just that form.
std::string format_amz_date(WallTime time);
std::optional<WallTime> parse_amz_date(std::string_view text);

// The parts of `text` between separators; one empty part for an empty text.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace drumlin::auth
