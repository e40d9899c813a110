// What another node sends: frames, the handshake, the messages of replicas.
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/targets/memory_stream.h"
#include "fuzz/targets/peer_world.h"
#include "fuzz/targets/source.h"
#include "fuzz/targets/targets.h"
#include "replica/wire.h"
#include "rpc/frame.h"
#include "rpc/handshake.h"

namespace drumlin::fuzz {
namespace {

using rpc::Frame;
using rpc::FrameStream;

bool equal(const Frame& a, const Frame& b) {
  return a.type == b.type && a.kind == b.kind && a.code == b.code && a.call == b.call &&
         a.payload == b.payload;
}

struct Read {
  std::vector<Frame> frames;
  Code end = Code::kOk;
};

Read read_all(std::string_view bytes, std::string_view steps, const std::string& key) {
  FrameStream stream(std::make_unique<MemoryStream>(bytes, steps), "", key);
  Read out;
  for (;;) {
    Result<Frame> frame = stream.read();
    if (!frame.ok()) {
      out.end = frame.code();
      return out;
    }
    DRUMLIN_CHECK_LE(frame->payload.size(), bytes.size());
    out.frames.push_back(std::move(*frame));
  }
}

std::string written(const std::vector<Frame>& frames, const std::string& key) {
  auto memory = std::make_unique<MemoryStream>("");
  const MemoryStream& sink = *memory;
  FrameStream stream(std::move(memory), key, "");
  DRUMLIN_CHECK_OK(stream.write(frames));
  return sink.written();
}

void same_frames(const Read& a, const Read& b) {
  DRUMLIN_CHECK(a.end == b.end);
  DRUMLIN_CHECK_EQ(a.frames.size(), b.frames.size());
  for (size_t i = 0; i < a.frames.size(); ++i)
    DRUMLIN_CHECK(equal(a.frames[i], b.frames[i]), i);
}

void frames_as_sent(Source source, const std::string& key) {
  const std::string_view steps = source.text(8);
  const std::string_view bytes = source.rest();
  const Read whole = read_all(bytes, {}, key);
  same_frames(read_all(bytes, steps, key), whole);
  const std::string again = written(whole.frames, key);
  DRUMLIN_CHECK_EQ(bytes.substr(0, again.size()), again);
}

void frames_then_bent(Source source, const std::string& key) {
  std::vector<Frame> frames;
  const uint64_t at = source.number();
  const auto mask = static_cast<char>(source.byte() | 1);
  while (!source.empty() && frames.size() < 20) {
    Frame frame;
    frame.type = static_cast<rpc::FrameType>(1 + source.below(3));
    frame.kind = source.byte();
    frame.code = static_cast<Code>(source.below(static_cast<uint64_t>(Code::kUnsupported) + 1));
    frame.call = source.number();
    frame.payload = source.string();
    frames.push_back(std::move(frame));
  }
  std::string bytes = written(frames, key);
  same_frames(read_all(bytes, {}, key), {frames, Code::kClosed});
  if (bytes.empty()) return;
  // Of a stream with one byte changed a prefix is read, then no more.
  bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ mask);
  const Read bent = read_all(bytes, {}, key);
  DRUMLIN_CHECK_LT(bent.frames.size(), frames.size());
  for (size_t i = 0; i < bent.frames.size(); ++i)
    DRUMLIN_CHECK(equal(bent.frames[i], frames[i]), i);
}

template <typename T>
void stable(const Result<T>& decoded, Result<T> (*decode)(std::string_view)) {
  if (!decoded.ok()) return;
  const std::string once = replica::encode(*decoded);
  const Result<T> again = decode(once);
  DRUMLIN_CHECK_OK(again.status());
  DRUMLIN_CHECK(replica::encode(*again) == once);
}

Result<std::vector<replica::GroupMessage>> decode_batch(std::string_view bytes) {
  return replica::decode_batch(bytes, NodeId(2), NodeId(1));
}

// Memory goes with the bytes that came, whatever numbers stand in them.
size_t bytes_of(const std::vector<replica::GroupMessage>& batch) {
  size_t out = batch.capacity() * sizeof(replica::GroupMessage);
  for (const replica::GroupMessage& m : batch)
    out += m.message.entries.capacity() * sizeof(raft::Entry);
  return out;
}

void raft_messages(std::string_view bytes) {
  const auto batch = decode_batch(bytes);
  if (!batch.ok()) return;
  DRUMLIN_CHECK_LE(bytes_of(*batch), 100 * bytes.size());
  const std::string once = replica::encode_batch(*batch);
  const auto again = decode_batch(once);
  DRUMLIN_CHECK_OK(again.status());
  DRUMLIN_CHECK_EQ(again->size(), batch->size());
  DRUMLIN_CHECK(replica::encode_batch(*again) == once);
  for (size_t i = 0; i < batch->size(); ++i) {
    const raft::Message& message = (*batch)[i].message;
    DRUMLIN_CHECK(to_string(message) == to_string((*again)[i].message));
    for (size_t e = 0; e < message.entries.size(); ++e)
      DRUMLIN_CHECK(message.entries[e].index == message.index + e + 1);
  }
}

}  // namespace

// Byte 0: bit 0 made by a node and then bent, bit 1 with a secret.
void peer_frames(std::string_view input) {
  Source source(input);
  const uint8_t mode = source.byte();
  const std::string key = (mode & 2) != 0 ? std::string(32, 'k') : "";
  if ((mode & 1) != 0) return frames_then_bent(source, key);
  frames_as_sent(source, key);
}

// Byte 0: which side is ours. What follows is all that the other side says. Without the secret it can
// only say again what was said before, so whoever gets in is the one who spoke then.
void handshake(std::string_view input) {
  Source source(input);
  const bool dialer = source.flag();
  PeerWorld world;
  MemoryStream stream(source.rest());
  Memory membership;
  const rpc::Identity self = identity(NodeId(1));
  const Result<rpc::Session> session =
      dialer ? rpc::dial_handshake(world, stream, self, membership, NodeId(2), 1)
             : rpc::accept_handshake(world, stream, self, membership);
  if (!session.ok()) {
    DRUMLIN_CHECK(membership.recorded.empty());
    return;
  }
  const rpc::Identity other = identity(NodeId(2));
  DRUMLIN_CHECK(session->peer.node == other.node);
  DRUMLIN_CHECK_EQ(session->peer.incarnation, other.incarnation);
  DRUMLIN_CHECK_EQ(session->peer.boot, other.boot);
  DRUMLIN_CHECK_EQ(session->send_key.size(), size_t{32});
  DRUMLIN_CHECK(session->send_key != session->receive_key);
  DRUMLIN_CHECK_EQ(membership.admitted.size(), size_t{1});
}

// Byte 0: which message.
void replica_wire(std::string_view input) {
  Source source(input);
  const uint8_t which = source.byte() % 4;
  const std::string_view bytes = source.rest();
  if (which == 0) raft_messages(bytes);
  if (which == 1) stable(replica::decode_propose(bytes), replica::decode_propose);
  if (which == 2) stable(replica::decode_query(bytes), replica::decode_query);
  if (which == 3) stable(replica::decode_query_reply(bytes), replica::decode_query_reply);
}

}  // namespace drumlin::fuzz
