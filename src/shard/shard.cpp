#include "shard/shard.h"

#include <algorithm>

#include "base/codec.h"
#include "base/digest.h"
#include "shard/codec.h"

namespace drumlin::shard {
namespace {

// Of the shard's layout as a whole: the first thing that is read of it.
constexpr uint8_t kLayoutVersion = 2;

constexpr uint8_t kInstalledVersion = 1;

}  // namespace

std::string encode(const Installed& installed) {
  std::string out;
  Writer writer(out);
  writer.u8(kInstalledVersion);
  writer.u32(installed.generation);
  writer.u64(installed.index.value());
  writer.u64(installed.term.value());
  return out;
}

Result<Installed> decode_installed(std::string_view bytes) {
  Reader reader(bytes);
  const uint8_t version = reader.u8();
  Installed out;
  out.generation = reader.u32();
  out.index = LogIndex(reader.u64());
  out.term = Term(reader.u64());
  if (!reader.done() || out.generation < 2) {
    return Status(Code::kCorrupt, "malformed record of the generation");
  }
  if (version != kInstalledVersion) {
    return Status(Code::kUnsupported, "unknown format of the record of the generation");
  }
  return out;
}

Status Shard::load(const kv::View& view) {
  DRUMLIN_ASSIGN(const auto meta, view.get(keys_.meta()));
  state_ = State{};
  if (meta) {
    Reader reader(*meta);
    const uint8_t version = reader.u8();
    state_.applied = LogIndex(reader.u64());
    state_.log_time = WallTime(Duration(reader.i64()));
    state_.last_delete = reader.u64();
    if (!reader.done()) return {Code::kCorrupt, "malformed meta record"};
    if (version != kLayoutVersion) {
      return {Code::kUnsupported, "data in the layout " + std::to_string(version) +
                                      "; this version of drumlin reads " +
                                      std::to_string(kLayoutVersion) + " only"};
    }
  }
  rows_.clear();
  DRUMLIN_TRY(sessions_.load(view, keys_));
  return outcomes_.load(view, keys_);
}

Result<Applied> Shard::apply(const kv::View& view, kv::Batch& batch, LogIndex index,
                             std::string_view bytes) {
  DRUMLIN_CHECK_EQ(index, state_.applied + 1);
  staged_ = state_;
  staged_.applied = index;
  sessions_.discard();
  rows_.discard();
  outcomes_.discard();
  Applied out;
  if (!bytes.empty()) {
    DRUMLIN_ASSIGN(const Command command, decode_command(bytes));
    if (auto known = sessions_.answered(command.session)) {
      probe(probes_, "shard.session_answered_before");
      out.reply = std::move(*known);
    } else {
      staged_.log_time = std::max(state_.log_time, command.log_time);
      Context context{view, batch, staged_, out.bodies};
      DRUMLIN_ASSIGN(out.reply, perform(context, command));
      sessions_.record(command.session, out.reply, keys_, batch);
    }
  }
  std::string meta;
  Writer writer(meta);
  writer.u8(kLayoutVersion);
  writer.u64(staged_.applied.value());
  writer.i64(unix_nanos(staged_.log_time));
  writer.u64(staged_.last_delete);
  batch.put(keys_.meta(), std::move(meta));
  return out;
}

// The command's own reply, or the one that an earlier try of the same client's request was given.
Result<std::string> Shard::perform(Context& c, const Command& command) {
  outcomes_.purge(c.state.log_time, keys_, c.batch);
  const RequestDigest request = request_of(command.payload);
  if (auto known = outcomes_.answered(request, c.state.log_time)) return std::move(*known);
  DRUMLIN_ASSIGN(
      const Reply reply,
      std::visit([&](const auto& payload) { return execute(c, payload); }, command.payload));
  std::string encoded = encode(reply);
  // A sender with a stale bucket record asks again: that was no answer to the client yet.
  if (reply.code != Code::kAborted) {
    outcomes_.record(request, encoded, c.state.applied.value(), c.state.log_time, keys_, c.batch);
  }
  return encoded;
}

void Shard::commit_applied() {
  DRUMLIN_CHECK_EQ(staged_.applied, state_.applied + 1);
  state_ = staged_;
  sessions_.commit();
  rows_.commit();
  outcomes_.commit();
}

Result<std::string> Shard::query(const kv::View& view, std::string_view bytes) const {
  DRUMLIN_ASSIGN(const Query query, decode_query(bytes));
  return std::visit([&](const auto& q) { return answer(view, q); }, query);
}

Result<uint64_t> Shard::digest(const kv::View& view) const {
  uint64_t hash = 0;
  auto cursor = view.cursor(keys_.all(), Keys::after_prefix(keys_.all()));
  for (; cursor->valid(); cursor->next()) {
    hash = xxh3(cursor->key().substr(keys_.all().size()), hash);  // replicas differ in generation
    hash = xxh3(cursor->value(), hash);
  }
  DRUMLIN_TRY(cursor->status());
  return hash;
}

namespace {

template <typename T>
Result<std::optional<T>> read_value(const kv::View& view, const std::string& key,
                                    const char* what) {
  DRUMLIN_ASSIGN(const auto bytes, view.get(key));
  if (!bytes) return std::optional<T>();
  DRUMLIN_ASSIGN(T value, decode_value<T>(*bytes, what));
  return std::optional<T>(std::move(value));
}

}  // namespace

Result<std::optional<BucketRow>> Shard::row(const kv::View& view, const std::string& bucket) const {
  if (const BucketRow* known = rows_.find(bucket)) return std::optional<BucketRow>(*known);
  auto found = read_value<BucketRow>(view, keys_.row(bucket), "bucket row");
  if (found.ok() && found->has_value()) rows_.keep(bucket, **found);
  return found;
}

Result<std::optional<BucketRecord>> Shard::record(const kv::View& view,
                                                  const std::string& name) const {
  return read_value<BucketRecord>(view, keys_.record(name), "bucket record");
}

Result<std::optional<ObjectRecord>> Shard::object(const kv::View& view, uint64_t incarnation,
                                                  std::string_view key) const {
  return read_value<ObjectRecord>(view, keys_.object(incarnation, key), "object record");
}

void Shard::put_row(Context& c, const std::string& bucket, const BucketRow& row) {
  c.batch.put(keys_.row(bucket), encode_value(row));
  rows_.stage(bucket, row);
}

void Shard::put_record(Context& c, const BucketRecord& record) {
  c.batch.put(keys_.record(record.name), encode_value(record));
}

Result<std::optional<ObjectRecord>> object_in_reply(std::string_view reply) {
  DRUMLIN_ASSIGN(GetObjectReply decoded, decode_get_object_reply(reply));
  return std::move(decoded.object);
}

}  // namespace drumlin::shard
