// raft: what is easier said of one core than told as a story of several.
#include "raft/raft.h"

#include <gtest/gtest.h>

namespace drumlin::raft {
namespace {

Raft::Config config_of(uint64_t self, std::vector<uint64_t> voters) {
  Raft::Config config;
  config.self = NodeId(self);
  for (const uint64_t voter : voters)
    config.voters.push_back(NodeId(voter));
  return config;
}

Message message(MessageType type, uint64_t from, uint64_t term) {
  Message m;
  m.type = type;
  m.from = NodeId(from);
  m.to = NodeId(1);
  m.term = Term(term);
  return m;
}

Entry entry(uint64_t index, uint64_t term) {
  return Entry{Term(term), LogIndex(index), EntryKind::kNoop, Blob()};
}

TEST(Raft, StartsAsAFollowerWithNothingToSay) {
  Raft raft(config_of(1, {1, 2, 3}), {}, Log(0), LogIndex());
  EXPECT_EQ(raft.role(), Role::kFollower);
  EXPECT_FALSE(raft.has_output());
  EXPECT_TRUE(raft.propose(Blob("x")).is(Code::kNotLeader));
  EXPECT_TRUE(raft.read_index(1).is(Code::kNotLeader));
}

// The entry was written under a term whose hard state the crash took.
TEST(Raft, AnEntryOfALaterTermRaisesTheTermAtStartAndTheVoteIsOpen) {
  Log log(0);
  log.append(entry(1, 4));
  Raft raft(config_of(1, {1, 2, 3}), HardState{Term(3), NodeId(2)}, std::move(log), LogIndex());
  EXPECT_EQ(raft.term(), Term(4));
  EXPECT_EQ(raft.vote(), NodeId());
  const Output output = raft.take_output();
  ASSERT_TRUE(output.hard_state.has_value());
  EXPECT_EQ(*output.hard_state, (HardState{Term(4), NodeId()}));
}

TEST(Raft, StrangersAndItselfAreIgnored) {
  Raft raft(config_of(1, {1, 2, 3}), {}, Log(0), LogIndex());
  raft.step(message(MessageType::kVote, 9, 5));
  raft.step(message(MessageType::kHeartbeat, 9, 5));
  raft.step(message(MessageType::kVote, 1, 5));
  EXPECT_EQ(raft.term(), Term());
  EXPECT_FALSE(raft.has_output());
}

// Every kind of message but a pre-vote and its grant brings a node to the term it speaks for.
TEST(Raft, AHigherTermIsTakenFromAnyMessage) {
  for (const MessageType type :
       {MessageType::kPreVoteReply, MessageType::kVote, MessageType::kVoteReply,
        MessageType::kAppend, MessageType::kAppendReply, MessageType::kHeartbeat,
        MessageType::kHeartbeatReply}) {
    Raft raft(config_of(1, {1, 2, 3}), HardState{Term(2), NodeId()}, Log(0), LogIndex());
    Message m = message(type, 2, 7);
    m.reject = true;
    raft.step(m);
    EXPECT_EQ(raft.term(), Term(7)) << to_string(m);
    EXPECT_EQ(raft.take_output().hard_state->term, Term(7)) << to_string(m);
  }
  for (const MessageType type : {MessageType::kPreVote, MessageType::kPreVoteReply}) {
    Raft raft(config_of(1, {1, 2, 3}), HardState{Term(2), NodeId()}, Log(0), LogIndex());
    raft.step(message(type, 2, 7));
    EXPECT_EQ(raft.term(), Term(2));
    EXPECT_FALSE(raft.take_output().hard_state.has_value());
  }
}

TEST(Raft, NobodyAnswersAReplyOfThePast) {
  Raft raft(config_of(1, {1, 2, 3}), HardState{Term(5), NodeId()}, Log(0), LogIndex());
  for (const MessageType type : {MessageType::kVoteReply, MessageType::kAppendReply,
                                 MessageType::kHeartbeatReply, MessageType::kPreVoteReply}) {
    raft.step(message(type, 2, 4));
    EXPECT_FALSE(raft.has_output());
  }
}

TEST(Raft, TheElectionTimeIsDrawnAnewAndWithinItsBounds) {
  std::vector<int> waited;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Raft::Config config = config_of(1, {1, 2, 3});
    config.rng = Rng(seed);
    Raft raft(std::move(config), {}, Log(0), LogIndex());
    int ticks = 0;
    while (raft.role() == Role::kFollower) {
      raft.tick();
      ++ticks;
    }
    EXPECT_GE(ticks, 8);
    EXPECT_LE(ticks, 16);
    waited.push_back(ticks);
  }
  std::sort(waited.begin(), waited.end());
  EXPECT_LT(waited.front(), waited.back());
}

Raft with_seed(uint64_t seed) {
  Raft::Config config = config_of(1, {1, 2, 3});
  config.rng = Rng(seed);
  return Raft(std::move(config), {}, Log(0), LogIndex());
}

// Else two nodes that ask in vain could keep a third from ever asking.
TEST(Raft, AGrantedPreVoteDoesNotPutOffOnesOwnElection) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Raft left_alone = with_seed(seed);
    Raft asked = with_seed(seed);
    for (int i = 0; i < 16; ++i) {
      asked.step(message(MessageType::kPreVote, 2, 1));
      left_alone.tick();
      asked.tick();
      ASSERT_EQ(left_alone.role(), asked.role());
    }
    EXPECT_EQ(asked.role(), Role::kPreCandidate);
  }
}

