// Bytes between nodes: golden, round trips, damage.
#include "replica/wire.h"

#include <gtest/gtest.h>

#include "replica/messages.capnp.h"
#include "rpc/capnp.h"
#include "rpc/frame.h"
#include "shard/command.h"
#include "tests/support/bytes.h"
#include "tests/support/property.h"

namespace drumlin::replica {
namespace {

using drumlin::test::each_flip;
using drumlin::test::each_truncation;
using drumlin::test::from_hex;
using drumlin::test::to_hex;
using raft::Entry;
using raft::EntryKind;
using raft::Message;
using raft::MessageType;

const NodeId kFrom{1};
const NodeId kTo{2};

GroupMessage append() {
  Message m;
  m.type = MessageType::kAppend;
  m.from = kFrom;
  m.to = kTo;
  m.term = Term(3);
  m.index = LogIndex(4);
  m.log_term = Term(2);
  m.commit = LogIndex(1);
  m.entries = {{Term(2), LogIndex(5), EntryKind::kCommand, Blob("data")},
               {Term(3), LogIndex(6), EntryKind::kNoop, Blob()}};
  return {GroupId(7), m};
}
GroupMessage reply() {
  Message m;
  m.type = MessageType::kAppendReply;
  m.from = kFrom;
  m.to = kTo;
  m.reject = true;
  m.term = Term(3);
  m.index = LogIndex(4);
  m.hint_index = LogIndex(2);
  m.hint_term = Term(1);
  m.round = 9;
  return {GroupId(255), m};
}

std::string batch_of(const std::vector<GroupMessage>& batch) {
  return encode_batch(batch);
}

std::string command() {
  shard::Command out;
  out.payload = shard::BeginDelete{"b"};
  return shard::encode(out);
}

bool same(const GroupMessage& a, const GroupMessage& b) {
  const Message& x = a.message;
  const Message& y = b.message;
  return a.group == b.group && x.type == y.type && x.from == y.from && x.to == y.to &&
         x.reject == y.reject && x.term == y.term && x.index == y.index &&
         x.log_term == y.log_term && x.commit == y.commit && x.hint_index == y.hint_index &&
         x.hint_term == y.hint_term && x.round == y.round && x.entries == y.entries;
}

TEST(WireGolden, RaftBatch) {
  EXPECT_EQ(to_hex(batch_of({reply()})),
            "000000000c0000000000000000000100010000004f0000000400000008000100ff000000"
            "060100000300000000000000040000000000000000000000000000000000000000000000"
            "0200000000000000010000000000000009000000000000000000000000000000");
  EXPECT_EQ(to_hex(batch_of({append()})),
            "00000000140000000000000000000100010000004f000000040000000800010007000000"
            "050000000300000000000000040000000000000002000000000000000100000000000000"
            "000000000000000000000000000000000000000000000000010000003700000008000000"
            "02000100020000000000000002000000000000000d000000220000000300000000000000"
            "010000000000000005000000020000006461746100000000");
}

TEST(WireGolden, Requests) {
  EXPECT_EQ(to_hex(encode(ProposeRequest{7, command(), 1500ms})),
            "0000000009000000000000000100010007000000dc050000010000007a01000001040000"
            "000000000000000000000000000000000000000000000000000000000000000000000000"
            "0000010000006200");
  QueryRequest query;
  query.shard = 7;
  query.query = "query";
  query.want_body = true;
  query.range = {5, 9};
  query.timeout = 1500ms;
  query.max_body = 0x1234;
  EXPECT_EQ(to_hex(encode(query)),
            "000000000800000000000000050001000700000007000000050000000000000009000000"
            "00000000dc050000000000003412000000000000010000002a0000007175657279000000");
  QueryReply answer;
  answer.reply = "reply";
  answer.body = Blob("body");
  answer.first = 5;
  answer.body_left_out = true;
  EXPECT_EQ(to_hex(encode(answer)),
            "000000000700000000000000020002000500000000000000020000000000000005000000"
            "2a00000005000000220000007265706c79000000626f647900000000");
}

TEST(Wire, BatchOfManyGroupsRoundTrips) {
  const std::vector<GroupMessage> sent{append(), reply(), append()};
  const auto got = decode_batch(encode_batch(sent), kFrom, kTo).value();
  ASSERT_EQ(got.size(), 3u);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(same(got[i], sent[i])) << i;
  EXPECT_TRUE(decode_batch(batch_of({}), kFrom, kTo).value().empty());
}

TEST(Wire, FromAndToAreTheConnections) {
  const auto got = decode_batch(batch_of({reply()}), NodeId(8), NodeId(9)).value();
  EXPECT_EQ(got[0].message.from, NodeId(8));
  EXPECT_EQ(got[0].message.to, NodeId(9));
}

TEST(Wire, AnyMessageRoundTrips) {
  drumlin::test::hold([] {
    const auto number = [] { return *rc::gen::arbitrary<uint64_t>(); };
    GroupMessage in;
    in.group = GroupId(*rc::gen::arbitrary<uint32_t>());
    Message& m = in.message;
    m.type = static_cast<MessageType>(*rc::gen::inRange(1, 9));
    m.from = kFrom;
    m.to = kTo;
    m.reject = *rc::gen::arbitrary<bool>();
    m.term = Term(number());
    m.index = LogIndex(number() / 2);
    m.log_term = Term(number());
    m.commit = LogIndex(number());
    m.hint_index = LogIndex(number());
    m.hint_term = Term(number());
    m.round = number();
    const auto count = *rc::gen::inRange<size_t>(0, 4);
    for (size_t i = 0; i < count; ++i) {
      m.entries.push_back({Term(number()), m.index + i + 1,
                           *rc::gen::arbitrary<bool>() ? EntryKind::kNoop : EntryKind::kCommand,
                           Blob(*rc::gen::arbitrary<std::string>())});
    }
    const auto out = decode_batch(batch_of({in}), kFrom, kTo);
    RC_ASSERT(out.ok());
    RC_ASSERT(out->size() == 1 && same((*out)[0], in));
  });
}

TEST(Wire, UnknownTypesAndKindsAreMalformed) {
  for (const int type : {0, 9, 255}) {
    GroupMessage bad = reply();
    bad.message.type = static_cast<MessageType>(type);
    EXPECT_TRUE(decode_batch(batch_of({bad}), kFrom, kTo).is(Code::kCorrupt)) << type;
  }
  for (const int kind : {0, 3}) {
    GroupMessage bad = append();
    bad.message.entries[0].kind = static_cast<EntryKind>(kind);
    EXPECT_TRUE(decode_batch(batch_of({bad}), kFrom, kTo).is(Code::kCorrupt)) << kind;
  }
}

TEST(Wire, ProposeRoundTrips) {
  const auto got = decode_propose(encode(ProposeRequest{7, command(), 1500ms})).value();
  EXPECT_EQ(got.shard, 7u);
  EXPECT_EQ(got.command, command());
  EXPECT_EQ(got.timeout, 1500ms);
  EXPECT_EQ(decode_propose(encode(ProposeRequest{7, command(), -5s}))->timeout, 0s);
}

// What reaches the log must apply on every replica, or it ends all of them, at each of their
// starts.
TEST(Wire, CommandsThatCannotBeAppliedAreRefusedBeforeTheLog) {
  EXPECT_TRUE(decode_propose(encode(ProposeRequest{7, "", 1s})).is(Code::kCorrupt));
  EXPECT_TRUE(decode_propose(encode(ProposeRequest{7, "short", 1s})).is(Code::kCorrupt));
  EXPECT_TRUE(decode_propose(encode(ProposeRequest{7, command() + "x", 1s})).is(Code::kCorrupt));
  std::string later = command();
  later[0] = 2;
  EXPECT_TRUE(decode_propose(encode(ProposeRequest{7, later, 1s})).is(Code::kUnsupported));
  later = command();
  later[1] = 99;
  EXPECT_TRUE(decode_propose(encode(ProposeRequest{7, later, 1s})).is(Code::kUnsupported));
}

TEST(Wire, QueriesAndRangesRoundTrip) {
  for (const BodyRange& range :
       {BodyRange{}, BodyRange{0, std::nullopt}, BodyRange{std::nullopt, 0}, BodyRange{3, 3},
        BodyRange{1, UINT64_MAX}}) {
    QueryRequest in;
    in.shard = 7;
    in.query = "q";
    in.want_body = true;
    in.range = range;
    in.timeout = 20ms;
    in.max_body = 1 << 18;
    const auto out = decode_query(encode(in)).value();
    EXPECT_EQ(out.shard, 7u);
    EXPECT_EQ(out.query, "q");
    EXPECT_TRUE(out.want_body);
    EXPECT_EQ(out.range.first, range.first);
    EXPECT_EQ(out.range.last, range.last);
    EXPECT_EQ(out.timeout, 20ms);
    EXPECT_EQ(out.max_body, 1u << 18);
  }
  QueryRequest backwards;
  backwards.range = {9, 5};
  EXPECT_TRUE(decode_query(encode(backwards)).is(Code::kCorrupt));
}

TEST(Wire, QueryReplyRoundTrips) {
  const auto got = decode_query_reply(encode(QueryReply{"r", Blob("body"), 5, true, true})).value();
  EXPECT_EQ(got.reply, "r");
  EXPECT_EQ(got.body.view(), "body");
  EXPECT_EQ(got.first, 5u);
  EXPECT_TRUE(got.unsatisfiable);
  EXPECT_TRUE(got.body_left_out);
}

TEST(Wire, NotLeaderNamesTheLeader) {
  EXPECT_EQ(leader_in(not_leader(NodeId(3))), NodeId(3));
  EXPECT_EQ(leader_in(not_leader(NodeId())), NodeId());
  for (const char* text : {"", "x", "3x", "-3", " 3", "99999999999999999999"}) {
    EXPECT_EQ(leader_in(Status(Code::kNotLeader, text)), NodeId()) << text;
  }
  EXPECT_EQ(leader_in(Status(Code::kUnavailable, "3")), NodeId());
}

template <typename Decode>
void damage(const std::string& good, Decode&& decode) {
  ASSERT_TRUE(decode(good).ok());
  each_truncation(good, [&](const std::string& bytes) {
    EXPECT_TRUE(decode(bytes).is(Code::kCorrupt)) << bytes.size() << " bytes of " << good.size();
  });
  EXPECT_TRUE(decode(good + "x").is(Code::kCorrupt));
  EXPECT_TRUE(decode(good + std::string(8, '\0')).is(Code::kCorrupt));
  // Values may change unseen (frames have checksums); pointers must not lead astray.
  each_flip(good, [&](const std::string& bytes) {
    const auto result = decode(bytes);
    EXPECT_TRUE(result.ok() || result.is(Code::kCorrupt) || result.is(Code::kUnsupported));
  });
}

SnapshotPart part() {
  SnapshotPart out;
  out.shard = 7;
  out.term = Term(5);
  out.index = LogIndex(100);
  out.index_term = Term(4);
  out.transfer = 0x1234;
  out.offset = 20;
  out.rows = {{"key", "value"}, {"empty", ""}};
  out.last = true;
  out.hash = 0x5678;
  return out;
}

TEST(Wire, SnapshotPartsRoundTrip) {
  const SnapshotPart sent = part();
  const SnapshotPart got = decode_snapshot_part(encode(sent)).value();
  EXPECT_EQ(got.shard, sent.shard);
  EXPECT_EQ(got.term, sent.term);
  EXPECT_EQ(got.index, sent.index);
  EXPECT_EQ(got.index_term, sent.index_term);
  EXPECT_EQ(got.transfer, sent.transfer);
  EXPECT_EQ(got.offset, sent.offset);
  EXPECT_EQ(got.rows, sent.rows);
  EXPECT_EQ(got.last, sent.last);
  EXPECT_EQ(got.hash, sent.hash);
  const SnapshotReply reply = decode_snapshot_reply(encode(SnapshotReply{22, LogIndex(9)})).value();
  EXPECT_EQ(reply.received, 22u);
  EXPECT_EQ(reply.installed, LogIndex(9));
}

TEST(Wire, SnapshotPartsWithoutAKeyAnIndexOrATransferAreMalformed) {
  SnapshotPart no_key = part();
  no_key.rows.at(0).key.clear();
  SnapshotPart no_index = part();
  no_index.index = LogIndex();
  SnapshotPart no_transfer = part();
  no_transfer.transfer = 0;
  for (const SnapshotPart& bad : {no_key, no_index, no_transfer}) {
    EXPECT_TRUE(decode_snapshot_part(encode(bad)).is(Code::kCorrupt));
  }
}

TEST(WireBatches, AreSplitIntoFrames) {
  EXPECT_TRUE(encode_batches({}).empty());
  std::vector<GroupMessage> sent(2 * kMaxBatchMessages + 3, reply());
  for (size_t i = 0; i < sent.size(); ++i)
    sent[i].message.round = i;
  size_t next = 0;
  const auto frames = encode_batches(sent);
  ASSERT_EQ(frames.size(), 3u);
  for (const std::string& frame : frames) {
    EXPECT_LE(frame.size(), size_t{rpc::kMaxFramePayloadBytes});
    for (const GroupMessage& got : decode_batch(frame, kFrom, kTo).value())
      EXPECT_EQ(got.message.round, next++) << "in order";
  }
  EXPECT_EQ(next, sent.size());
}

TEST(WireDamage, NeverCrashes) {
  damage(batch_of({append(), reply()}),
         [](std::string_view bytes) { return decode_batch(bytes, kFrom, kTo); });
  damage(encode(ProposeRequest{7, command(), 1500ms}),
         [](std::string_view bytes) { return decode_propose(bytes); });
  QueryRequest query;
  query.query = "query";
  query.range = {5, 9};
  damage(encode(query), [](std::string_view bytes) { return decode_query(bytes); });
  damage(encode(QueryReply{"reply", Blob("body"), 5, true, false}),
         [](std::string_view bytes) { return decode_query_reply(bytes); });
  damage(encode(part()), [](std::string_view bytes) { return decode_snapshot_part(bytes); });
  damage(encode(SnapshotReply{22, LogIndex(9)}),
         [](std::string_view bytes) { return decode_snapshot_reply(bytes); });
}

TEST(WireDamage, AListThatClaimsMoreThanCameCostsNoMemory) {
  // One segment of three words: the root, a list, its tag of a million structs without content.
  const auto claimed = decode_batch(
      from_hex("0000000003000000 0000000000000100 0100000007000000 fcff3f0000000000"), kFrom, kTo);
  EXPECT_TRUE(claimed.is(Code::kCorrupt));
  EXPECT_NE(claimed.status().message().find("number of raft messages"), std::string::npos)
      << claimed.status().to_string();
}

// What no sender of ours makes.
TEST(WireDamage, MoreMessagesThanAFrameMayCarryAreRefused) {
  const auto many = [](uint32_t n) {
    capnp::MallocMessageBuilder builder;
    auto messages = builder.initRoot<wire::RaftBatch>().initMessages(n);
    for (uint32_t i = 0; i < n; ++i)
      messages[i].setType(static_cast<uint8_t>(MessageType::kHeartbeat));
    return rpc::flatten(builder);
  };
  EXPECT_EQ(decode_batch(many(kMaxBatchMessages), kFrom, kTo)->size(), kMaxBatchMessages);
  const auto refused = decode_batch(many(kMaxBatchMessages + 1), kFrom, kTo);
  EXPECT_TRUE(refused.is(Code::kCorrupt));
  EXPECT_NE(refused.status().message().find("number of raft messages"), std::string::npos);
}

TEST(WireDamage, UnalignedBytesAreReadAsWell) {
  const std::string shifted = "x" + batch_of({append()});
  EXPECT_TRUE(decode_batch(std::string_view(shifted).substr(1), kFrom, kTo).ok());
}

}  // namespace
}  // namespace drumlin::replica
