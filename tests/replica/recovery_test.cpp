// From the records of the log to the Raft logs of the groups.
#include "replica/recovery.h"

#include <gtest/gtest.h>

namespace drumlin::replica {
namespace {

constexpr size_t kCache = 1 << 20;

wal::Record record(uint64_t group, uint64_t index, uint64_t term, std::string data = "x") {
  return {GroupId(group), static_cast<uint8_t>(raft::EntryKind::kCommand), Term(term),
          LogIndex(index), Blob(std::move(data))};
}

TEST(RecoveredLogs, SortsTheRecordsOfManyGroups) {
  RecoveredLogs logs({GroupId(1), GroupId(2), GroupId(3)}, kCache);
  for (const wal::Record& r :
       {record(1, 1, 1), record(2, 1, 4), record(1, 2, 1), record(2, 2, 5)}) {
    ASSERT_TRUE(logs.visit(r).ok());
  }
  EXPECT_EQ(logs.records(), 4u);
  const raft::Log one = logs.take(GroupId(1));
  const raft::Log two = logs.take(GroupId(2));
  EXPECT_EQ(one.last_index(), LogIndex(2));
  EXPECT_EQ(one.last_term(), Term(1));
  EXPECT_EQ(two.last_index(), LogIndex(2));
  EXPECT_EQ(two.term_at(LogIndex(1)), Term(4));
  EXPECT_EQ(two.last_term(), Term(5));
  EXPECT_EQ(logs.take(GroupId(3)).last_index(), LogIndex(0)) << "nothing was ever written";
}

TEST(RecoveredLogs, LaterRecordReplacesWhatItOverwrote) {
  RecoveredLogs logs({GroupId(1)}, kCache);
  for (const wal::Record& r :
       {record(1, 1, 1), record(1, 2, 1, "old"), record(1, 3, 1, "old"), record(1, 2, 2, "new")}) {
    ASSERT_TRUE(logs.visit(r).ok());
  }
  const raft::Log log = logs.take(GroupId(1));
  EXPECT_EQ(log.last_index(), LogIndex(2));
  EXPECT_EQ(log.cached(LogIndex(2))->data.view(), "new");
  EXPECT_FALSE(log.cached(LogIndex(3)));
}

TEST(RecoveredLogs, KeepsKindTermAndData) {
  RecoveredLogs logs({GroupId(1)}, kCache);
  wal::Record noop = record(1, 1, 3, "");
  noop.kind = static_cast<uint8_t>(raft::EntryKind::kNoop);
  ASSERT_TRUE(logs.visit(noop).ok());
  const raft::Entry expected{Term(3), LogIndex(1), raft::EntryKind::kNoop, Blob()};
  EXPECT_EQ(logs.take(GroupId(1)).cached(LogIndex(1)), expected);
}

TEST(RecoveredLogs, AGroupThatIsNotOursIsNotLostUnseen) {
  RecoveredLogs logs({GroupId(1)}, kCache);
  const Status status = logs.visit(record(7, 1, 1));
  EXPECT_TRUE(status.is(Code::kCorrupt));
  EXPECT_NE(status.message().find("shard 7"), std::string::npos) << status.message();
}

TEST(RecoveredLogs, GapsAndFallingTermsAreCorrupt) {
  RecoveredLogs gap({GroupId(1)}, kCache);
  ASSERT_TRUE(gap.visit(record(1, 1, 1)).ok());
  EXPECT_TRUE(gap.visit(record(1, 3, 1)).is(Code::kCorrupt));
  RecoveredLogs term({GroupId(1)}, kCache);
  ASSERT_TRUE(term.visit(record(1, 1, 5)).ok());
  EXPECT_TRUE(term.visit(record(1, 2, 4)).is(Code::kCorrupt));
}

TEST(RecoveredLogs, UnknownKindIsNotAnEntry) {
  RecoveredLogs logs({GroupId(1)}, kCache);
  wal::Record strange = record(1, 1, 1);
  strange.kind = 9;
  EXPECT_TRUE(logs.visit(strange).is(Code::kUnsupported));
}

}  // namespace
}  // namespace drumlin::replica
