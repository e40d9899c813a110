#include "shard/keys.h"

#include "base/codec.h"

namespace drumlin::shard {

Keys::Keys(uint32_t shard, uint32_t generation) {
  Writer writer(prefix_);
  writer.u16_be(static_cast<uint16_t>(shard));
  writer.u32_be(generation);
}

std::string Keys::with_class(uint8_t c) const {
  std::string out = prefix_;
  Writer(out).u8(c);
  return out;
}

std::string Keys::reply(uint64_t node, uint32_t slot) const {
  std::string out = replies();
  Writer writer(out);
  writer.u64_be(node);
  writer.u32_be(slot);
  return out;
}

std::string Keys::outcome(uint64_t index) const {
  std::string out = outcomes();
  Writer(out).u64_be(index);
  return out;
}

std::string Keys::user(uint64_t id) const {
  std::string out = users();
  Writer(out).u64_be(id);
  return out;
}

std::string Keys::bucket_count(uint64_t owner) const {
  std::string out = with_class(0x16);
  Writer(out).u64_be(owner);
  return out;
}

std::string Keys::objects(uint64_t incarnation) const {
  std::string out = with_class(0x20);
  Writer(out).u64_be(incarnation);
  return out;
}

std::string Keys::after_prefix(std::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && static_cast<unsigned char>(out.back()) == 0xff)
    out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<unsigned char>(out.back()) + 1);
  return out;
}

}  // namespace drumlin::shard
