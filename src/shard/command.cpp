#include "shard/command.h"

#include <utility>

#include "shard/codec.h"
#include "shard/users_codec.h"

namespace drumlin::shard {

constexpr bool is_valid(Detail d) {
  return d <= Detail::kCut;
}

template <typename A>
void fields(A& a, Session& v) {
  a(v.node, v.boot, v.number, v.low_water);
}
template <typename A>
void fields(A& a, Put& v) {
  a(v.bucket, v.incarnation, v.epoch, v.key, v.attributes, v.body);
}
template <typename A>
void fields(A& a, Delete& v) {
  a(v.bucket, v.incarnation, v.epoch, v.key);
}
template <typename A>
void fields(A& a, PutIf& v) {
  fields(a, static_cast<Put&>(v));
  a(v.when, v.request);
}
template <typename A>
void fields(A& a, DeleteIf& v) {
  fields(a, static_cast<Delete&>(v));
  a(v.when, v.request);
}
template <typename A>
void fields(A& a, CreateBucket& v) {
  a(v.name, v.partitions);
}
template <typename A>
void fields(A& a, ActivateBucket& v) {
  a(v.name, v.incarnation);
}
template <typename A>
void fields(A& a, BeginDelete& v) {
  a(v.name);
}
template <typename A>
void fields(A& a, DecideDelete& v) {
  a(v.name, v.incarnation, v.epoch, v.remove);
}
template <typename A>
void fields(A& a, FinishRemove& v) {
  a(v.name, v.incarnation);
}
template <typename A>
void fields(A& a, FinishReopen& v) {
  a(v.name, v.incarnation, v.epoch);
}
template <typename A, typename Row>
requires std::is_base_of_v<InstallRow, Row>
void fields(A& a, Row& v) {
  a(v.bucket, v.incarnation, v.epoch);
}
template <typename A>
void fields(A& a, CreateOwnedBucket& v) {
  a(v.name, v.partitions, v.owner);
}
template <typename A>
void fields(A& a, CreateCountedBucket& v) {
  a(v.name, v.partitions, v.owner, v.most);
}
template <typename A>
void fields(A& a, BeginOwnedDelete& v) {
  a(v.name, v.owner);
}
template <typename A>
void fields(A& a, Reply& v) {
  a(v.code, v.detail, v.version, v.message, v.bucket);
}

namespace {

constexpr size_t kKindAt = 1;
constexpr size_t kLogTimeAt = 2;
constexpr size_t kFixedBytes = 2 + 8 + 4 * 8;

template <size_t... I>
bool decode_payload(uint8_t kind, Decoder& decoder, Payload& out, std::index_sequence<I...>) {
  return ((kind == I ? (fields(decoder, out.emplace<I>()), true) : false) || ...);
}

}  // namespace

const Put* put_of(const Payload& payload) {
  if (const auto* put = std::get_if<Put>(&payload)) return put;
  return std::get_if<PutIf>(&payload);
}

const Delete* delete_of(const Payload& payload) {
  if (const auto* del = std::get_if<Delete>(&payload)) return del;
  return std::get_if<DeleteIf>(&payload);
}

RequestDigest request_of(const Payload& payload) {
  if (const auto* put = std::get_if<PutIf>(&payload)) return put->request;
  if (const auto* del = std::get_if<DeleteIf>(&payload)) return del->request;
  return {};
}

std::string encode(const Command& command) {
  std::string out;
  if (const Put* put = put_of(command.payload)) out.reserve(put->body.size() + 1024);
  Writer writer(out);
  writer.u8(kFormatVersion);
  writer.u8(static_cast<uint8_t>(command.payload.index()));
  Encoder encoder(out);
  WallTime log_time = command.log_time;
  Session session = command.session;
  encoder(log_time);
  fields(encoder, session);
  std::visit(
      [&](const auto& payload) {
        using T = std::decay_t<decltype(payload)>;
        fields(encoder, const_cast<T&>(payload));
      },
      command.payload);
  return out;
}

void stamp(std::string& encoded, WallTime log_time) {
  DRUMLIN_CHECK_GE(encoded.size(), kFixedBytes);
  store_le(encoded.data() + kLogTimeAt, unix_nanos(log_time));
}

Result<Command> decode_command(std::string_view bytes) {
  if (bytes.size() < kFixedBytes) return Status(Code::kCorrupt, "a command is too short");
  if (static_cast<uint8_t>(bytes[0]) != kFormatVersion) {
    return Status(Code::kUnsupported, "unknown format version of a command");
  }
  Command out;
  Decoder decoder(bytes.substr(kLogTimeAt));
  decoder(out.log_time);
  fields(decoder, out.session);
  const auto kind = static_cast<uint8_t>(bytes[kKindAt]);
  if (!decode_payload(kind, decoder, out.payload,
                      std::make_index_sequence<std::variant_size_v<Payload>>())) {
    return Status(Code::kUnsupported, "unknown kind of command");
  }
  if (!decoder.done()) return Status(Code::kCorrupt, "malformed command");
  return out;
}

std::string encode(const Reply& reply) {
  return encode_value(reply);
}

Result<Reply> decode_reply(std::string_view bytes) {
  return decode_value<Reply>(bytes, "reply of a shard");
}

}  // namespace drumlin::shard
