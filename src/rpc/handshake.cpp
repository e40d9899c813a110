#include "rpc/handshake.h"

#include <algorithm>
#include <array>

#include "base/codec.h"
#include "base/digest.h"
#include "rpc/capnp.h"
#include "rpc/handshake.capnp.h"

namespace drumlin::rpc {
namespace {

constexpr size_t kMaxHandshakeBytes = 4096;  // all that a stranger can make us hold
constexpr size_t kNonceBytes = 16;
constexpr size_t kHeadBytes = 8;  // length, checksum

Status send_message(Stream& stream, capnp::MessageBuilder& message, std::string* sent = nullptr) {
  std::string payload = flatten(message);
  char head[kHeadBytes];
  store_le(head, static_cast<uint32_t>(payload.size()));
  store_le(head + 4, crc32c(payload, crc32c({head, 4})));
  const std::array<std::string_view, 2> pieces{std::string_view(head, kHeadBytes), payload};
  DRUMLIN_TRY(stream.write_all(pieces));
  if (sent != nullptr) *sent = std::move(payload);
  return {};
}

Result<std::string> receive_message(Stream& stream) {
  char head[kHeadBytes];
  DRUMLIN_TRY(stream.read_exact(head));
  const auto size = load_le<uint32_t>(head);
  if (size == 0 || size > kMaxHandshakeBytes) {
    return Status(Code::kCorrupt,
                  "not a drumlin peer: handshake of " + std::to_string(size) + " bytes");
  }
  std::string payload(size, '\0');
  DRUMLIN_TRY(stream.read_exact(payload));
  if (crc32c(payload, crc32c({head, 4})) != load_le<uint32_t>(head + 4)) {
    return Status(Code::kCorrupt, "handshake checksum");
  }
  return payload;
}

template <typename Builder>
void fill_refusal(Builder refusal, const Status& why) {
  refusal.setCode(static_cast<uint8_t>(why.code()));
  refusal.setMessage(why.message());
}

// Only kRefused is for good; whatever else the peer met (its disk, damaged bytes) may pass.
Status refusal_status(wire::Refusal::Reader refusal, NodeId by) {
  const bool for_good = refusal.getCode() == static_cast<uint8_t>(Code::kRefused);
  return {for_good ? Code::kRefused : Code::kUnavailable,
          "node " + by.to_string() + " refuses us: " + refusal.getMessage().cStr()};
}

std::string nonce(Runtime& runtime) {
  std::string out(kNonceBytes, '\0');
  runtime.secure_random(out);
  return out;
}

struct Transcript {
  std::string hello;  // exact bytes
  std::string nonce;  // the acceptor's
  uint64_t incarnation = 0;
  uint64_t boot = 0;
  uint16_t version = 0;

