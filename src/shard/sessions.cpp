#include "shard/sessions.h"

#include <algorithm>
#include <iterator>

#include "base/codec.h"
#include "shard/codec.h"

namespace drumlin::shard {
namespace {

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
  const std::string heads = keys.sessions();
  auto cursor = view.cursor(heads, Keys::after_prefix(heads));
  for (; cursor->valid(); cursor->next()) {
    Reader key(cursor->key().substr(heads.size()));
    Reader value(cursor->value());
    const uint64_t node = key.u64_be();
    State& state = sessions_[node];
    const uint8_t version = value.u8();
    state.boot = value.u64();
    state.low_water = value.u64();
    if (!key.done() || !value.done() || version != kFormatVersion) {
      return {Code::kCorrupt, "malformed session"};
    }
  }
  DRUMLIN_TRY(cursor->status());
  const std::string replies = keys.replies();
  cursor = view.cursor(replies, Keys::after_prefix(replies));
  for (; cursor->valid(); cursor->next()) {
    Reader key(cursor->key().substr(replies.size()));
    const uint64_t node = key.u64_be();
    const uint64_t number = key.u64_be();
    if (!key.done()) return {Code::kCorrupt, "malformed session reply"};
    sessions_[node].replies[number] = cursor->value();
  }
  return cursor->status();
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
  if (reply != state.replies.end()) return reply->second;
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

void Sessions::record(const Session& session, const std::string& reply, const Keys& keys,
                      kv::Batch& batch) {
  if (session.node == 0) return;
  const auto it = sessions_.find(session.node);
  const bool new_life = it == sessions_.end() || session.boot > it->second.boot;
  uint64_t low_water = session.low_water;
  if (it != sessions_.end()) {
    if (!new_life) low_water = std::max(low_water, it->second.low_water);
    const auto& replies = it->second.replies;
    const auto end = new_life ? replies.end() : replies.upper_bound(low_water);
    for (auto old = replies.begin(); old != end; ++old) {
      batch.remove(keys.reply(session.node, old->first));
    }
  }
  std::string head;
  Writer writer(head);
  writer.u8(kFormatVersion);
  writer.u64(session.boot);
  writer.u64(low_water);
  batch.put(keys.session(session.node), std::move(head));
  batch.put(keys.reply(session.node, session.number), reply);
  staged_ = Staged{session, reply};
  staged_->session.low_water = low_water;
}

void Sessions::commit() {
  if (!staged_) return;
  const Session& session = staged_->session;
  State& state = sessions_[session.node];
  if (session.boot > state.boot) state = State{};
  state.boot = session.boot;
  state.low_water = session.low_water;
  state.replies.erase(state.replies.begin(), state.replies.upper_bound(state.low_water));
  state.replies[session.number] = std::move(staged_->reply);
  staged_.reset();
}

}  // namespace drumlin::shard
