// From the records of the log to the Raft logs of the groups.
#include "replica/recovery.h"

#include <gtest/gtest.h>

#include <optional>

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
  ASSERT_TRUE(gap.visit(record(1, 3, 1)).ok()) << "a mark may follow";
  EXPECT_TRUE(gap.finish().is(Code::kCorrupt));
  RecoveredLogs term({GroupId(1)}, kCache);
  ASSERT_TRUE(term.visit(record(1, 1, 5)).ok());
  EXPECT_TRUE(term.visit(record(1, 2, 4)).is(Code::kCorrupt));
}

// What is left of the log of group 1; `ends` is what it must be: start, term there, last. No last: kCorrupt.
struct Front {
  const char* name;
  std::vector<wal::Record> records;
  uint64_t start;
  uint64_t start_term;
  std::optional<uint64_t> last;
};

wal::Record mark(uint64_t index, uint64_t term) {
  return mark_of(GroupId(1), LogIndex(index), Term(term));
}

TEST(RecoveredLogs, ALogThatWasCutBeginsWhereAMarkSays) {
  const std::vector<Front> fronts = {
      {"cut inside the log",
       {record(1, 1, 1), record(1, 2, 2), record(1, 3, 2), mark(2, 2)},
       2,
       2,
       3},
      {"files gone up to the mark", {record(1, 6, 2), record(1, 7, 2), mark(5, 1)}, 5, 1, 7},
      {"marked further than the files went",
       {record(1, 6, 2), record(1, 7, 3), mark(6, 2)},
       6,
       2,
       7},
      {"marked at its end", {record(1, 6, 2), record(1, 7, 3), mark(7, 3)}, 7, 3, 7},
      {"nothing but the mark", {mark(9, 4)}, 9, 4, 9},
      {"entries after the mark", {mark(9, 4), record(1, 10, 4)}, 9, 4, 10},
      {"entries between two marks are in files that are gone",
       {mark(4, 1), record(1, 8, 2), record(1, 9, 2), mark(8, 2)},
       8,
       2,
       9},
      {"begins with what replaces older ones",
       {record(1, 6, 2), record(1, 4, 3), mark(3, 1)},
       3,
       1,
       4},
      {"no mark", {record(1, 6, 2)}, 0, 0, std::nullopt},
      {"the mark is too old", {mark(4, 1), record(1, 8, 2)}, 0, 0, std::nullopt},
      {"only a mark before it", {record(1, 6, 2), mark(4, 1)}, 0, 0, std::nullopt},
      {"a snapshot took the log's place", {record(1, 1, 1), record(1, 2, 1), mark(2, 3)}, 2, 3, 2},
      {"a snapshot beyond the log", {record(1, 1, 1), mark(8, 3), record(1, 9, 3)}, 8, 3, 9},
  };
  for (const Front& front : fronts) {
    SCOPED_TRACE(front.name);
    RecoveredLogs logs({GroupId(1)}, kCache);
    for (const wal::Record& r : front.records)
      ASSERT_TRUE(logs.visit(r).ok());
    ASSERT_EQ(logs.finish().is(Code::kCorrupt), !front.last);
    if (!front.last) continue;
    const raft::Log log = logs.take(GroupId(1));
    EXPECT_EQ(log.start(), LogIndex(front.start));
    EXPECT_EQ(log.term_at(log.start()), Term(front.start_term));
    EXPECT_EQ(log.last_index(), LogIndex(*front.last));
  }
}

TEST(RecoveredLogs, AMalformedMarkIsCorrupt) {
  for (const std::string& data : {std::string("short"), std::string(9, 'x')}) {
    RecoveredLogs logs({GroupId(1)}, kCache);
    wal::Record bad = mark(1, 1);
    bad.data = Blob(data);
    EXPECT_TRUE(logs.visit(bad).is(Code::kCorrupt));
  }
}

TEST(RecoveredLogs, UnknownKindIsNotAnEntry) {
  RecoveredLogs logs({GroupId(1)}, kCache);
  wal::Record strange = record(1, 1, 1);
  strange.kind = 9;
  EXPECT_TRUE(logs.visit(strange).is(Code::kUnsupported));
}

}  // namespace
}  // namespace drumlin::replica
