// RaftChecker: each promise broken by hand, and kept by hand.
#include <gtest/gtest.h>

#include "sim/check/raft_checker.h"

namespace drumlin::sim {
namespace {

const GroupId kGroup(0);
const NodeId kA(1), kB(2), kC(3);

class RaftCheckerTest : public ::testing::Test {
 protected:
  static raft::Entry entry(uint64_t term, uint64_t index) {
    return {Term(term), LogIndex(index), raft::EntryKind::kCommand, Blob("x")};
  }
  static raft::Message message(raft::MessageType type, NodeId from, NodeId to, uint64_t term,
                               uint64_t index = 0) {
    raft::Message m;
    m.type = type;
    m.from = from;
    m.to = to;
    m.term = Term(term);
    m.index = LogIndex(index);
    return m;
  }
  // The entry is in the node's log and, if said so, on its disk.
  void append(NodeId node, uint64_t term, uint64_t index, bool durable) {
    const raft::Entry e = entry(term, index);
    checker.appended(node, kGroup, {&e, 1});
    if (durable) checker.durable(node, kGroup, LogIndex(index), Term(term));
  }
  void commit(NodeId node, uint64_t term, uint64_t index, Term leading = {}) {
    checker.committed(node, kGroup, LogIndex(index), Term(term), leading);
  }
  void elect(NodeId node, uint64_t term) {
    for (const NodeId voter : {node, node == kA ? kB : kA})
      checker.voted(voter, kGroup, Term(term), node);
    checker.became_leader(node, kGroup, Term(term), LogIndex(0));
  }
  std::string verdict() const { return verdict_.violated() ? verdict_.checker() : "fine"; }

  Verdict verdict_;
  bool on_platter = true;
  RaftChecker checker{
      verdict_, {{kGroup, {kA, kB, kC}}}, [this](NodeId, GroupId, LogIndex) { return on_platter; }};
};

TEST_F(RaftCheckerTest, AnOrdinaryLifeIsFine) {
  checker.voted(kA, kGroup, Term(1), kA);
  checker.voted(kB, kGroup, Term(1), kA);
  checker.sending(kB, kGroup, message(raft::MessageType::kVoteReply, kB, kA, 1));
  checker.became_leader(kA, kGroup, Term(1), LogIndex(0));
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  checker.sending(kB, kGroup, message(raft::MessageType::kAppendReply, kB, kA, 1, 1));
  commit(kA, 1, 1);
  checker.applied(kA, kGroup, LogIndex(1), Term(1), "x", "ok");
  checker.applied(kB, kGroup, LogIndex(1), Term(1), "x", "ok");
  EXPECT_EQ(verdict(), "fine");
  EXPECT_EQ(checker.committed(kGroup), LogIndex(1));
  for (const char* name :
       {"vote", "gate", "election", "completeness", "durability", "commit", "apply"}) {
    EXPECT_TRUE(verdict_.evaluations().contains(name)) << name;
  }
}

TEST_F(RaftCheckerTest, TwoLeadersOfATerm) {
  elect(kA, 2);
  EXPECT_EQ(verdict(), "fine");
  checker.became_leader(kB, kGroup, Term(2), LogIndex(0));
  EXPECT_EQ(verdict(), "election");
}

TEST_F(RaftCheckerTest, ASecondVoteInATerm) {
  checker.voted(kC, kGroup, Term(2), kA);
  checker.voted(kC, kGroup, Term(2), kB);
  EXPECT_EQ(verdict(), "vote");
}

TEST_F(RaftCheckerTest, AVoteGrantedBeforeTheDiskHasIt) {
  checker.sending(kB, kGroup, message(raft::MessageType::kVoteReply, kB, kA, 1));
  EXPECT_EQ(verdict(), "gate");
}

TEST_F(RaftCheckerTest, AnAcknowledgementBeforeTheDiskHasTheEntry) {
  append(kB, 1, 1, false);
  checker.sending(kB, kGroup, message(raft::MessageType::kAppendReply, kB, kA, 1, 1));
  EXPECT_EQ(verdict(), "gate");
}

TEST_F(RaftCheckerTest, AnAcknowledgementOfAnEntryThatWasReplacedOnlyInMemory) {
  append(kB, 1, 1, true);
  append(kB, 2, 1, false);
  checker.sending(kB, kGroup, message(raft::MessageType::kAppendReply, kB, kA, 2, 1));
  EXPECT_EQ(verdict(), "gate");
}

TEST_F(RaftCheckerTest, CalledDurableButNotOnThePlatter) {
  on_platter = false;
  append(kA, 1, 1, true);
  EXPECT_EQ(verdict(), "durability");
}

TEST_F(RaftCheckerTest, CommittedOnAMinorityOfDisks) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, false);
  commit(kA, 1, 1);
  EXPECT_EQ(verdict(), "durability");
}

