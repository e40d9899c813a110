// Bytes of commands, answers, stored values and keys: golden, round trips, damage.
#include <gtest/gtest.h>

#include <set>

#include "base/digest.h"
#include "shard/codec.h"
#include "shard/placement.h"
#include "tests/shard/replica.h"
#include "tests/support/bytes.h"
#include "tests/support/property.h"

namespace drumlin::shard::test {
namespace {

using drumlin::test::each_flip;
using drumlin::test::each_truncation;
using drumlin::test::from_hex;
using drumlin::test::to_hex;

#define EXPECT_HEX(bytes, text) EXPECT_EQ(to_hex(bytes), to_hex(from_hex(text)))

// version 1, the kind, log time 1000, node 2, boot 3, number 4, low water 3
std::string head(const std::string& kind) {
  return "01" + kind +
         "e803000000000000 0200000000000000 0300000000000000 0400000000000000 0300000000000000";
}
template <typename T>
std::string encoded(T payload) {
  return encode(command_of(std::move(payload), {2, 3, 4, 3}, at(1000)));
}

constexpr const char* kInc5 = "0500000000000000";
constexpr const char* kEpoch6 = "0600000000000000";
constexpr const char* kBucketB = "01000000 62";

TEST(Golden, Commands) {
  Put put;
  put.bucket = "b";
  put.incarnation = 5;
  put.epoch = 6;
  put.key = "k\xff";
  put.attributes = {"e", {{"H", "v"}}, {}, {{"crc32", "AA"}}};
  put.body = "body";
  EXPECT_HEX(encoded(put), head("00") + kBucketB + kInc5 + kEpoch6 + "02000000 6bff" +
                               "01000000 65" + "01000000 01000000 48 01000000 76" + "00000000" +
                               "01000000 05000000 6372633332 02000000 4141" + "04000000 626f6479");
  EXPECT_HEX(encoded(Delete{"b", 5, 6, "k"}),
             head("01") + kBucketB + kInc5 + kEpoch6 + "01000000 6b");
  EXPECT_HEX(encoded(CreateBucket{"b", 16}), head("02") + kBucketB + "10000000");
  EXPECT_HEX(encoded(ActivateBucket{"b", 5}), head("03") + kBucketB + kInc5);
  EXPECT_HEX(encoded(BeginDelete{"b"}), head("04") + kBucketB);
  EXPECT_HEX(encoded(DecideDelete{"b", 5, 6, true}),
             head("05") + kBucketB + kInc5 + kEpoch6 + "01");
  EXPECT_HEX(encoded(FinishRemove{"b", 5}), head("06") + kBucketB + kInc5);
  EXPECT_HEX(encoded(FinishReopen{"b", 5, 6}), head("07") + kBucketB + kInc5 + kEpoch6);
  EXPECT_HEX(encoded(row(5, 6)), head("08") + kBucketB + kInc5 + kEpoch6);
  EXPECT_HEX(encoded(row_as<CloseRowIfEmpty>(5, 6)), head("09") + kBucketB + kInc5 + kEpoch6);
  EXPECT_HEX(encoded(row_as<ReopenRow>(5, 6)), head("0a") + kBucketB + kInc5 + kEpoch6);
  EXPECT_HEX(encoded(row_as<RemoveRow>(5, 6)), head("0b") + kBucketB + kInc5 + kEpoch6);
  EXPECT_HEX(encoded(CreateCountedBucket{"b", 16, 7, 1000}),
             head("16") + kBucketB + "10000000 0700000000000000 e803000000000000");
}

TEST(Golden, ConditionalCommands) {
  PutIf put_if;
  static_cast<Put&>(put_if) = put("k", "body", 5, 6);
  put_if.when.absent = true;
  put_if.request = {7, 8};
  const std::string request = "0700000000000000 0800000000000000";
  EXPECT_HEX(encoded(put_if), head("0c") + kBucketB + kInc5 + kEpoch6 + "01000000 6b" +
                                  "04000000 65746167" + "00000000 00000000 00000000" +
                                  "04000000 626f6479" + "01 00 00000000 00 00" + request);
  DeleteIf del_if;
  static_cast<Delete&>(del_if) = del("k", 5, 6);
  del_if.when.present = true;
  del_if.when.etags = {"e"};
  del_if.when.size = 9;
  del_if.when.modified = at(1000);
  EXPECT_HEX(encoded(del_if), head("0d") + kBucketB + kInc5 + kEpoch6 + "01000000 6b" +
                                  "00 01 01000000 01000000 65" + "01 0900000000000000" +
                                  "01 e803000000000000" + "0000000000000000 0000000000000000");
}

DeleteIf some_delete_if() {
  DeleteIf out;
  static_cast<Delete&>(out) = del("k", 5, 6);
  out.when.etags = {"e", "f"};
  out.when.size = 9;
  out.request = {7, 8};
  return out;
}

BucketRecord bucket_record() {
  return {"b", 5, 16, 6, BucketState::kActive, at(1000)};
}
constexpr const char* kBucketRecord =
    "01000000 62 0500000000000000 10000000 0600000000000000 02 e803000000000000";

TEST(Golden, Replies) {
  Reply reply;
  reply.code = Code::kAborted;
  reply.detail = Detail::kRowClosed;
  reply.version = 9;
  reply.message = "m";
  EXPECT_HEX(encode(reply), "01 05 02 0900000000000000 01000000 6d 00");
  reply.bucket = bucket_record();
  EXPECT_HEX(encode(reply),
             std::string("01 05 02 0900000000000000 01000000 6d 01") + kBucketRecord);
}

TEST(Golden, Queries) {
  EXPECT_HEX(encode_query(GetObject{"b", 5, 6, "k"}),
             std::string("01 00") + kBucketB + kInc5 + kEpoch6 + "01000000 6b");
  EXPECT_HEX(encode_query(ListPartition{"b", 5, 6, "p", "/", "a", true, 7}),
             std::string("01 01") + kBucketB + kInc5 + kEpoch6 +
                 "01000000 70 01000000 2f 01000000 61 01 07000000");
  EXPECT_HEX(encode_query(GetBucket{"b"}), std::string("01 02") + kBucketB);
  EXPECT_HEX(encode_query(ListBuckets{}), "01 03 00000000 00000000 e8030000 00");
  EXPECT_HEX(encode_query(ListBuckets{"p", "a", 7, 9}),
             "01 03 01000000 70 01000000 61 07000000 01 0900000000000000");
}

ObjectRecord object_record() {
  ObjectRecord out;
  out.attributes.etag = "e";
  out.size = 4;
  out.version = 9;
  out.modified = at(1000);
  out.body = {7, 9, 1};
  return out;
}
constexpr const char* kObjectRecord =
    "01000000 65 00000000 00000000 00000000 0400000000000000 0900000000000000 e803000000000000"
    "07000000 0900000000000000 01000000";

ListPartitionReply listing() {
  ListPartitionReply out;
  out.items.push_back({"k", false, 4, 9, at(1000), "e"});
  out.items.push_back({"p/", true, 0, 0, at(0), ""});
  return out;
}

TEST(Golden, Answers) {
  EXPECT_HEX(encode(GetObjectReply{Code::kOk, Detail::kNone, 9, object_record()}),
             std::string("01 00 00 0900000000000000 01") + kObjectRecord);
  EXPECT_HEX(encode(listing()),
             "01 00 00 02000000"
             "01000000 6b 00 0400000000000000 0900000000000000 e803000000000000 01000000 65"
             "02000000 702f 01 0000000000000000 0000000000000000 0000000000000000 00000000");
  EXPECT_HEX(encode(GetBucketReply{bucket_record()}), std::string("01 01") + kBucketRecord);
  EXPECT_HEX(encode(ListBucketsReply{{bucket_record()}, false, ""}),
             std::string("01 01000000") + kBucketRecord + "00");
  EXPECT_HEX(encode(ListBucketsReply{{bucket_record()}, true, "b"}),
             std::string("01 01000000") + kBucketRecord + "01");
  EXPECT_HEX(encode(ListBucketsReply{{bucket_record()}, true, "c"}),
             std::string("01 01000000") + kBucketRecord + "02 01000000 63");
  EXPECT_HEX(encode(ListBucketsReply{{}, true, "c"}), "01 00000000 02 01000000 63");
}

TEST(Golden, StoredValues) {
  EXPECT_HEX(encode_value(object_record()), std::string("01") + kObjectRecord);
  EXPECT_HEX(encode_value(bucket_record()), std::string("01") + kBucketRecord);
  EXPECT_HEX(encode_value(BucketRow{5, 6, RowState::kTombstone}),
             "01 0500000000000000 0600000000000000 03");
  EXPECT_HEX(encode_value(BucketCount{5}), "01 0500000000000000");
  Replica r;
  r.open_row();
  r.run(put("k", "x"), {2, 3, 4, 3}, at(1000));
  r.run(del("gone"), {}, at(1000));
  const Keys keys(kShard, 1);
  // applied, log time, last delete
  EXPECT_HEX(r.kv.state().at(keys.meta()), "02 0300000000000000 e803000000000000 0300000000000000");
  DeleteIf counted = some_delete_if();
  counted.incarnation = kIncarnation;
  counted.epoch = 1;
  r.run(counted, {}, at(2000));
  // log time, request, and the reply as it was sent
  EXPECT_HEX(r.kv.state().at(keys.outcome(4)),
             "01 d007000000000000 0700000000000000 0800000000000000"
             "10000000 01 04 04 0200000000000000 00000000 00");
  // boot, low water, number, and the reply as it was sent
  EXPECT_HEX(r.kv.state().at(keys.reply(2, 0)),
             "02 0300000000000000 0300000000000000 0400000000000000"
             "01 00 00 0200000000000000 00000000 00");
}

TEST(Golden, Keys) {
  const Keys keys(0x0102, 0x03040506);
  EXPECT_HEX(keys.all(), "0102 03040506");
  EXPECT_HEX(keys.meta(), "0102 03040506 01");
  EXPECT_HEX(keys.reply(0x0a, 0x0b), "0102 03040506 03 000000000000000a 0000000b");
  EXPECT_HEX(keys.outcome(0x0a), "0102 03040506 04 000000000000000a");
  EXPECT_HEX(keys.record("b"), "0102 03040506 10 62");
  EXPECT_HEX(keys.row("b"), "0102 03040506 11 62");
  EXPECT_HEX(keys.bucket_count(0x0c), "0102 03040506 16 000000000000000c");
  EXPECT_HEX(keys.object(0x0c, "k"), "0102 03040506 20 000000000000000c 6b");
}

TEST(Golden, Generation) {
  const Installed last{5, LogIndex(0x0102), Term(3)};
  EXPECT_HEX(encode(last), "01 05000000 0201000000000000 0300000000000000");
  const Installed read = decode_installed(encode(last)).value();
  EXPECT_EQ(read.generation, 5u);
  EXPECT_EQ(read.index, LogIndex(0x0102));
  EXPECT_EQ(read.term, Term(3));
  EXPECT_TRUE(decode_installed(encode(last) + "x").is(Code::kCorrupt));
  EXPECT_TRUE(decode_installed(encode(Installed{1, LogIndex(2), Term(3)})).is(Code::kCorrupt))
      << "the first needs no record";
  EXPECT_TRUE(decode_installed("\2" + encode(last).substr(1)).is(Code::kUnsupported));
}

TEST(Golden, Stamp) {
  std::string bytes = encode(command_of(BeginDelete{"b"}, {2, 3, 4, 3}));
  stamp(bytes, at(1000));
  EXPECT_HEX(bytes, head("04") + kBucketB);
}

TEST(Placement, Vectors) {
  EXPECT_EQ(partition_of("", 1), 0u);
  EXPECT_EQ(xxh3(""), 0x2d06800538d394c2u) << "XXH3-64 with seed 0, as published";
  EXPECT_EQ(partition_of("", 16), 0x2u);
  EXPECT_EQ(shard_of_partition("", 0, 256), 0xc2u);
  EXPECT_EQ(shard_of_partition("", 0x3f, 256), 0x01u) << "wraps";
  EXPECT_EQ(shard_of("", "", 16, 256), 0xc4u);
  std::set<uint32_t> seen;
  for (uint32_t i = 0; i < 16; ++i)
    seen.insert(shard_of_partition("bucket", i, 16));
  EXPECT_EQ(seen.size(), 16u) << "partitions of a bucket never share a shard";
}

TEST(AfterPrefix, IsTheFirstKeyBehind) {
  EXPECT_EQ(Keys::after_prefix("a"), "b");
  EXPECT_EQ(Keys::after_prefix("a\xff"), "b");
  EXPECT_EQ(Keys::after_prefix("\x7f"), "\x80");
  EXPECT_EQ(Keys::after_prefix("\xff\xff"), "");
  EXPECT_EQ(Keys::after_prefix(""), "");
}

// Every decoder, over bytes that are good: cut, bent, and prolonged. Not all damage can be seen
// here (checksums are the log's and the connection's), but none may crash, and length errors always
// show.
template <typename Decode>
void damage(const std::string& good, Decode&& decode) {
  ASSERT_TRUE(decode(good).ok()) << to_hex(good);
  each_truncation(good, [&](const std::string& bytes) {
    EXPECT_TRUE(decode(bytes).is(Code::kCorrupt)) << to_hex(bytes);
  });
  EXPECT_TRUE(decode(good + "x").is(Code::kCorrupt));
  each_flip(good, [&](const std::string& bytes) {
    const auto result = decode(bytes);
    EXPECT_TRUE(result.ok() || result.is(Code::kCorrupt) || result.is(Code::kUnsupported))
        << result.status().to_string();
  });
  std::string later = good;
  later[0] = 2;
  EXPECT_TRUE(decode(later).is(Code::kUnsupported));
}

TEST(Damage, Commands) {
  const auto decode = [](std::string_view bytes) { return decode_command(bytes); };
  Put full = put("key", "body");
  full.attributes = {"e", {{"H", "v"}}, {{"u", "w"}}, {{"crc32", "AA"}}};
  damage(encoded(full), decode);
  damage(encoded(Delete{"b", 5, 6, "k"}), decode);
  damage(encoded(some_delete_if()), decode);
  PutIf put_if;
  static_cast<Put&>(put_if) = full;
  put_if.when.absent = true;
  damage(encoded(put_if), decode);
  damage(encoded(CreateBucket{"b", 16}), decode);
  damage(encoded(CreateCountedBucket{"b", 16, 7, 1000}), decode);
  damage(encoded(DecideDelete{"b", 5, 6, true}), decode);
  damage(encoded(row_as<RemoveRow>(5, 6)), decode);
  std::string unknown = encoded(BeginDelete{"b"});
  unknown[1] = static_cast<char>(std::variant_size_v<Payload>);
  EXPECT_TRUE(decode_command(unknown).is(Code::kUnsupported));
}

TEST(Damage, Queries) {
  const auto decode = [](std::string_view bytes) { return decode_query(bytes); };
  damage(encode_query(GetObject{"b", 5, 6, "k"}), decode);
  damage(encode_query(ListPartition{"b", 5, 6, "p", "/", "a", true, 7}), decode);
  damage(encode_query(GetBucket{"b"}), decode);
  std::string unknown = encode_query(ListBuckets{});
  unknown[1] = static_cast<char>(std::variant_size_v<Query>);
  EXPECT_TRUE(decode_query(unknown).is(Code::kUnsupported));
  Replica r;
  EXPECT_TRUE(r.shard.query(r.kv, "garbage").is(Code::kUnsupported));
}

TEST(Damage, Answers) {
  Reply reply;
  reply.message = "m";
  reply.bucket = bucket_record();
  damage(encode(reply), [](std::string_view bytes) { return decode_reply(bytes); });
  damage(encode(GetObjectReply{Code::kOk, Detail::kNone, 9, object_record()}),
         [](std::string_view bytes) { return decode_get_object_reply(bytes); });
  damage(encode(listing()),
         [](std::string_view bytes) { return decode_list_partition_reply(bytes); });
  damage(encode(GetBucketReply{bucket_record()}),
         [](std::string_view bytes) { return decode_get_bucket_reply(bytes); });
  for (const char* next : {"b", "c"}) {
    damage(encode(ListBucketsReply{{bucket_record()}, true, next}),
           [](std::string_view bytes) { return decode_list_buckets_reply(bytes); });
  }
}

// A reader that goes on from there must come further.
TEST(Damage, AListOfBucketsThatLeadsNowhere) {
  const std::string record = std::string("01 01000000") + kBucketRecord;
  for (const std::string& hex :
       std::vector<std::string>{"01 00000000 01",           // after the last of none
                                "01 00000000 02 00000000",  // after no name
                                record + "02 01000000 61",  // back
                                record + "02 01000000 62",  // the other encoding of 01
                                record + "03 01000000 63"}) {
    EXPECT_TRUE(decode_list_buckets_reply(from_hex(hex)).is(Code::kCorrupt)) << hex;
  }
}

TEST(Damage, LengthsThatLieCostNothing) {
  std::string list = encode(listing());
  store_le(list.data() + 3, uint32_t{0xffffffff});
  EXPECT_TRUE(decode_list_partition_reply(list).is(Code::kCorrupt));
  // As many items as bytes: within the bound, and still not there.
  std::string padded = from_hex("01 00 00 00000100") + std::string(65536, '\0');
  EXPECT_TRUE(decode_list_partition_reply(padded).is(Code::kCorrupt));
}

TEST(RoundTrip, AnyPut) {
  drumlin::test::hold([] {
    Put in;
    const auto body = *rc::gen::arbitrary<std::string>();
    in.bucket = *rc::gen::arbitrary<std::string>();
    in.incarnation = *rc::gen::arbitrary<uint64_t>();
    in.epoch = *rc::gen::arbitrary<uint64_t>();
    in.key = *rc::gen::arbitrary<std::string>();
    in.attributes.etag = *rc::gen::arbitrary<std::string>();
    in.attributes.headers = *rc::gen::arbitrary<Pairs>();
    in.attributes.user = *rc::gen::arbitrary<Pairs>();
    in.attributes.checksums = *rc::gen::arbitrary<Pairs>();
    in.body = body;
    const Session session{*rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>(),
                          *rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>()};
    const WallTime time = at(*rc::gen::arbitrary<int64_t>());
    const std::string bytes = encode(command_of(in, session, time));
    const auto out = decode_command(bytes);
    RC_ASSERT(out.ok());
    RC_ASSERT(out->log_time == time);
    RC_ASSERT(out->session.node == session.node && out->session.low_water == session.low_water);
    const Put& got = std::get<Put>(out->payload);
    RC_ASSERT(got.bucket == in.bucket && got.key == in.key && got.body == in.body);
    RC_ASSERT(got.attributes.headers == in.attributes.headers);
    RC_ASSERT(got.attributes.user == in.attributes.user);
    RC_ASSERT(got.attributes.checksums == in.attributes.checksums);
    RC_ASSERT(encode(*out) == bytes);
  });
}

TEST(RoundTrip, AnyBytesThatDecodeEncodeToThemselves) {
  drumlin::test::hold(
      [] {
        // Near-valid: a good command with some bytes overwritten.
        std::string bytes = encoded(DecideDelete{"bucket", 5, 6, true});
        const auto hits = *rc::gen::container<std::vector<std::pair<uint8_t, char>>>(
            rc::gen::arbitrary<std::pair<uint8_t, char>>());
        for (const auto& [where, what] : hits)
          bytes[where % bytes.size()] = what;
        const auto command = decode_command(bytes);
        if (command.ok()) RC_ASSERT(encode(*command) == bytes);
        const auto reply = decode_reply(bytes);
        if (reply.ok()) RC_ASSERT(encode(*reply) == bytes);
        const auto query = decode_query(bytes);
        if (query.ok()) RC_ASSERT(encode_query(*query) == bytes);
      },
      1000);
}

}  // namespace
}  // namespace drumlin::shard::test
