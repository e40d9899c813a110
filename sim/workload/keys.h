// What a plan's numbers for buckets and keys stand for, and how names travel in a request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace drumlin::sim {

std::string bucket_name(uint32_t number);

// A few in "folders", so that listings meet delimiters and slashes in keys. `odd`: what else S3 permits:
// spaces, plus and percent signs, other alphabets, dots and empty parts of paths, markup, control
// characters, 1024 bytes.
std::string key_name(uint32_t number, bool odd);

// All but unreserved characters, and slashes if they may stay: as SDKs write keys into paths, and values into
// queries.
std::string uri_encode(std::string_view text, bool keep_slashes);
// The inverse, for encoding-type=url. Broken escapes stay as they are.
std::string uri_decode(std::string_view text);

// XML has no way to say most control characters.
bool fits_xml(std::string_view text);
std::string xml_escape(std::string_view text);
std::string xml_unescape(std::string_view text);

}  // namespace drumlin::sim
