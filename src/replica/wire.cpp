#include "replica/wire.h"

#include <algorithm>
#include <charconv>

#include "replica/messages.capnp.h"
#include "rpc/capnp.h"
#include "shard/command.h"

namespace drumlin::replica {
namespace {

using raft::Entry;
using raft::EntryKind;
using raft::Message;
using raft::MessageType;
using rpc::as_data;
using rpc::bytes_of;

Status malformed(const char* what) {
  return {Code::kCorrupt, std::string("malformed ") + what};
}

uint32_t milliseconds_of(Duration d) {
  const int64_t ms = to_ms(d);
  return ms <= 0 ? 0 : static_cast<uint32_t>(std::min<int64_t>(ms, UINT32_MAX));
}

void fill(wire::RaftMessage::Builder out, const GroupMessage& in) {
  const Message& m = in.message;
  out.setGroup(static_cast<uint32_t>(in.group.value()));
  out.setType(static_cast<uint8_t>(m.type));
  out.setReject(m.reject);
  out.setTerm(m.term.value());
  out.setIndex(m.index.value());
  out.setLogTerm(m.log_term.value());
  out.setCommit(m.commit.value());
  out.setHintIndex(m.hint_index.value());
  out.setHintTerm(m.hint_term.value());
  out.setRound(m.round);
  if (m.entries.empty()) return;
  auto entries = out.initEntries(static_cast<uint32_t>(m.entries.size()));
  for (uint32_t i = 0; i < entries.size(); ++i) {
    entries[i].setTerm(m.entries[i].term.value());
    entries[i].setKind(static_cast<uint8_t>(m.entries[i].kind));
    entries[i].setData(as_data(m.entries[i].data.view()));
  }
}

constexpr uint32_t kSmallWords = 16;  // of a request or a reply, but for its bytes

uint32_t words_of(std::string_view bytes) {
  return static_cast<uint32_t>((bytes.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t));
}

// What the batch takes, so that its builder zeroes neither more than that nor begins a second segment:
// most batches are small, and the library's default is 8 KiB. A guess too low costs time only.
uint32_t words_of(std::span<const GroupMessage> batch) {
  constexpr uint32_t kRoot = 3;  // pointer, struct, tag of the list
  constexpr uint32_t kMessage = 9;
  constexpr uint32_t kEntry = 3;
  uint32_t words = kRoot;
  for (const GroupMessage& item : batch) {
    words += kMessage;
    if (!item.message.entries.empty()) ++words;
    for (const Entry& entry : item.message.entries)
      words += kEntry + words_of(entry.data.view());
  }
  return words;
}

// `room`: so many messages and entries can still be in what came. A list of structs without content
// takes no space on the wire, but memory here; each of ours takes a word at least.
Status read(wire::RaftMessage::Reader in, size_t& room, GroupMessage& out) {
  if (in.getType() < static_cast<uint8_t>(MessageType::kPreVote) ||
      in.getType() > static_cast<uint8_t>(MessageType::kHeartbeatReply)) {
    return malformed("raft message type");
  }
  out.group = GroupId(in.getGroup());
  Message& m = out.message;
  m.type = static_cast<MessageType>(in.getType());
  m.reject = in.getReject();
  m.term = Term(in.getTerm());
  m.index = LogIndex(in.getIndex());
  m.log_term = Term(in.getLogTerm());
  m.commit = LogIndex(in.getCommit());
  m.hint_index = LogIndex(in.getHintIndex());
  m.hint_term = Term(in.getHintTerm());
  m.round = in.getRound();
  const auto entries = in.getEntries();
  if (entries.size() > room) return malformed("number of raft entries");
  room -= entries.size();
  m.entries.reserve(entries.size());
  LogIndex index = m.index;
  for (const auto entry : entries) {
    ++index;
    if (entry.getKind() != static_cast<uint8_t>(EntryKind::kNoop) &&
        entry.getKind() != static_cast<uint8_t>(EntryKind::kCommand)) {
      return malformed("raft entry kind");
    }
    m.entries.push_back(Entry{Term(entry.getTerm()), index, static_cast<EntryKind>(entry.getKind()),
                              Blob(std::string(bytes_of(entry.getData())))});
  }
  return {};
}

}  // namespace

std::string encode_batch(std::span<const GroupMessage> batch) {
  DRUMLIN_CHECK_LE(batch.size(), kMaxBatchMessages);
  capnp::MallocMessageBuilder builder(words_of(batch));
  auto root = builder.initRoot<wire::RaftBatch>();
  auto messages = root.initMessages(static_cast<uint32_t>(batch.size()));
  for (uint32_t i = 0; i < messages.size(); ++i)
    fill(messages[i], batch[i]);
  return rpc::flatten(builder);
}

std::vector<std::string> encode_batches(std::span<const GroupMessage> messages) {
  std::vector<std::string> out;
  while (!messages.empty()) {
    const size_t n = std::min(messages.size(), kMaxBatchMessages);
    out.push_back(encode_batch(messages.first(n)));
    messages = messages.subspan(n);
  }
  return out;
}

Result<std::vector<GroupMessage>> decode_batch(std::string_view bytes, NodeId from, NodeId to) {
  std::vector<GroupMessage> out;
  DRUMLIN_TRY(rpc::parse<wire::RaftBatch>(bytes, [&](wire::RaftBatch::Reader root) -> Status {
    size_t room = bytes.size() / sizeof(uint64_t);
    if (root.getMessages().size() > std::min(room, kMaxBatchMessages)) {
      return malformed("number of raft messages");
    }
    room -= root.getMessages().size();
    out.reserve(root.getMessages().size());
    for (const auto message : root.getMessages()) {
      out.emplace_back();
      out.back().message.from = from;
      out.back().message.to = to;
      const Status status = read(message, room, out.back());
      if (!status.ok()) return status;
    }
    return {};
  }));
  return out;
}

std::string encode(const ProposeRequest& request) {
  capnp::MallocMessageBuilder builder(kSmallWords + words_of(request.command));
  auto root = builder.initRoot<wire::ProposeRequest>();
  root.setShard(request.shard);
  root.setCommand(as_data(request.command));
  root.setTimeoutMs(milliseconds_of(request.timeout));
  return rpc::flatten(builder);
}

Result<ProposeRequest> decode_propose(std::string_view bytes) {
  ProposeRequest out;
  DRUMLIN_TRY(rpc::parse<wire::ProposeRequest>(bytes, [&](wire::ProposeRequest::Reader root) {
    out.shard = root.getShard();
    out.command = bytes_of(root.getCommand());
    out.timeout = std::chrono::milliseconds(root.getTimeoutMs());
    // Once in the log it must apply on every replica: here is the last chance to refuse it.
    return shard::decode_command(out.command).status();
  }));
  return out;
}

std::string encode(const QueryRequest& request) {
  capnp::MallocMessageBuilder builder(kSmallWords + words_of(request.query));
  auto root = builder.initRoot<wire::QueryRequest>();
  root.setShard(request.shard);
  root.setQuery(as_data(request.query));
  root.setWantBody(request.want_body);
  root.setHasFirst(request.range.first.has_value());
  root.setFirst(request.range.first.value_or(0));
  root.setHasLast(request.range.last.has_value());
  root.setLast(request.range.last.value_or(0));
  root.setTimeoutMs(milliseconds_of(request.timeout));
  root.setMaxBody(request.max_body);
  return rpc::flatten(builder);
}

Result<QueryRequest> decode_query(std::string_view bytes) {
  QueryRequest out;
  DRUMLIN_TRY(rpc::parse<wire::QueryRequest>(bytes, [&](wire::QueryRequest::Reader root) -> Status {
    out.shard = root.getShard();
    out.query = bytes_of(root.getQuery());
    out.want_body = root.getWantBody();
    if (root.getHasFirst()) out.range.first = root.getFirst();
    if (root.getHasLast()) out.range.last = root.getLast();
    if (out.range.first && out.range.last && *out.range.last < *out.range.first) {
      return malformed("byte range");
    }
    out.timeout = std::chrono::milliseconds(root.getTimeoutMs());
    out.max_body = root.getMaxBody();
    return Status();
  }));
  return out;
}

std::string encode(const QueryReply& reply) {
  capnp::MallocMessageBuilder builder(kSmallWords + words_of(reply.reply) +
                                      words_of(reply.body.view()));
  auto root = builder.initRoot<wire::QueryReply>();
  root.setReply(as_data(reply.reply));
  root.setBody(as_data(reply.body.view()));
  root.setFirst(reply.first);
  root.setUnsatisfiable(reply.unsatisfiable);
  root.setBodyLeftOut(reply.body_left_out);
  return rpc::flatten(builder);
}

Result<QueryReply> decode_query_reply(std::string_view bytes) {
  QueryReply out;
  DRUMLIN_TRY(rpc::parse<wire::QueryReply>(bytes, [&](wire::QueryReply::Reader root) {
    out.reply = bytes_of(root.getReply());
    out.body = Blob(std::string(bytes_of(root.getBody())));
    out.first = root.getFirst();
    out.unsatisfiable = root.getUnsatisfiable();
    out.body_left_out = root.getBodyLeftOut();
    return Status();
  }));
  return out;
}

std::string encode(const SnapshotPart& part) {
  uint32_t words = kSmallWords;
  for (const SnapshotPart::Row& row : part.rows)
    words += 2 + words_of(row.key) + words_of(row.value);
  capnp::MallocMessageBuilder builder(words);
  auto root = builder.initRoot<wire::SnapshotPart>();
  root.setShard(part.shard);
  root.setTerm(part.term.value());
  root.setIndex(part.index.value());
  root.setIndexTerm(part.index_term.value());
  root.setTransfer(part.transfer);
  root.setOffset(part.offset);
  root.setLast(part.last);
  root.setHash(part.hash);
  auto rows = root.initRows(static_cast<uint32_t>(part.rows.size()));
  for (uint32_t i = 0; i < rows.size(); ++i) {
    rows[i].setKey(as_data(part.rows[i].key));
    rows[i].setValue(as_data(part.rows[i].value));
  }
  return rpc::flatten(builder);
}

Result<SnapshotPart> decode_snapshot_part(std::string_view bytes) {
  SnapshotPart out;
  DRUMLIN_TRY(rpc::parse<wire::SnapshotPart>(bytes, [&](wire::SnapshotPart::Reader root) -> Status {
    out.shard = root.getShard();
    out.term = Term(root.getTerm());
    out.index = LogIndex(root.getIndex());
    out.index_term = Term(root.getIndexTerm());
    out.transfer = root.getTransfer();
    out.offset = root.getOffset();
    out.last = root.getLast();
    out.hash = root.getHash();
    // Each row has a key, of a word at least.
    if (root.getRows().size() > bytes.size() / sizeof(uint64_t)) return malformed("number of rows");
    out.rows.reserve(root.getRows().size());
    for (const auto row : root.getRows()) {
      out.rows.push_back(
          {std::string(bytes_of(row.getKey())), std::string(bytes_of(row.getValue()))});
      if (out.rows.back().key.empty()) return malformed("row without a key");
    }
    if (out.index == LogIndex() || out.transfer == 0) return malformed("snapshot");
    return {};
  }));
  return out;
}

std::string encode(const SnapshotReply& reply) {
  capnp::MallocMessageBuilder builder(kSmallWords);
  auto root = builder.initRoot<wire::SnapshotReply>();
  root.setReceived(reply.received);
  root.setInstalled(reply.installed.value());
  return rpc::flatten(builder);
}

Result<SnapshotReply> decode_snapshot_reply(std::string_view bytes) {
  SnapshotReply out;
  DRUMLIN_TRY(rpc::parse<wire::SnapshotReply>(bytes, [&](wire::SnapshotReply::Reader root) {
    out.received = root.getReceived();
    out.installed = LogIndex(root.getInstalled());
    return Status();
  }));
  return out;
}

Status not_leader(NodeId leader) {
  return {Code::kNotLeader, leader.to_string()};
}

NodeId leader_in(const Status& status) {
  if (!status.is(Code::kNotLeader)) return {};
  uint64_t id = 0;
  const std::string& text = status.message();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() ? NodeId(id) : NodeId();
}

}  // namespace drumlin::replica
