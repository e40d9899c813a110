// What the inspector says of sound and of damaged files.
#include "wal/explain.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "log_fixture.h"
#include "wal/hardstate.h"
#include "wal/superblock.h"

namespace drumlin::wal::test {
namespace {

struct Said {
  Status status;
  std::string text;
};

Said said(const std::string& bytes, bool records = true) {
  Said out;
  out.status = explain(bytes, {records}, [&](const std::string& line) { out.text += line + "\n"; });
  return out;
}

// A log of three batches.
std::string log_file() {
  Boot boot;
  EXPECT_TRUE(boot.open());
  EXPECT_TRUE(boot.append({entry(7, 1, 3, "hello"), entry(8, 4, 3, "")}));
  std::string where;
  Writer(where).u64(4);
  EXPECT_TRUE(boot.append({Record{GroupId(8), 3, Term(3), LogIndex(0), Blob(where)}}));
  EXPECT_TRUE(boot.close());
  return boot.image().files.at(first_file());
}

bool has(const Said& what, std::string_view text) {
  return what.text.find(text) != std::string::npos;
}

TEST(Explain, ALogRecordByRecord) {
  const Said out = said(log_file());
  EXPECT_TRUE(out.status.ok()) << out.status.to_string();
  EXPECT_TRUE(has(out, "log file: begins with record 1,")) << out.text;
  EXPECT_TRUE(has(out, "batch: records 1..2, ")) << out.text;
  EXPECT_TRUE(has(out, "group 7    index 1        term 3     no-op of a new leader, 5 bytes"))
      << out.text;
  EXPECT_TRUE(has(out, "group 8    mark: its log begins after index 4, of term 3")) << out.text;
  EXPECT_TRUE(has(out, "marker: all before it is durable")) << out.text;
  EXPECT_TRUE(has(out, "end: 3 batches, 3 records, the next is record 5")) << out.text;
  const Said batches = said(log_file(), /*records=*/false);
  EXPECT_FALSE(has(batches, "index 1 ")) << batches.text;
  EXPECT_TRUE(has(batches, "end: 3 batches, 3 records")) << batches.text;
}

TEST(Explain, SpaceTakenAheadIsNoDamage) {
  const Said out = said(log_file() + std::string(1000, '\0'));
  EXPECT_TRUE(out.status.ok()) << out.status.to_string();
  EXPECT_TRUE(has(out, "1000 bytes of zeros: space taken ahead")) << out.text;
}

TEST(Explain, EveryFlippedByteOfALogIsTold) {
  const std::string good = log_file();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    const Said out = said(bad);
    EXPECT_FALSE(out.status.ok()) << i << "\n" << out.text;
  }
}

TEST(Explain, DamageInTheMiddleIsSteppedOver) {
  std::string bad = log_file();
  bad[kFileHeaderBytes + 100] = static_cast<char>(bad[kFileHeaderBytes + 100] ^ 1);
  const Said out = said(bad);
  EXPECT_TRUE(out.status.is(Code::kCorrupt));
  EXPECT_TRUE(has(out, "DAMAGED up to ")) << out.text;
  EXPECT_TRUE(has(out, "mark: its log begins after index 4")) << out.text;
}

// Sound only where a batch ends: nobody can know that there was more.
TEST(Explain, ALogThatIsCutShort) {
  const std::string good = log_file();
  size_t sound = 0;
  for (size_t n = 4; n < good.size(); ++n)
    sound += said(good.substr(0, n)).status.ok() ? 1 : 0;
  EXPECT_EQ(sound, 3u) << "after the header, the first batch and the second";
}

TEST(Explain, HardState) {
  Machine machine;
  ASSERT_TRUE(machine.run([&] {
    auto store = HardStateStore::open(machine, machine.observer(), {}, 3);
    (*store)->put(GroupId(1), {Term(7), NodeId(3)});
    (*store)->put(GroupId(2), {Term(8), NodeId()});
    ASSERT_TRUE((*store)->close().ok());
  }));
  std::string file = machine.disk().image().files.at("hardstate.a");
  const Said out = said(file);
  EXPECT_TRUE(out.status.ok()) << out.status.to_string();
  EXPECT_TRUE(has(out, "@64 group 0: never written")) << out.text;
  EXPECT_TRUE(has(out, "@128 group 1: term 7, vote for node 3, change 1")) << out.text;
  EXPECT_TRUE(has(out, "@192 group 2: term 8, no vote, change 1")) << out.text;
  file[130] = static_cast<char>(file[130] ^ 1);
  const Said damaged = said(file);
  EXPECT_TRUE(damaged.status.is(Code::kCorrupt));
  EXPECT_TRUE(has(damaged, "group 1: DAMAGED")) << damaged.text;
  EXPECT_TRUE(has(damaged, "group 2: term 8")) << damaged.text;
  EXPECT_FALSE(said(file.substr(0, 100)).status.ok());
}

TEST(Explain, TheSuperblock) {
  Superblock first;
  first.node = NodeId(2);
  first.boot_id = "boot";
  first.kv_engine = "rocksdb";
  first.peers[NodeId(3)] = 9;
  Machine machine;
  ASSERT_TRUE(machine.run(
      [&] { ASSERT_TRUE(SuperblockStore::format(machine, machine.observer(), first).ok()); }));
  std::string file = machine.disk().image().files.at(SuperblockStore::kPath);
  const Said out = said(file);
  EXPECT_TRUE(out.status.ok()) << out.status.to_string();
  EXPECT_TRUE(has(out, "  node         2, not admitted yet")) << out.text;
  EXPECT_TRUE(has(out, "  peer 3 was last seen as incarnation 9")) << out.text;
  file[SuperblockStore::kCopyBytes + 40] = '!';
  const Said damaged = said(file);
  EXPECT_TRUE(damaged.status.is(Code::kCorrupt));
  EXPECT_TRUE(has(damaged, "copy 1: DAMAGED")) << damaged.text;
  EXPECT_TRUE(has(damaged, "  node         2")) << damaged.text << "two others agree";
}

TEST(Explain, NoFileOfOurs) {
  EXPECT_TRUE(said("").status.is(Code::kInvalidArgument));
  EXPECT_TRUE(said("PNG and so on").status.is(Code::kInvalidArgument));
}

}  // namespace
}  // namespace drumlin::wal::test