TEST(Raft, AGrantedVoteDoes) {
  Raft raft = with_seed(3);
  for (int i = 0; i < 7; ++i)
    raft.tick();
  raft.step(message(MessageType::kVote, 2, 1));
  ASSERT_EQ(raft.vote(), NodeId(2));
  for (int i = 0; i < 7; ++i)
    raft.tick();
  EXPECT_EQ(raft.role(), Role::kFollower);
}

TEST(Raft, ALogThatFailsToReadIsAskedForAgain) {
  Raft::Config config = config_of(1, {1, 2});
  Log log(0);
  for (uint64_t i = 1; i <= 3; ++i)
    DRUMLIN_CHECK_OK(log.restore(entry(i, 1)));
  Raft raft(std::move(config), HardState{Term(1), NodeId(2)}, std::move(log), LogIndex(3));
  while (raft.role() == Role::kFollower)
    raft.tick();
  raft.step(message(MessageType::kPreVoteReply, 2, 2));
  raft.hard_state_persisted(HardState{Term(2), NodeId(1)});
  raft.step(message(MessageType::kVoteReply, 2, 2));
  ASSERT_EQ(raft.role(), Role::kLeader);
  raft.take_output();
  Message reject = message(MessageType::kAppendReply, 2, 2);
  reject.reject = true;
  reject.index = LogIndex(3);
  raft.step(reject);
  Output output = raft.take_output();
  ASSERT_EQ(output.fetches.size(), 1u);
  EXPECT_EQ(output.fetches[0].first, LogIndex(1));
  raft.fetched(output.fetches[0], {});
  EXPECT_TRUE(raft.take_output().fetches.empty());
  raft.step(message(MessageType::kHeartbeatReply, 2, 2));
  output = raft.take_output();
  ASSERT_EQ(output.fetches.size(), 1u);
  raft.fetched(output.fetches[0], {entry(1, 1), entry(2, 1)});
  output = raft.take_output();
  ASSERT_EQ(output.messages.size(), 1u);
  EXPECT_EQ(to_string(output.messages[0]), "1->2 t2 append after 0@0 entries 1@1 2@1 commit 3");
}

// Neither its completion nor a read-back of an earlier leadership may disturb the present one.
TEST(Raft, AReadBackForAnEarlierLeadershipSendsNothing) {
  Raft raft(config_of(1, {1, 2}), {}, Log(0), LogIndex());
  raft.fetched(Output::Fetch{LogIndex(1), LogIndex(1), 100, NodeId(2)}, {entry(1, 1)});
  EXPECT_FALSE(raft.has_output());
}

