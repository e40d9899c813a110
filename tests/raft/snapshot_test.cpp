// raft: logs that were cut, followers that need what is gone, and states that take a log's place.
#include <gtest/gtest.h>

#include "raft/raft.h"

namespace drumlin::raft {
namespace {

Entry entry(uint64_t index, uint64_t term) {
  return Entry{Term(term), LogIndex(index), EntryKind::kNoop, Blob()};
}

Message from_2(MessageType type, uint64_t term, uint64_t index = 0) {
  Message m;
  m.type = type;
  m.from = NodeId(2);
  m.to = NodeId(1);
  m.term = Term(term);
  m.index = LogIndex(index);
  return m;
}

struct SnapshotTest : ::testing::Test {
  // Node 1 of three; its log has `last` entries of term 1, all committed and applied.
  void start(uint64_t last) {
    Raft::Config config;
    config.self = NodeId(1);
    config.voters = {NodeId(1), NodeId(2), NodeId(3)};
    Log log(1u << 20);
    for (uint64_t i = 1; i <= last; ++i)
      DRUMLIN_CHECK_OK(log.restore(entry(i, 1)));
    raft.emplace(std::move(config), HardState{Term(1), NodeId()}, std::move(log), LogIndex(last));
  }
  // And the leader of term 1 has sent it `more`. The write of these, which is under way.
  uint64_t start_and_append(uint64_t last, uint64_t more) {
    start(last);
    Message append = from_2(MessageType::kAppend, 1, last);
    append.log_term = Term(1);
    for (uint64_t i = 1; i <= more; ++i)
      append.entries.push_back(entry(last + i, 1));
    raft->step(append);
    return raft->take_output().appends.at(0).id;
  }
  // Leads term 2: its no-op is the entry after `last`, durable.
  void lead() {
    while (raft->role() == Role::kFollower)
      raft->tick();
    raft->step(from_2(MessageType::kPreVoteReply, 2));
    raft->hard_state_persisted(*raft->take_output().hard_state);
    raft->step(from_2(MessageType::kVoteReply, 2));
    ASSERT_EQ(raft->role(), Role::kLeader);
    raft->log_persisted(raft->take_output().appends.at(0).id);
    (void)raft->take_output();
  }
  void reject(uint64_t index, uint64_t hint) {
    Message m = from_2(MessageType::kAppendReply, 2, index);
    m.reject = true;
    m.hint_index = LogIndex(hint);
    m.hint_term = Term(hint == 0 ? 0 : 1);
    raft->step(m);
  }
  const Progress& peer() const { return raft->progress().at(NodeId(2)); }
  // Appends for node 2 in what has come out.
  static size_t appends(const Output& output) {
    size_t n = 0;
    for (const Message& m : output.messages)
      n += m.type == MessageType::kAppend && m.to == NodeId(2) ? 1 : 0;
    return n;
  }
  std::optional<Raft> raft;
};

TEST_F(SnapshotTest, AFollowerThatNeedsWhatWasCutGetsASnapshotAndNothingElse) {
  start(10);
  lead();
  raft->compact(LogIndex(8));
  reject(10, 3);
  Output output = raft->take_output();
  ASSERT_EQ(output.snapshots.size(), 1u);
  EXPECT_EQ(output.snapshots[0].peer, NodeId(2));
  EXPECT_EQ(appends(output), 0u);
  (void)raft->propose(Blob("x"));
  raft->step(from_2(MessageType::kHeartbeatReply, 2));
  reject(10, 3);
  output = raft->take_output();
  EXPECT_EQ(appends(output), 0u) << "nothing until it has arrived";
  EXPECT_TRUE(output.snapshots.empty());

  raft->snapshot_sent({NodeId(2), Term(2)}, LogIndex(10));
  output = raft->take_output();
  EXPECT_EQ(peer().match, LogIndex(10));
  EXPECT_EQ(appends(output), 1u) << "what comes after it";
}

TEST_F(SnapshotTest, AFollowerJustAfterTheCutDoesNot) {
  start(10);
  lead();
  raft->compact(LogIndex(8));
  reject(10, 8);
  const Output output = raft->take_output();
  EXPECT_TRUE(output.snapshots.empty());
  ASSERT_EQ(appends(output), 1u);
}

TEST_F(SnapshotTest, AfterAFailureTheNextHeartbeatTriesAgain) {
  start(10);
  lead();
  raft->compact(LogIndex(8));
  reject(10, 0);
  ASSERT_EQ(raft->take_output().snapshots.size(), 1u);
  raft->snapshot_sent({NodeId(2), Term(2)}, LogIndex());
  EXPECT_TRUE(raft->take_output().snapshots.empty());
  raft->step(from_2(MessageType::kHeartbeatReply, 2));
  EXPECT_EQ(raft->take_output().snapshots.size(), 1u);
}

TEST_F(SnapshotTest, TheEndOfOneForAnEarlierTermChangesNothing) {
  start(10);
  lead();
  raft->compact(LogIndex(8));
  reject(10, 0);
  (void)raft->take_output();
  raft->snapshot_sent({NodeId(2), Term(1)}, LogIndex(10));
  EXPECT_EQ(peer().state, Progress::State::kSnapshot);
  EXPECT_EQ(peer().match, LogIndex());
}

TEST_F(SnapshotTest, AFollowerThatCatchesUpWithoutItGoesOn) {
  start(10);
  lead();
  raft->compact(LogIndex(8));
  reject(10, 0);
  (void)raft->take_output();
  raft->step(from_2(MessageType::kAppendReply, 2, 9));
  EXPECT_EQ(peer().state, Progress::State::kReplicate);
  EXPECT_EQ(peer().match, LogIndex(9));
}

// A window that was sent before the cut and lost: the entry before the next one is not known any more.
TEST_F(SnapshotTest, ALostWindowBehindTheCutEndsInASnapshot) {
  start(4);
  lead();
  raft->step(from_2(MessageType::kAppendReply, 2, 5));
  ASSERT_EQ(peer().state, Progress::State::kReplicate);
  Message of_3 = from_2(MessageType::kAppendReply, 2, 5);
  of_3.from = NodeId(3);
  for (uint64_t i = 6; i <= 9; ++i) {
    ASSERT_TRUE(raft->propose(Blob("x")).ok());
    raft->log_persisted(raft->take_output().appends.at(0).id);
    of_3.index = LogIndex(i);
    raft->step(of_3);
  }
  raft->applied(LogIndex(9));
  raft->compact(LogIndex(9));
  reject(9, 5);
  EXPECT_EQ(raft->take_output().snapshots.size(), 1u);
}

TEST_F(SnapshotTest, AStateBeyondTheLogTakesItsPlace) {
  start(3);
  EXPECT_TRUE(raft->install_snapshot(LogIndex(20), Term(4)));
  EXPECT_EQ(raft->log().start(), LogIndex(20));
  EXPECT_EQ(raft->last_index(), LogIndex(20));
  EXPECT_EQ(raft->commit(), LogIndex(20));
  EXPECT_EQ(raft->durable(), LogIndex(20));
  Message append = from_2(MessageType::kAppend, 5, 20);
  append.log_term = Term(4);
  append.entries = {entry(21, 5)};
  raft->step(append);
  EXPECT_EQ(raft->last_index(), LogIndex(21));
}

TEST_F(SnapshotTest, WhatFollowsItInTheLogStays) {
  const uint64_t id = start_and_append(3, 3);
  EXPECT_TRUE(raft->install_snapshot(LogIndex(5), Term(1)));
  EXPECT_EQ(raft->last_index(), LogIndex(6));
  EXPECT_EQ(raft->durable(), LogIndex(5)) << "the sixth is still being written";
  raft->log_persisted(id);
  EXPECT_EQ(raft->durable(), LogIndex(6));
}

// What was being written when the log was replaced must not count when it completes: it is another entry.
TEST_F(SnapshotTest, WhatWasBeingWrittenAndDoesNotFollowItCountsNoMore) {
  const uint64_t id = start_and_append(3, 3);
  EXPECT_TRUE(raft->install_snapshot(LogIndex(5), Term(3)));
  EXPECT_EQ(raft->last_index(), LogIndex(5));
  raft->log_persisted(id);
  EXPECT_EQ(raft->durable(), LogIndex(5));
}

TEST_F(SnapshotTest, OneThatTheLogHasAnywayChangesNothing) {
  start(10);
  EXPECT_FALSE(raft->install_snapshot(LogIndex(7), Term(1)));
  EXPECT_EQ(raft->log().start(), LogIndex());
  EXPECT_EQ(raft->commit(), LogIndex(10));
}

TEST_F(SnapshotTest, OnlyWhatIsAppliedIsCut) {
  (void)start_and_append(5, 1);
  EXPECT_DEATH(raft->compact(LogIndex(6)), "CHECK failed");
}

}  // namespace
}  // namespace drumlin::raft
