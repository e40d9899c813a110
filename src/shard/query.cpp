#include "shard/query.h"

#include "shard/codec.h"
#include "shard/users_codec.h"

namespace drumlin::shard {

constexpr bool is_valid(Detail d) {
  return d <= Detail::kCut;
}

template <typename A>
void fields(A& a, GetObject& v) {
  a(v.bucket, v.incarnation, v.epoch, v.key);
}
template <typename A>
void fields(A& a, ListPartition& v) {
  a(v.bucket, v.incarnation, v.epoch, v.prefix, v.delimiter, v.after, v.after_is_prefix, v.limit);
}
template <typename A>
void fields(A& a, GetBucket& v) {
  a(v.name);
}
template <typename A>
void fields(A& a, ListBuckets& v) {
  a(v.prefix, v.after, v.limit, v.owner);
}
template <typename A>
void fields(A& a, GetObjectReply& v) {
  a(v.code, v.detail, v.version, v.object);
}
template <typename A>
void fields(A& a, ListPartitionReply& v) {
  a(v.code, v.detail, v.items);
}
template <typename A>
void fields(A& a, GetBucketReply& v) {
  a(v.record);
}
template <typename A>
void fields(A& a, ListBucketsReply& v) {
  constexpr uint8_t kEnd = 0, kAfterLast = 1, kAfterNamed = 2;
  const bool named = v.records.empty() || v.next != v.records.back().name;
  uint8_t more = !v.more ? kEnd : named ? kAfterNamed : kAfterLast;
  a(v.records, more);
  v.more = more != kEnd;
  if (more == kAfterNamed) a(v.next);
  if (more == kAfterLast && !v.records.empty()) v.next = v.records.back().name;
  const bool leads_on = !v.next.empty() && (v.records.empty() || v.next >= v.records.back().name);
  if (more > kAfterNamed || (v.more && !leads_on)) a.fail();
  if (more == kAfterNamed && !v.records.empty() && v.next == v.records.back().name) a.fail();
}

namespace {

template <size_t... I>
bool decode_as(uint8_t kind, Decoder& decoder, Query& out, std::index_sequence<I...>) {
  return ((kind == I ? (fields(decoder, out.emplace<I>()), true) : false) || ...);
}

}  // namespace

std::string encode_query(const Query& query) {
  std::string out;
  Writer writer(out);
  writer.u8(kFormatVersion);
  writer.u8(static_cast<uint8_t>(query.index()));
  Encoder encoder(out);
  std::visit(
      [&](const auto& q) {
        using T = std::decay_t<decltype(q)>;
        fields(encoder, const_cast<T&>(q));
      },
      query);
  return out;
}

Result<Query> decode_query(std::string_view bytes) {
  if (bytes.size() < 2) return Status(Code::kCorrupt, "a query is too short");
  if (static_cast<uint8_t>(bytes[0]) != kFormatVersion) {
    return Status(Code::kUnsupported, "unknown format version of a query");
  }
  Query out;
  Decoder decoder(bytes.substr(2));
  if (!decode_as(static_cast<uint8_t>(bytes[1]), decoder, out,
                 std::make_index_sequence<std::variant_size_v<Query>>())) {
    return Status(Code::kUnsupported, "unknown kind of query");
  }
  if (!decoder.done()) return Status(Code::kCorrupt, "malformed query");
  return out;
}

std::string encode(const GetObjectReply& reply) {
  return encode_value(reply);
}
std::string encode(const ListPartitionReply& reply) {
  return encode_value(reply);
}
std::string encode(const GetBucketReply& reply) {
  return encode_value(reply);
}
std::string encode(const ListBucketsReply& reply) {
  return encode_value(reply);
}

Result<GetObjectReply> decode_get_object_reply(std::string_view bytes) {
  return decode_value<GetObjectReply>(bytes, "answer about an object");
}
Result<ListPartitionReply> decode_list_partition_reply(std::string_view bytes) {
  return decode_value<ListPartitionReply>(bytes, "listing of a partition");
}
Result<GetBucketReply> decode_get_bucket_reply(std::string_view bytes) {
  return decode_value<GetBucketReply>(bytes, "answer about a bucket");
}
Result<ListBucketsReply> decode_list_buckets_reply(std::string_view bytes) {
  return decode_value<ListBucketsReply>(bytes, "list of buckets");
}

}  // namespace drumlin::shard
