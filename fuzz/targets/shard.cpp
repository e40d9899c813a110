// The shard's own bytes: commands and queries, as a peer or the log brings them, and their answers.
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "shard/command.h"
#include "shard/query.h"
#include "shard/shard.h"
#include "tests/support/map_kv.h"

namespace drumlin::fuzz {
namespace {

using shard::Command;
using shard::Reply;

// There is one encoding of a value: what is accepted is what would be sent.
template <typename T, typename Encode>
void canonical(const Result<T>& decoded, std::string_view bytes, Encode&& encode) {
  if (decoded.ok()) {
    DRUMLIN_CHECK(encode(*decoded) == bytes);
    return;
  }
  DRUMLIN_CHECK(decoded.is(Code::kCorrupt) || decoded.is(Code::kUnsupported),
                decoded.status().to_string());
}
template <typename T>
void canonical(const Result<T>& decoded, std::string_view bytes) {
  canonical(decoded, bytes, [](const T& value) { return shard::encode(value); });
}

shard::ObjectAttributes attributes(Source& source) {
  shard::ObjectAttributes out;
  out.etag = source.string(32);
  for (size_t n = source.below(3); n > 0; --n)
    out.headers.emplace_back(source.string(8), source.string(8));
  for (size_t n = source.below(3); n > 0; --n)
    out.user.emplace_back(source.string(8), source.string(8));
  return out;
}

// Few names and small numbers, so that commands meet each other.
std::string name(Source& source) {
  return std::string(1, static_cast<char>('a' + source.below(3)));
}
shard::InstallRow row(Source& source) {
  return {name(source), source.below(4), source.below(3)};
}

shard::Put put(Source& source) {
  return {name(source),     source.below(4),    source.below(3),
          source.string(8), attributes(source), source.text()};
}
shard::Delete del(Source& source) {
  return {name(source), source.below(4), source.below(3), source.string(8)};
}
shard::Precondition condition(Source& source) {
  shard::Precondition out;
  const uint8_t which = source.byte();
  out.absent = (which & 1) != 0;
  out.present = (which & 2) != 0;
  if ((which & 4) != 0) out.etags.push_back(source.string(32));
  if ((which & 8) != 0) out.size = source.number();
  if ((which & 16) != 0) out.modified = WallTime(Duration(static_cast<int64_t>(source.number())));
  return out;
}

shard::UserState user_state(Source& source) {
  return source.flag() ? shard::UserState::kActive : shard::UserState::kDisabled;
}
shard::Payload about_users(Source& source) {
  switch (source.below(8)) {
    case 0:
      return shard::CreateOwnedBucket{name(source), static_cast<uint32_t>(source.number()),
                                      source.below(9)};
    case 1:
      return shard::BeginOwnedDelete{name(source), source.below(9)};
    case 2:
      return shard::CreateUser{name(source)};
    case 3:
      return shard::DeleteUser{name(source)};
    case 4:
      return shard::SetUserState{name(source), user_state(source)};
    case 5:
      return shard::CreateKey{name(source), name(source), source.string(40)};
    case 6:
      return shard::DeleteKey{name(source)};
    default:
      return shard::SetKeyState{name(source), user_state(source)};
  }
}

shard::Payload payload(Source& source) {
  switch (source.below(22)) {
    case 0:
      return put(source);
    case 1:
      return del(source);
    case 2:
      return shard::CreateBucket{name(source), static_cast<uint32_t>(source.number())};
    case 3:
      return shard::ActivateBucket{name(source), source.below(9)};
    case 4:
      return shard::BeginDelete{name(source)};
    case 5:
      return shard::DecideDelete{name(source), source.below(9), source.below(4), source.flag()};
    case 6:
      return shard::FinishRemove{name(source), source.below(9)};
    case 7:
      return shard::FinishReopen{name(source), source.below(9), source.below(4)};
    case 8:
      return row(source);
    case 9:
      return shard::CloseRowIfEmpty{row(source)};
    case 10:
      return shard::ReopenRow{row(source)};
    case 11:
      return shard::RemoveRow{row(source)};
    case 12:
      return shard::PutIf{put(source), condition(source), {source.below(3), source.below(3)}};
    case 13:
      return shard::DeleteIf{del(source), condition(source), {source.below(3), source.below(3)}};
    default:
      return about_users(source);
  }
}

Command command(Source& source) {
  Command out;
  out.log_time = WallTime(Duration(static_cast<int64_t>(source.number())));
  out.session = {source.below(3), source.below(3), source.below(20), source.below(20)};
  out.payload = payload(source);
  return out;
}

// A shard and its memory: made anew from the kv it must be the same shard.
struct Replica {
  test::MapKv kv;
  shard::Shard shard{0, 1};