  std::string mac(const std::string& secret, std::string_view role) const {
    std::string bytes;
    Writer w(bytes);
    w.bytes(role);
    w.bytes(hello);
    w.bytes(nonce);
    w.u64(incarnation);
    w.u64(boot);
    w.u16(version);
    return std::string(as_view(hmac_sha256(secret, bytes)));
  }
};

Session make_session(const Identity& self, const Transcript& transcript, PeerIdentity peer,
                     uint8_t lane, bool dialer) {
  Session session{peer, transcript.version, lane, {}, {}};
  if (!self.secret.empty()) {
    session.send_key =
        transcript.mac(self.secret, dialer ? "frames of dialer" : "frames of acceptor");
    session.receive_key =
        transcript.mac(self.secret, dialer ? "frames of acceptor" : "frames of dialer");
  }
  return session;
}

Status wrong_secret() {
  return {Code::kRefused, "cluster.secret differs between the two nodes"};
}

}  // namespace

Result<Session> dial_handshake(Runtime& runtime, Stream& stream, const Identity& self,
                               Membership& membership, NodeId peer, uint8_t lane) {
  Transcript transcript;
  {
    capnp::MallocMessageBuilder message;
    auto hello = message.initRoot<wire::Hello>();
    hello.setVersionMin(kProtocolMin);
    hello.setVersionMax(kProtocolMax);
    hello.setClusterId(as_data(as_view(self.cluster_id)));
    hello.setFrom(self.node.value());
    hello.setTo(peer.value());
    hello.setIncarnation(self.incarnation);
    hello.setBoot(self.boot);
    hello.setLane(lane);
    hello.setNonce(as_data(nonce(runtime)));
    DRUMLIN_TRY(send_message(stream, message, &transcript.hello));
  }
  DRUMLIN_ASSIGN(const std::string welcome_bytes, receive_message(stream));
  PeerIdentity acceptor{peer, 0, 0};
  bool refused_us = false;
  Status outcome =
      parse<wire::Welcome>(welcome_bytes, [&](wire::Welcome::Reader welcome) -> Status {
        if (welcome.isRefused()) {
          refused_us = true;
          return refusal_status(welcome.getRefused(), peer);
        }
        const auto ok = welcome.getOk();
        acceptor.incarnation = transcript.incarnation = ok.getIncarnation();
        acceptor.boot = transcript.boot = ok.getBoot();
        transcript.version = ok.getVersion();
        transcript.nonce = bytes_of(ok.getNonce());
        if (transcript.version < kProtocolMin || transcript.version > kProtocolMax) {
          return {Code::kRefused, "node " + peer.to_string() + " speaks protocol version " +
                                      std::to_string(transcript.version) +
                                      ", which we did not offer"};
        }
        if (!constant_time_equal(bytes_of(ok.getProof()),
                                 transcript.mac(self.secret, "acceptor"))) {
          return wrong_secret();
        }
        return {};
      });
  if (refused_us && outcome.is(Code::kRefused)) membership.refused_by(peer, outcome);
  DRUMLIN_TRY(outcome);
  const Status admitted = membership.admit(acceptor);
  {
    capnp::MallocMessageBuilder message;
    auto proof = message.initRoot<wire::Proof>();
    if (admitted.ok()) {
      proof.setProof(as_data(transcript.mac(self.secret, "dialer")));
    } else {
      fill_refusal(proof.initRefused(), admitted);
    }
    DRUMLIN_TRY(send_message(stream, message));
  }
  DRUMLIN_TRY(admitted);
  DRUMLIN_ASSIGN(const std::string ready_bytes, receive_message(stream));
  outcome = parse<wire::Ready>(ready_bytes, [&](wire::Ready::Reader ready) -> Status {
    if (ready.isRefused()) {
      refused_us = true;
      return refusal_status(ready.getRefused(), peer);
    }
    return {};
  });
  if (refused_us && outcome.is(Code::kRefused)) membership.refused_by(peer, outcome);
  DRUMLIN_TRY(outcome);
  membership.recorded_by(peer);
  return make_session(self, transcript, acceptor, lane, /*dialer=*/true);
}

namespace {

struct ParsedHello {
  PeerIdentity dialer;
  uint8_t lane = 0;
  uint16_t version = 0;
};

// Everything that can be judged before the dialer has proven anything.
Result<ParsedHello> judge_hello(const std::string& bytes, const Identity& self,
                                const Membership& membership) {
  ParsedHello parsed;
  DRUMLIN_TRY(parse<wire::Hello>(bytes, [&](wire::Hello::Reader hello) -> Status {
    parsed.dialer = {NodeId(hello.getFrom()), hello.getIncarnation(), hello.getBoot()};
    parsed.lane = hello.getLane();
    parsed.version = std::min(kProtocolMax, hello.getVersionMax());
    if (parsed.version < kProtocolMin || parsed.version < hello.getVersionMin()) {
      return {Code::kRefused, "no common protocol version"};
    }
    if (bytes_of(hello.getClusterId()) != as_view(self.cluster_id)) {
      return {Code::kRefused,
              "this node belongs to another cluster (secret, node ids, shards or name differ)"};
    }
    if (NodeId(hello.getTo()) != self.node) {
      return {Code::kRefused, "this is node " + self.node.to_string() + ", not node " +
                                  std::to_string(hello.getTo())};
    }
    if (bytes_of(hello.getNonce()).size() != kNonceBytes) return {Code::kCorrupt, "bad nonce"};
    if (parsed.lane >= kLanes) return {Code::kCorrupt, "bad lane"};
    if (parsed.dialer.node == self.node) {
      return {Code::kRefused, "two nodes are configured with id " + self.node.to_string()};
    }
    return membership.check_member(parsed.dialer.node);
  }));
  return parsed;
}

Status refuse(Stream& stream, const Status& why) {
  capnp::MallocMessageBuilder message;
  fill_refusal(message.initRoot<wire::Welcome>().initRefused(), why);
  send_message(stream, message).ignore();  // the connection ends either way
  return why;
}

Status refuse_at_the_end(Stream& stream, const Status& why) {
  capnp::MallocMessageBuilder message;
  fill_refusal(message.initRoot<wire::Ready>().initRefused(), why);
  send_message(stream, message).ignore();  // the connection ends either way
  return why;
}

}  // namespace

Result<Session> accept_handshake(Runtime& runtime, Stream& stream, const Identity& self,
                                 Membership& membership) {
  Transcript transcript;
  { DRUMLIN_ASSIGN(transcript.hello, receive_message(stream)); }
  const auto hello = judge_hello(transcript.hello, self, membership);
  if (!hello.ok()) return refuse(stream, hello.status());
  transcript.nonce = nonce(runtime);
  transcript.incarnation = self.incarnation;
  transcript.boot = self.boot;
  transcript.version = hello->version;
  {
    capnp::MallocMessageBuilder message;
    auto ok = message.initRoot<wire::Welcome>().initOk();
    ok.setVersion(transcript.version);
    ok.setIncarnation(self.incarnation);
    ok.setBoot(self.boot);
    ok.setNonce(as_data(transcript.nonce));
    ok.setProof(as_data(transcript.mac(self.secret, "acceptor")));
    DRUMLIN_TRY(send_message(stream, message));
  }
  DRUMLIN_ASSIGN(const std::string proof_bytes, receive_message(stream));
  bool refused_us = false;
  const Status proven = parse<wire::Proof>(proof_bytes, [&](wire::Proof::Reader proof) -> Status {
    if (proof.isRefused()) {
      refused_us = true;
      return refusal_status(proof.getRefused(), hello->dialer.node);
    }
    if (!constant_time_equal(bytes_of(proof.getProof()), transcript.mac(self.secret, "dialer"))) {
      return wrong_secret();
    }
    return {};
  });
  // A refusal is unauthenticated here, so it is only noted; the dialer's own acceptor will say it
  // again with proof when we dial it.
  if (refused_us) return proven;
  if (!proven.ok()) return refuse_at_the_end(stream, proven);
  const Status admitted = membership.admit(hello->dialer);
  if (!admitted.ok()) return refuse_at_the_end(stream, admitted);
  capnp::MallocMessageBuilder message;
  message.initRoot<wire::Ready>().setOk();
  DRUMLIN_TRY(send_message(stream, message));
  membership.recorded_by(hello->dialer.node);
  return make_session(self, transcript, hello->dialer, hello->lane, /*dialer=*/false);
}

}  // namespace drumlin::rpc
