// A shard's state on its way from a leader to a follower that is too far behind.
#include "replica/snapshots.h"

#include <gtest/gtest.h>

#include "shard/command.h"
#include "tests/support/storage.h"
#include "tests/support/world.h"

namespace drumlin::replica {
namespace {

constexpr uint32_t kShard = 0;
const NodeId kLeader{1};
const NodeId kFollower{2};

std::string bytes_of(shard::Payload payload, shard::Session session = {}) {
  shard::Command command;
  command.session = session;
  command.payload = std::move(payload);
  return shard::encode(command);
}

raft::Raft::Config config_of(NodeId self) {
  raft::Raft::Config config;
  config.self = self;
  config.voters = {kLeader, kFollower};
  return config;
}

// Calls reach whoever `far` is, or do not.
class Wire final : public Loop {
 public:
  explicit Wire(Runtime& runtime) : turns_(runtime.scheduler(), runtime.clock(), 2) {}
  void wake(Group& /*group*/) override {}
  void wake(GroupId /*group*/) override {}
  void await_append(Group& /*group*/, Lsn /*lsn*/, uint64_t /*append*/, LogIndex /*last*/,
                    Term /*term*/) override {}
  Semaphore& snapshot_turns() override { return turns_; }
  Result<std::string> call(NodeId to, uint8_t kind, std::string payload,
                           Instant /*deadline*/) override {
    EXPECT_EQ(to, kFollower);
    EXPECT_EQ(kind, kSnapshot);
    DRUMLIN_ASSIGN(SnapshotPart part, decode_snapshot_part(payload));
    return far(std::move(part));
  }
  std::function<Result<std::string>(SnapshotPart)> far;

 private:
  Semaphore turns_;
};

struct Side {
  Side(drumlin::test::World& world, Wire& wire, NodeId self)
      : services(storage.services(world, world.observer(), options_of(self))),
        core(config_of(self), {}, raft::Log(1u << 20), LogIndex()) {
    open();
    snapshots.emplace(services, wire, GroupId(kShard), core, *applier,
                      [this](LogIndex index, Term term) {
                        installed.emplace_back(index, term);
                        core.install_snapshot(index, term);
                      });
  }
  static Options options_of(NodeId self) {
    Options options;
    options.self = self;
    options.snapshot_part_bytes = 600;
    return options;
  }
  void open() { applier = *Applier::open(services, kShard); }
  void apply(uint64_t index, const std::string& command) {
    std::string reply;
    ASSERT_TRUE(applier
                    ->try_apply(raft::Entry{Term(1), LogIndex(index), raft::EntryKind::kCommand,
                                            Blob(command)},
                                reply)
                    .ok());
  }
  std::vector<std::string> rows_of_generation(uint32_t generation) {
    std::vector<std::string> out;
    const std::string prefix = shard::Keys(kShard, generation).all();
    for (const auto& [key, value] : storage.kv.state()) {
      if (key.starts_with(prefix)) out.push_back(key);
    }
    return out;
  }
  drumlin::test::Storage storage;
  Services services;
  raft::Raft core;
  std::unique_ptr<Applier> applier;
  std::optional<Snapshots> snapshots;
  std::vector<std::pair<LogIndex, Term>> installed;
};

struct SnapshotsTest : ::testing::Test {
  SnapshotsTest() : wire(world), leader(world, wire, kLeader), follower(world, wire, kFollower) {
    wire.far = [this](SnapshotPart part) { return deliver(std::move(part)); };
    lead();
    for (uint64_t i = 2; i <= kLast; ++i) {
      shard::Put put;
      put.bucket = "b";
      put.incarnation = 1;
      put.epoch = 1;
      put.key = "key " + std::to_string(i);
      leader.apply(i, i == 2 ? bytes_of(shard::InstallRow{"b", 1, 1})
                             : bytes_of(std::move(put), {7, 1, i, 3}));
    }
  }
  // Of term 1, whose no-op is the first entry.
  void lead() {
    raft::Raft& core = leader.core;
    while (core.role() != raft::Role::kPreCandidate)
      core.tick();
    raft::Message grant;
    grant.type = raft::MessageType::kPreVoteReply;
    grant.from = kFollower;
    grant.to = kLeader;
    grant.term = Term(1);
    core.step(grant);
    core.hard_state_persisted(*core.take_output().hard_state);
    grant.type = raft::MessageType::kVoteReply;
    core.step(grant);
    ASSERT_EQ(core.role(), raft::Role::kLeader);
    for (uint64_t i = 2; i <= kLast; ++i)
      ASSERT_TRUE(core.propose(Blob("x")).ok());
    leader.apply(1, "");
  }
  Result<std::string> deliver(SnapshotPart part) {
    ++parts;
    DRUMLIN_ASSIGN(const SnapshotReply reply, follower.snapshots->receive(std::move(part)));
    return encode(reply);
  }
  void send() {
    world.run([this] { leader.snapshots->send({kFollower, Term(1)}); });
  }
  void expect_the_same() {
    EXPECT_EQ(follower.applier->applied(), LogIndex(kLast));
    EXPECT_EQ(follower.applier->digest().value(), leader.applier->digest().value());
    using Installed = std::vector<std::pair<LogIndex, Term>>;
    EXPECT_EQ(follower.installed, (Installed{{LogIndex(kLast), Term(1)}}));
    EXPECT_EQ(leader.core.progress().at(kFollower).match, LogIndex(kLast));
  }

