// Keys: where a shard keeps what in the node's kv.
//
//   shard u16be | generation u32be | class u8 | rest
//     0x01 meta         -                               applied index, log time, last delete
//     0x03 reply        node u64be | slot u32be         what the session was told, how far it had come
//     0x04 outcome      index u64be                     what a client's own request id was told
//     0x10 record       bucket name                     catalogue shard only
//     0x11 row          bucket name                     the partition's copy
//     0x12 user         id u64be                                catalogue shard only, as the next three
//     0x13 user name    name                                    -> id
//     0x14 access key   access key                              -> id of its user
//     0x15 users meta   -                                       version of the table, number of users
//     0x16 bucket count owner u64be                             catalogue shard only
//     0x20 object       incarnation u64be | key
//     0x30 body         index u64be | n u32be | piece u32be       by segment/kv
//
// Generation 0 has one record, 0x01: which generation the shard is now (see Installed). Rows of others are
// those of a snapshot that is being received, or left over.
//
// Big-endian, so that byte order is the order of numbers, and a shard's keys lie together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace drumlin::shard {

class Keys {
 public:
  Keys(uint32_t shard, uint32_t generation);

  std::string meta() const { return with_class(0x01); }
  std::string replies() const { return with_class(0x03); }
  std::string reply(uint64_t node, uint32_t slot) const;
  std::string outcomes() const { return with_class(0x04); }
  std::string outcome(uint64_t index) const;
  std::string records() const { return with_class(0x10); }
  std::string record(std::string_view bucket) const { return records().append(bucket); }
  std::string row(std::string_view bucket) const { return with_class(0x11).append(bucket); }
  std::string users() const { return with_class(0x12); }
  std::string user(uint64_t id) const;
  std::string user_name(std::string_view name) const { return with_class(0x13).append(name); }
  std::string access_key(std::string_view key) const { return with_class(0x14).append(key); }
  std::string users_meta() const { return with_class(0x15); }
  std::string bucket_count(uint64_t owner) const;
  std::string objects(uint64_t incarnation) const;
  std::string object(uint64_t incarnation, std::string_view key) const {
    return objects(incarnation).append(key);
  }
  const std::string& all() const { return prefix_; }

  // The first key after all that begin with `prefix`; empty if there is none.
  static std::string after_prefix(std::string_view prefix);

 private:
  std::string with_class(uint8_t c) const;
  std::string prefix_;
};

}  // namespace drumlin::shard
