// Cap'n Proto at the edge of a room: builders to bytes, bytes to readers, and its exceptions (kj)
// turned into kCorrupt. Bytes come from peers that hold the secret, yet limits apply all the same.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace drumlin::rpc {

// The message as one contiguous string (segment table and segments).
inline std::string flatten(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

inline std::string_view bytes_of(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};
}
inline capnp::Data::Reader as_data(std::string_view bytes) {
  return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

// Calls use(reader of Root) and returns its Status; kCorrupt if the bytes are no such message.
// `use` must not yield and must not keep views into the message beyond `bytes`.
template <typename Root, typename Use>
Status parse(std::string_view bytes, Use&& use) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0) {
    return {Code::kCorrupt, "not a valid message: not whole words"};
  }
  std::vector<uint64_t> aligned;  // clang has no vector of capnp::word
  static_assert(sizeof(uint64_t) == sizeof(capnp::word));
  const char* begin = bytes.data();
  if (reinterpret_cast<uintptr_t>(begin) % sizeof(capnp::word) != 0) {
    aligned.resize(bytes.size() / sizeof(capnp::word));
    std::memcpy(aligned.data(), bytes.data(), aligned.size() * sizeof(capnp::word));
    begin = reinterpret_cast<const char*>(aligned.data());
  }
  try {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 16 * 1024 * 1024;  // 128 MiB, above any frame
    const auto words = kj::arrayPtr(reinterpret_cast<const capnp::word*>(begin),
                                    bytes.size() / sizeof(capnp::word));
    capnp::FlatArrayMessageReader reader(words, options);
    if (reader.getEnd() != words.end()) {
      return {Code::kCorrupt, "not a valid message: more follows it"};
    }
    return use(reader.getRoot<Root>());
  } catch (const kj::Exception& e) {
    return {Code::kCorrupt, std::string("not a valid message: ") + e.getDescription().cStr()};
  }
}

}  // namespace drumlin::rpc