// While a term has no commit its reads wait; those whose callers have left must not pile up.
TEST(Raft, AForgottenReadDoesNotWait) {
  Raft raft(config_of(1, {1}), {}, Log(1000), LogIndex());
  raft.tick();
  raft.hard_state_persisted(*raft.take_output().hard_state);
  ASSERT_EQ(raft.role(), Role::kLeader);
  for (uint64_t read = 1; read <= 3; ++read)
    ASSERT_TRUE(raft.read_index(read).ok());
  raft.forget_read(2);
  raft.log_persisted(raft.take_output().appends.at(0).id);
  const Output output = raft.take_output();
  ASSERT_EQ(output.reads_ready.size(), 2u);
  EXPECT_EQ(output.reads_ready[0].id, 1u);
  EXPECT_EQ(output.reads_ready[1].id, 3u);
}

// Since a restart they are on disk only.
TEST(Raft, UncommittedEntriesThatAreNotInMemoryDoNotCount) {
  Log log(1000);
  for (const size_t bytes : {size_t{5000}, size_t{100}}) {
    DRUMLIN_CHECK_OK(log.restore(
        Entry{Term(1), log.last_index() + 1, EntryKind::kCommand, Blob(std::string(bytes, 'x'))}));
  }
  Raft raft(config_of(1, {1}), HardState{Term(1), NodeId(1)}, std::move(log), LogIndex());
  raft.tick();
  raft.hard_state_persisted(*raft.take_output().hard_state);
  ASSERT_EQ(raft.role(), Role::kLeader);
  EXPECT_EQ(raft.uncommitted_bytes(), 100u);
  raft.log_persisted(raft.take_output().appends.at(0).id);
  EXPECT_EQ(raft.uncommitted_bytes(), 0u);
}

// A follower that rejects what it has acknowledged has lost it. Asking again at once would be for ever.
TEST(Raft, AFollowerThatLostItsLogIsNotAskedWithoutEnd) {
  Raft raft(config_of(1, {1, 2, 3}), {}, Log(1000), LogIndex());
  while (raft.role() != Role::kPreCandidate)
    raft.tick();
  Message grant = message(MessageType::kPreVoteReply, 2, 1);
  raft.step(grant);
  raft.hard_state_persisted(*raft.take_output().hard_state);
  grant.type = MessageType::kVoteReply;
  raft.step(grant);
  ASSERT_EQ(raft.role(), Role::kLeader);
  raft.log_persisted(raft.take_output().appends.at(0).id);
  Message ack = message(MessageType::kAppendReply, 2, 1);
  ack.index = LogIndex(1);
  raft.step(ack);
  (void)raft.propose(Blob("more"));
  (void)raft.take_output();

  Message loss = message(MessageType::kAppendReply, 2, 1);
  loss.reject = true;
  loss.index = LogIndex(2);
  const auto appends_to_2 = [&] {
    size_t n = 0;
    for (const Message& m : raft.take_output().messages)
      n += m.type == MessageType::kAppend && m.to == NodeId(2) ? 1 : 0;
    return n;
  };
  raft.step(loss);
  EXPECT_EQ(appends_to_2(), 1u);  // a probe right behind what it had acknowledged
  loss.index = LogIndex(1);
  raft.step(loss);
  EXPECT_EQ(appends_to_2(), 0u);
  raft.step(message(MessageType::kHeartbeatReply, 2, 1));
  EXPECT_EQ(appends_to_2(), 1u);
}

TEST(RaftDeath, WhatCannotBeIsACheck) {
  Raft raft(config_of(1, {1, 2, 3}), {}, Log(0), LogIndex());
  EXPECT_DEATH(raft.applied(LogIndex(1)), "CHECK failed");
  Message m = message(MessageType::kHeartbeat, 2, 1);
  m.to = NodeId(3);
  EXPECT_DEATH(raft.step(m), "CHECK failed");
}

}  // namespace
}  // namespace drumlin::raft