TEST_F(RaftCheckerTest, TheSameIndexCommittedWithTwoTerms) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  commit(kA, 1, 1);
  append(kC, 2, 1, true);
  commit(kC, 2, 1);
  EXPECT_EQ(verdict(), "commit");
}

TEST_F(RaftCheckerTest, ALeaderThatCountsAnEntryOfAFormerTerm) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  commit(kA, 1, 1, Term(2));
  EXPECT_EQ(verdict(), "commit");
}

TEST_F(RaftCheckerTest, ACommitIndexThatFalls) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  append(kA, 1, 2, true);
  append(kB, 1, 2, true);
  commit(kA, 1, 2);
  commit(kA, 1, 1);
  EXPECT_EQ(verdict(), "commit");
}

TEST_F(RaftCheckerTest, ANewLeaderWithoutACommittedEntry) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  commit(kA, 1, 1);
  elect(kC, 2);
  EXPECT_EQ(verdict(), "completeness");
}

TEST_F(RaftCheckerTest, ALeaderWithoutAMajorityOfVotesOnDisk) {
  checker.voted(kA, kGroup, Term(1), kA);
  checker.became_leader(kA, kGroup, Term(1), LogIndex(0));
  EXPECT_EQ(verdict(), "election");
}

// A candidate of term 1 is paused with its victory unheard; term 2 goes on without it.
TEST_F(RaftCheckerTest, ALateLeaderOfAnEarlierTermNeedNotHaveWhatCameSince) {
  for (const NodeId voter : {kA, kB})
    checker.voted(voter, kGroup, Term(1), kA);
  elect(kB, 2);
  append(kB, 2, 1, true);
  append(kC, 2, 1, true);
  checker.committed(kB, kGroup, LogIndex(1), Term(2), Term(2));
  checker.became_leader(kA, kGroup, Term(1), LogIndex(0));
  EXPECT_EQ(verdict(), "fine");
  checker.voted(kC, kGroup, Term(3), kA);
  checker.voted(kA, kGroup, Term(3), kA);
  checker.became_leader(kA, kGroup, Term(3), LogIndex(0));
  EXPECT_EQ(verdict(), "completeness");
}

TEST_F(RaftCheckerTest, AppliedBeforeTheOwnDiskHasIt) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  append(kC, 1, 1, false);
  commit(kA, 1, 1);
  checker.applied(kC, kGroup, LogIndex(1), Term(1), "x", "ok");
  EXPECT_EQ(verdict(), "apply");
}

TEST_F(RaftCheckerTest, AProposerHearsItsOwnReplyAndNoOther) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  commit(kA, 1, 1);
  checker.applied(kA, kGroup, LogIndex(1), Term(1), "x", "ok");
  checker.acknowledged(kA, kGroup, LogIndex(1), Term(1), "ok");
  EXPECT_EQ(verdict(), "fine");
  checker.acknowledged(kB, kGroup, LogIndex(1), Term(2), "ok");
  EXPECT_EQ(verdict(), "acknowledge");
}

TEST_F(RaftCheckerTest, AReadServedBeforeItsIndexIsApplied) {
  checker.read_served(kA, kGroup, LogIndex(3), LogIndex(3));
  EXPECT_EQ(verdict(), "fine");
  checker.read_served(kA, kGroup, LogIndex(3), LogIndex(2));
  EXPECT_EQ(verdict(), "read");
}

TEST_F(RaftCheckerTest, TwoNodesThatApplyDifferently) {
  append(kA, 1, 1, true);
  append(kB, 1, 1, true);
  commit(kA, 1, 1);
  checker.applied(kA, kGroup, LogIndex(1), Term(1), "x", "ok");
  checker.applied(kB, kGroup, LogIndex(1), Term(1), "x", "refused");
  EXPECT_EQ(verdict(), "apply");
}

TEST_F(RaftCheckerTest, AppliedWithoutCommit) {
  checker.applied(kA, kGroup, LogIndex(1), Term(1), "x", "ok");
  EXPECT_EQ(verdict(), "apply");
}

TEST_F(RaftCheckerTest, ADiskThatComesBackWithoutWhatItHeld) {
  append(kA, 1, 1, true);
  checker.recovered(kA, kGroup, raft::HardState{Term(1), NodeId()}, raft::Log(1000));
  EXPECT_EQ(verdict(), "recovery");
}

TEST_F(RaftCheckerTest, ADiskThatForgetsItsVote) {
  checker.voted(kA, kGroup, Term(3), kB);
  checker.recovered(kA, kGroup, raft::HardState{Term(2), NodeId()}, raft::Log(1000));
  EXPECT_EQ(verdict(), "recovery");
}

TEST_F(RaftCheckerTest, WhatWasNeverDurableMayBeGone) {
  append(kA, 1, 1, false);
  checker.recovered(kA, kGroup, raft::HardState{Term(1), NodeId()}, raft::Log(1000));
  EXPECT_EQ(verdict(), "fine");
}

}  // namespace
}  // namespace drumlin::sim
