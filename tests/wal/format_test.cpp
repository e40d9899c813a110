// wal: golden bytes of every file. They were made from the documented layouts by a program of its
// own; when one of these fails a format has changed, and that needs a new version number.
#include <gtest/gtest.h>

#include "base/digest.h"
#include "log_fixture.h"
#include "wal/hardstate.h"
#include "wal/superblock.h"

namespace drumlin::wal::test {
namespace {

TEST(Format, LogFile) {
  const std::string golden =
      "44725746f6bf25cd02000000000000000100000000000000010203040506070844725731ff0703ab"
      "2f152957020000008800000000000000010000000000000000000000000000000400000000000000"
      "02000000020000000100000000000000070000000201000031872fc8020100000103000000000000"
      "0001000000000000000500000068656c6c6f59c65087070000000203000000000000000900000000"
      "0000000000000000447257316558260aeece0fc80200000040000000000000000300000000000000"
      "0200000000000000040000000000000000000000000000000100000000000000";
  Wal::Options options;
  options.epoch = 4;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  const std::vector<Record> records{
      Record{GroupId(258), 1, Term(3), LogIndex(1), Blob("hello")},
      Record{GroupId(7), 2, Term(3), LogIndex(9), Blob()},
  };
  ASSERT_TRUE(boot.append(records));
  ASSERT_TRUE(boot.close());
  const std::string file = boot.image().files.at(first_file());
  EXPECT_EQ(hex(file), golden);
  Boot again(boot.image(), options);
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.found, records);
}

TEST(Format, HardState) {
  const std::string golden =
      "44724846c3883cc60100000002000000000000000000000000000000000000000000000000000000"
      "000000000000000000000000000000000000000000000000447248539eca47150000000000000000"
      "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000447248533dddd881010000000000000007000000000000000300000000000000"
      "0100000000000000000000000000000000000000000000000000000000000000";
  Machine machine;
  ASSERT_TRUE(machine.run([&] {
    auto store = HardStateStore::open(machine, machine.observer(), {}, 2);
    (*store)->put(GroupId(1), {Term(7), NodeId(3)});
    ASSERT_TRUE((*store)->close().ok());
  }));
  EXPECT_EQ(hex(machine.disk().image().files.at("hardstate.a")), golden);
  EXPECT_EQ(hex(machine.disk().image().files.at("hardstate.b")), golden);
}

TEST(Format, SuperblockFile) {
  const std::string golden_0 =
      "44725342ec860dba0100000000000000020000000000000069000000000000000001020304050607"
      "08090a0b0c0d0e0f020000000000000005000000000000000900000000000000010003000000622d"
      "31060000006d656d6f727906000000007461626c6502000000010000000000000004000000000000"
      "0003000000000000000600000000000000";
  const std::string golden_3 =
      "447253426c2181090100000003000000020000000000000069000000000000000001020304050607"
      "08090a0b0c0d0e0f020000000000000005000000000000000900000000000000010003000000622d"
      "31060000006d656d6f727906000000007461626c6502000000010000000000000004000000000000"
      "0003000000000000000600000000000000";
  Superblock s;
  for (size_t i = 0; i < s.cluster_id.size(); ++i)
    s.cluster_id[i] = static_cast<unsigned char>(i);
  s.node = NodeId(2);
  s.incarnation = 5;
  s.boot_counter = 9;
  s.boot_id = "b-1";
  s.clean = true;
  s.shard_table = std::string("\0table", 6);
  s.kv_engine = "memory";
  s.peers = {{NodeId(3), 6}, {NodeId(1), 4}};
  Machine machine;
  ASSERT_TRUE(machine.run([&] {
    auto store = SuperblockStore::format(machine, machine.observer(), {});
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    ASSERT_TRUE((*store)->update(s).ok());
  }));
  const std::string file = machine.disk().image().files.at("superblock");
  ASSERT_EQ(file.size(), 4 * SuperblockStore::kCopyBytes);
  const auto copy = [&](size_t i) {
    return file.substr(i * SuperblockStore::kCopyBytes, SuperblockStore::kCopyBytes);
  };
  EXPECT_EQ(hex(copy(0).substr(0, golden_0.size() / 2)), golden_0);
  EXPECT_EQ(hex(copy(3).substr(0, golden_3.size() / 2)), golden_3);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(copy(i).find_first_not_of('\0', golden_0.size() / 2), std::string::npos);
  }
}

TEST(Format, LimitsOfABatchHeader) {
  const Record record = entry(1, 1, 1, "x");
  const std::string good = encode(BatchPlan({&record}), 5, Lsn(4), {Lsn(3), Lsn(1), 2}).bytes;
  ASSERT_TRUE(decode_batch_header(good, 5).ok());
  EXPECT_EQ(good.size() % kBatchAlignment, 0u);
  EXPECT_FALSE(decode_batch_header(good, 6).ok());  // another file's salt
  for (size_t n = 0; n < kBatchFixedBytes + 4; ++n) {
    EXPECT_TRUE(decode_batch_header(good.substr(0, n), 5).is(Code::kCorrupt)) << n;
  }
  // Durable at or beyond its own first record cannot be.
  const std::string ahead = encode(BatchPlan({&record}), 5, Lsn(4), {Lsn(4), Lsn(1), 2}).bytes;
  EXPECT_TRUE(decode_batch_header(ahead, 5).is(Code::kCorrupt));
}

}  // namespace
}  // namespace drumlin::wal::test