  std::string apply(std::string_view bytes) {
    kv::Batch batch;
    auto applied = shard.apply(kv, batch, shard.applied() + 1, bytes);
    DRUMLIN_CHECK_OK(applied.status());
    DRUMLIN_CHECK_OK(shard::decode_reply(applied->reply).status());
    DRUMLIN_CHECK_OK(kv.write(batch, kv::Access::kBlocking));
    shard.commit_applied();
    return applied->reply;
  }
  std::string ask(const shard::Query& query) const {
    auto answer = shard.query(kv, shard::encode_query(query));
    DRUMLIN_CHECK_OK(answer.status());
    return *answer;
  }
};

}  // namespace

// Byte 0: which decoder.
void shard_codec(std::string_view input) {
  Source source(input);
  const uint8_t which = source.byte() % 9;
  if (which == 7) {
    const Command made = command(source);
    const std::string bytes = shard::encode(made);
    canonical(shard::decode_command(bytes), bytes);
    std::string stamped = bytes;
    shard::stamp(stamped, WallTime(Duration(12345)));
    DRUMLIN_CHECK(shard::decode_command(stamped)->log_time == WallTime(Duration(12345)));
    return;
  }
  const std::string_view bytes = source.rest();
  if (which == 0) canonical(shard::decode_command(bytes), bytes);
  if (which == 1) canonical(shard::decode_query(bytes), bytes, shard::encode_query);
  if (which == 2) canonical(shard::decode_reply(bytes), bytes);
  if (which == 3) canonical(shard::decode_get_object_reply(bytes), bytes);
  if (which == 4) canonical(shard::decode_list_partition_reply(bytes), bytes);
  if (which == 5) canonical(shard::decode_get_bucket_reply(bytes), bytes);
  if (which == 6) canonical(shard::decode_list_buckets_reply(bytes), bytes);
  if (which == 8) canonical(shard::decode_get_users_reply(bytes), bytes);
}

// Commands one after the other: each is answered, and two replicas, one of which is loaded anew
// between all of them, hold the same.
void shard_apply(std::string_view input) {
  Source source(input);
  Replica a;
  Replica b;
  for (int i = 0; i < 60 && !source.empty(); ++i) {
    const std::string bytes = shard::encode(command(source));
    const std::string reply = a.apply(bytes);
    b.shard = shard::Shard(0, 1);
    DRUMLIN_CHECK_OK(b.shard.load(b.kv));
    DRUMLIN_CHECK(b.apply(bytes) == reply);
    DRUMLIN_CHECK(a.kv.state() == b.kv.state());
  }
  const Result<uint64_t> digest = a.shard.digest(a.kv);
  DRUMLIN_CHECK(digest.ok() && *digest == b.shard.digest(b.kv).value());
  for (const char* bucket : {"a", "b", "c"}) {
    for (uint64_t incarnation = 0; incarnation < 4; ++incarnation) {
      const shard::ListPartition list{bucket, incarnation, 1, "", "/", "", false, 5};
      DRUMLIN_CHECK_OK(shard::decode_list_partition_reply(a.ask(list)).status());
    }
    DRUMLIN_CHECK_OK(shard::decode_get_bucket_reply(a.ask(shard::GetBucket{bucket})).status());
  }
  DRUMLIN_CHECK_OK(shard::decode_list_buckets_reply(a.ask(shard::ListBuckets{})).status());
  for (const uint64_t owner : {0u, 1u}) {
    const auto page = shard::decode_list_buckets_reply(a.ask(shard::ListBuckets{"", "", 2, owner}));
    DRUMLIN_CHECK(page.ok() && page->records.size() <= 2, page.status().to_string());
  }
  DRUMLIN_CHECK_OK(shard::decode_get_users_reply(a.ask(shard::GetUsers{})).status());
}

}  // namespace drumlin::fuzz
