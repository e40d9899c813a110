#include "s3/checksum.h"

#include <algorithm>
#include <array>

#include "base/digest.h"

namespace drumlin::s3 {
namespace {

constexpr std::string_view kPrefix = "x-amz-checksum-";

struct KindInfo {
  ChecksumKind kind;
  std::string_view name;
  size_t bytes;
};
constexpr std::array kKinds = {
    KindInfo{ChecksumKind::kCrc32, "crc32", 4}, KindInfo{ChecksumKind::kCrc32c, "crc32c", 4},
    KindInfo{ChecksumKind::kCrc64Nvme, "crc64nvme", 8}, KindInfo{ChecksumKind::kSha1, "sha1", 20},
    KindInfo{ChecksumKind::kSha256, "sha256", 32}};

const KindInfo& info_of(ChecksumKind kind) {
  return kKinds[static_cast<size_t>(kind)];
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::optional<ChecksumKind> kind_of(std::string_view name) {
  for (const KindInfo& each : kKinds) {
    if (each.name == name) return each.kind;
  }
  return std::nullopt;
}

// x-amz-checksum-mode, -type and -algorithm speak about checksums but are none.
bool is_value_header(std::string_view lower_name) {
  if (!lower_name.starts_with(kPrefix)) return false;
  const std::string_view rest = lower_name.substr(kPrefix.size());
  return rest != "mode" && rest != "type" && rest != "algorithm";
}

template <typename T>
std::string big_endian(T value) {
  std::string out;
  for (size_t i = sizeof(T); i-- > 0;)
    out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

// Reflected polynomial of NVM Express 64b CRC; slicing by 8.
constexpr auto kCrc64Tables = [] {
  std::array<std::array<uint64_t, 256>, 8> tables{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) ? 0x9a6c9329ac4bc9b5u : 0);
    tables[0][i] = crc;
  }
  for (size_t t = 1; t < 8; ++t) {
    for (size_t i = 0; i < 256; ++i) {
      const uint64_t crc = tables[t - 1][i];
      tables[t][i] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}();

Check plan_trailers(const http::Headers& headers, ChecksumPlan& plan) {
  for (std::string_view value : headers.all("x-amz-trailer")) {
    while (!value.empty()) {
      const size_t comma = std::min(value.find(','), value.size());
      std::string name = lower(value.substr(0, comma));
      value.remove_prefix(std::min(comma + 1, value.size()));
      std::erase(name, ' ');
      if (!is_value_header(name)) {
        return Error(ErrorCode::kInvalidRequest,
                     "The value specified in the x-amz-trailer header "
                     "is not supported");
      }
      const auto kind = kind_of(std::string_view(name).substr(kPrefix.size()));
      if (!kind.has_value()) return not_implemented("The trailer " + name);
      if (plan.in_trailer.has_value()) {
        return Error(ErrorCode::kInvalidRequest,
                     "Expecting a single x-amz-checksum- header. "
                     "Multiple checksum Types are not allowed.");
      }
      plan.in_trailer = kind;
      plan.trailers.push_back(std::move(name));
    }
  }
  return good();
}

Check plan_headers(const http::Headers& headers, ChecksumPlan& plan) {
  for (const http::Header& header : headers) {
    const std::string name = lower(header.name);
    if (!is_value_header(name)) continue;
    const auto kind = kind_of(std::string_view(name).substr(kPrefix.size()));
    if (!kind.has_value()) return not_implemented("The header " + name);
    if (plan.expected.has_value()) {
      return Error(ErrorCode::kInvalidRequest,
                   "Expecting a single x-amz-checksum- header. "
                   "Multiple checksum Types are not allowed.");
    }
    plan.expected = Checksum{*kind, std::string(header.value)};
    if (!well_formed(*plan.expected)) {
      return Error(ErrorCode::kInvalidRequest, "Value for " + name + " header is invalid.");
    }
  }
  return good();
}

}  // namespace

std::string_view checksum_name(ChecksumKind kind) {
  return info_of(kind).name;
}

std::string checksum_header(ChecksumKind kind) {
  return std::string(kPrefix).append(checksum_name(kind));
}

uint64_t crc64nvme(std::string_view bytes) {
  uint64_t crc = ~uint64_t{0};
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word = 0;
    for (size_t b = 0; b < 8; ++b) {
      word |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i + b])) << (8 * b);
    }
    word ^= crc;
    crc = 0;
    for (size_t b = 0; b < 8; ++b)
      crc ^= kCrc64Tables[7 - b][(word >> (8 * b)) & 0xff];
  }
  for (; i < bytes.size(); ++i) {
    crc = (crc >> 8) ^ kCrc64Tables[0][(crc ^ static_cast<unsigned char>(bytes[i])) & 0xff];
  }
  return ~crc;
}

std::string compute_checksum(ChecksumKind kind, std::string_view bytes) {
  switch (kind) {
    case ChecksumKind::kCrc32:
      return base64_encode(big_endian(crc32(bytes)));
    case ChecksumKind::kCrc32c:
      return base64_encode(big_endian(crc32c(bytes)));
    case ChecksumKind::kCrc64Nvme:
      return base64_encode(big_endian(crc64nvme(bytes)));
    case ChecksumKind::kSha256:
      return base64_encode(as_view(sha256(bytes)));
    case ChecksumKind::kSha1: {
      Hasher hasher(Hasher::Kind::kSha1);
      hasher.update(bytes);
      return base64_encode(hasher.finish());
    }
  }
  DRUMLIN_UNREACHABLE();
}

bool well_formed(const Checksum& checksum) {
  std::string raw;
  return base64_decode(checksum.base64, raw) && raw.size() == info_of(checksum.kind).bytes;
}

Outcome<ChecksumPlan> plan_checksum(const http::Headers& headers) {
  ChecksumPlan plan;
  DRUMLIN_S3_TRY(plan_headers(headers, plan));
  DRUMLIN_S3_TRY(plan_trailers(headers, plan));
  if (plan.expected.has_value() && plan.in_trailer.has_value()) {
    return Error(ErrorCode::kInvalidRequest,
                 "Expecting a single x-amz-checksum- header. Multiple "
                 "checksum Types are not allowed.");
  }
  const auto algorithm = headers.find("x-amz-sdk-checksum-algorithm");
  if (!algorithm.has_value()) return plan;
  const auto kind = kind_of(lower(*algorithm));
  if (!kind.has_value())
    return not_implemented("The checksum algorithm " + std::string(*algorithm));
  if (!plan.expected.has_value() && !plan.in_trailer.has_value()) {
    return Error(ErrorCode::kInvalidRequest,
                 "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                 "x-amz-trailer headers were found.");
  }
  if (kind != (plan.expected.has_value() ? plan.expected->kind : *plan.in_trailer)) {
    return Error(ErrorCode::kInvalidRequest,
                 "Value for x-amz-sdk-checksum-algorithm header is invalid.");
  }
  return plan;
}

}  // namespace drumlin::s3
