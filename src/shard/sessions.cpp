#include "shard/sessions.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/codec.h"
#include "shard/codec.h"

namespace drumlin::shard {
namespace {

constexpr uint8_t kReplyVersion =
    2;  // 1 lay under its number and had a record of the session beside it
constexpr size_t kHeadBytes = 1 + 3 * 8;

std::string refusal(Code code, const char* why) {
  Reply reply;
  reply.code = code;
  reply.detail = Detail::kSession;
  reply.message = why;
  return encode(reply);
}

}  // namespace

Status Sessions::load(const kv::View& view, const Keys& keys) {
  sessions_.clear();
  const std::string replies = keys.replies();
  auto cursor = view.cursor(replies, Keys::after_prefix(replies));
  for (; cursor->valid(); cursor->next()) {
    Reader key(cursor->key().substr(replies.size()));
    const uint64_t node = key.u64_be();
    const uint32_t slot = key.u32_be();
    if (!key.done()) return {Code::kCorrupt, "malformed key of a session's reply"};
    DRUMLIN_TRY(load_reply(sessions_[node], slot, cursor->value()));
  }
  return cursor->status();
}

Status Sessions::load_reply(State& state, uint32_t slot, std::string_view value) {
  if (slot >= kMaxReplies || value.empty()) {
    return {Code::kCorrupt, "malformed record of a session's reply"};
  }
  Reader reader(value);
  if (reader.u8() != kReplyVersion) {
    return {Code::kUnsupported, "unknown format of a session's reply"};
  }
  const uint64_t boot = reader.u64();
  const uint64_t low_water = reader.u64();
  const uint64_t number = reader.u64();
  Told told{slot, std::string(reader.rest())};
  // Slots come in their order.
  const uint32_t expected = static_cast<uint32_t>(state.replies.size() + state.free.size());
  for (uint32_t gap = expected; gap < slot; ++gap)
    state.free.insert(gap);
  const bool first = state.replies.empty();
  if (!reader.ok() || (!first && boot != state.boot) ||
      !state.replies.emplace(number, std::move(told)).second) {
    return {Code::kCorrupt, "malformed record of a session's reply"};
  }
  state.boot = boot;
  state.low_water = std::max(state.low_water, low_water);
  return {};
}

std::optional<std::string> Sessions::answered(const Session& session) const {
  if (session.node == 0) return std::nullopt;
  const auto it = sessions_.find(session.node);
  if (it == sessions_.end() || session.boot > it->second.boot) return std::nullopt;
  const State& state = it->second;
  // What became of a command that is forgotten nobody can say any more.
  if (session.boot < state.boot) {
    return refusal(Code::kOutcomeUnknown, "the session is of an earlier life of the node");
  }
  const auto reply = state.replies.find(session.number);
  if (reply != state.replies.end()) return reply->second.reply;
  if (session.number <= state.low_water) {
    return refusal(Code::kOutcomeUnknown, "the number lies below the session's low water");
  }
  // Replies up to the command's own low water go with it: they must not keep it out.
  if (state.replies.size() >= kMaxReplies &&
      static_cast<size_t>(std::distance(state.replies.upper_bound(session.low_water),
                                        state.replies.end())) >= kMaxReplies) {
    return refusal(Code::kExhausted, "too many commands of the session are unanswered");
  }
  return std::nullopt;
}

Sessions::Replies::const_iterator Sessions::forgotten(const State& state, const Session& session) {
  if (session.boot > state.boot) return state.replies.end();
  return state.replies.upper_bound(std::max(session.low_water, state.low_water));
}

void Sessions::record(const Session& session, const std::string& reply, const Keys& keys,
                      kv::Batch& batch) {
  if (session.node == 0) return;
  staged_ = Staged{session, {0, reply}};
  uint32_t& slot = staged_->told.slot;
  const auto it = sessions_.find(session.node);
  if (it != sessions_.end()) {
    const State& state = it->second;
    if (session.boot == state.boot) {
      staged_->session.low_water = std::max(session.low_water, state.low_water);
    }
    // The lowest free slot: the same on a replica that has just loaded and on one that has not.
    std::vector<uint32_t> freed;
    const auto end = forgotten(state, session);
    for (auto old = state.replies.begin(); old != end; ++old)
      freed.push_back(old->second.slot);
    slot = static_cast<uint32_t>(state.replies.size());
    if (!freed.empty()) slot = std::min(slot, *std::min_element(freed.begin(), freed.end()));
    if (!state.free.empty()) slot = std::min(slot, *state.free.begin());
    for (const uint32_t old : freed) {
      if (old != slot) batch.remove(keys.reply(session.node, old));
    }
  }
  std::string record;
  record.reserve(kHeadBytes + reply.size());
  Writer writer(record);
  writer.u8(kReplyVersion);
  writer.u64(session.boot);
  writer.u64(staged_->session.low_water);
  writer.u64(session.number);
  record += reply;
  batch.put(keys.reply(session.node, slot), std::move(record));
}

void Sessions::commit() {
  if (!staged_) return;
  const Session& session = staged_->session;
  State& state = sessions_[session.node];
  const auto end = forgotten(state, session);
  for (auto old = state.replies.cbegin(); old != end; old = state.replies.erase(old))
    state.free.insert(old->second.slot);
  state.boot = session.boot;
  state.low_water = session.low_water;
  state.free.erase(staged_->told.slot);
  state.replies[session.number] = std::move(staged_->told);
  staged_.reset();
}

}  // namespace drumlin::shard