  static constexpr uint64_t kLast = 40;
  drumlin::test::World world;
  Wire wire;
  Side leader;
  Side follower;
  size_t parts = 0;
};

TEST_F(SnapshotsTest, WhatArrivesIsTheState) {
  send();
  EXPECT_GT(parts, 3u);
  expect_the_same();
  // Sessions too: a retry hears its first answer.
  leader.apply(kLast + 1, bytes_of(shard::Delete{"b", 1, 1, "key 9"}, {7, 1, 9, 3}));
  follower.apply(kLast + 1, bytes_of(shard::Delete{"b", 1, 1, "key 9"}, {7, 1, 9, 3}));
  EXPECT_EQ(follower.applier->digest().value(), leader.applier->digest().value());
}

TEST_F(SnapshotsTest, ItOutlivesARestartAndNothingElseIsLeft) {
  follower.apply(1, "");
  follower.apply(2, bytes_of(shard::InstallRow{"old", 1, 1}));
  send();
  EXPECT_TRUE(follower.rows_of_generation(1).empty());
  EXPECT_FALSE(follower.rows_of_generation(2).empty());
  EXPECT_GT(follower.storage.kv.flushes, 0);
  const uint64_t digest = follower.applier->digest().value();
  follower.open();
  EXPECT_EQ(follower.applier->applied(), LogIndex(kLast));
  EXPECT_EQ(follower.applier->installed(), LogIndex(kLast));
  EXPECT_EQ(follower.applier->installed_term(), Term(1));
  EXPECT_EQ(follower.applier->digest().value(), digest);
}

TEST_F(SnapshotsTest, LostRequestsAndLostAnswersCostARetry) {
  wire.far = [this](SnapshotPart part) -> Result<std::string> {
    if (parts % 5 == 1) {
      ++parts;
      return Status(Code::kUnavailable, "lost on its way there");
    }
    auto reply = deliver(std::move(part));
    if (parts % 5 == 3) return Status(Code::kOutcomeUnknown, "lost on its way back");
    return reply;
  };
  send();
  expect_the_same();
}

TEST_F(SnapshotsTest, RowsThatDoNotMatchTheirHashAreNotTaken) {
  wire.far = [this](SnapshotPart part) {
    if (parts == 2) part.rows.at(0).value += "!";
    return deliver(std::move(part));
  };
  send();
  EXPECT_TRUE(follower.installed.empty());
  EXPECT_EQ(follower.applier->applied(), LogIndex());
  EXPECT_EQ(leader.core.progress().at(kFollower).match, LogIndex());
  wire.far = [this](SnapshotPart part) { return deliver(std::move(part)); };
  send();
  expect_the_same();
}

// The receiver has started anew in the middle.
TEST_F(SnapshotsTest, APartWithoutThoseBeforeItIsRefused) {
  wire.far = [this](SnapshotPart part) -> Result<std::string> {
    if (part.offset == 0) {
      ++parts;
      return encode(SnapshotReply{part.rows.size(), LogIndex()});
    }
    return deliver(std::move(part));
  };
  send();
  EXPECT_EQ(parts, 2u) << "and the transfer is over";
  EXPECT_TRUE(follower.installed.empty());
}

TEST_F(SnapshotsTest, ALeaderOfThePastIsRefused) {
  raft::Message heartbeat;
  heartbeat.type = raft::MessageType::kHeartbeat;
  heartbeat.from = kLeader;
  heartbeat.to = kFollower;
  heartbeat.term = Term(2);
  follower.core.step(heartbeat);
  send();
  EXPECT_EQ(parts, 1u);
  EXPECT_TRUE(follower.installed.empty());
}

TEST_F(SnapshotsTest, WhoHasItAllSaysSoAtOnce) {
  send();
  parts = 0;
  send();
  EXPECT_EQ(parts, 1u);
  EXPECT_EQ(follower.installed.size(), 1u);
  EXPECT_EQ(leader.core.progress().at(kFollower).match, LogIndex(kLast));
}

TEST_F(SnapshotsTest, AnotherTransferBeginsFromTheFront) {
  wire.far = [this](SnapshotPart part) -> Result<std::string> {
    if (parts == 3) return Status(Code::kAborted, "gone");
    return deliver(std::move(part));
  };
  send();
  EXPECT_FALSE(follower.rows_of_generation(2).empty());
  wire.far = [this](SnapshotPart part) {
    part.transfer += 2;  // here chance gives all the same number
    return deliver(std::move(part));
  };
  send();
  expect_the_same();
}

}  // namespace
}  // namespace drumlin::replica
