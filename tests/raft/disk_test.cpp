// raft: a disk that hangs costs a leadership, and wins none.
#include <gtest/gtest.h>

#include "raft/raft.h"

namespace drumlin::raft {
namespace {

Raft raft_of(std::vector<NodeId> voters) {
  Raft::Config config;
  config.self = NodeId(1);
  config.voters = std::move(voters);
  return Raft(std::move(config), {}, Log(1u << 20), LogIndex());
}

Message grant(MessageType type) {
  Message m;
  m.type = type;
  m.from = NodeId(2);
  m.to = NodeId(1);
  m.term = Term(1);
  return m;
}

void lead(Raft& raft) {
  while (raft.role() == Role::kFollower)
    raft.tick();
  raft.step(grant(MessageType::kPreVoteReply));
  raft.hard_state_persisted(*raft.take_output().hard_state);
  raft.step(grant(MessageType::kVoteReply));
  ASSERT_EQ(raft.role(), Role::kLeader);
}

TEST(RaftDisk, ALeaderStepsDownAndSendsNoMoreHeartbeats) {
  Raft raft = raft_of({NodeId(1), NodeId(2), NodeId(3)});
  lead(raft);
  (void)raft.take_output();
  raft.set_disk_stalled(true);
  EXPECT_EQ(raft.role(), Role::kFollower);
  EXPECT_EQ(raft.term(), Term(1)) << "it may yet follow in its own term's successor";
  EXPECT_EQ(raft.leader(), NodeId());
  for (int i = 0; i < 100; ++i)
    raft.tick();
  EXPECT_EQ(raft.role(), Role::kFollower) << "and does not campaign";
  EXPECT_TRUE(raft.take_output().messages.empty());
  EXPECT_TRUE(raft.propose(Blob("x")).is(Code::kNotLeader));
}

TEST(RaftDisk, ACandidateGivesUp) {
  Raft raft = raft_of({NodeId(1), NodeId(2), NodeId(3)});
  while (raft.role() == Role::kFollower)
    raft.tick();
  raft.set_disk_stalled(true);
  EXPECT_EQ(raft.role(), Role::kFollower);
}

TEST(RaftDisk, OnceItGoesOnTheNodeCampaignsAgain) {
  Raft raft = raft_of({NodeId(1), NodeId(2), NodeId(3)});
  raft.set_disk_stalled(true);
  for (int i = 0; i < 100; ++i)
    raft.tick();
  ASSERT_EQ(raft.role(), Role::kFollower);
  raft.set_disk_stalled(false);
  lead(raft);
}

TEST(RaftDisk, ItVotesForOthersMeanwhile) {
  Raft raft = raft_of({NodeId(1), NodeId(2), NodeId(3)});
  lead(raft);
  raft.set_disk_stalled(true);
  (void)raft.take_output();
  Message vote = grant(MessageType::kPreVote);
  vote.term = Term(2);
  vote.index = LogIndex(9);
  vote.log_term = Term(1);
  raft.step(vote);
  const Output output = raft.take_output();
  ASSERT_EQ(output.messages.size(), 1u);
  EXPECT_FALSE(output.messages[0].reject) << "nobody is in its way";
}

TEST(RaftDisk, WhoVotesAloneTakesNoNotice) {
  Raft raft = raft_of({NodeId(1)});
  raft.tick();
  raft.hard_state_persisted(*raft.take_output().hard_state);
  ASSERT_EQ(raft.role(), Role::kLeader);
  raft.set_disk_stalled(true);
  EXPECT_EQ(raft.role(), Role::kLeader);
}

}  // namespace
}  // namespace drumlin::raft
