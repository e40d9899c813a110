// Membership: a disk takes part only when all others have it on record, and a wiped one never
// again.
#include "node/membership.h"

#include <gtest/gtest.h>

#include "node/identity.h"
#include "tests/node/configs.h"
#include "tests/wal/machine.h"

namespace drumlin::node::test {
namespace {

using wal::test::Image;
using wal::test::Machine;

// One boot of node 1.
struct Boot {
  explicit Boot(Config c, const Image& image = {}) : machine(image), config(std::move(c)) {
    DRUMLIN_CHECK_OK(config.validate());
  }
  void run(const std::function<void(Membership&)>& body) {
    machine.run([&] {
      const Disk0 found = inspect_disk(machine, config).value();
      superblock = enter_disk(machine, machine.observer(), found).value();
      membership = std::make_unique<Membership>(
          machine, machine.observer(), config, *superblock,
          Membership::Events{[this] { ++admitted; },
                             [this](const Status& why) { refused.push_back(why); }});
      body(*membership);
      ended = true;
    });
    EXPECT_TRUE(ended);
  }
  Machine machine;
  Config config;
  std::unique_ptr<wal::SuperblockStore> superblock;
  std::unique_ptr<Membership> membership;
  int admitted = 0;
  std::vector<Status> refused;
  bool ended = false;
};

rpc::PeerIdentity peer(uint64_t node, uint64_t incarnation) {
  return {NodeId(node), incarnation, 1};
}

TEST(Membership, OnlyConfiguredNodesAreMembers) {
  Boot boot(cluster(3));
  boot.run([](Membership& m) {
    EXPECT_TRUE(m.check_member(NodeId(2)).ok());
    EXPECT_TRUE(m.check_member(NodeId(3)).ok());
    for (const uint64_t stranger : {0u, 4u, 99u}) {
      const Status status = m.check_member(NodeId(stranger));
      EXPECT_TRUE(status.is(Code::kRefused));
      EXPECT_NE(status.message().find("has no node"), std::string::npos);
      EXPECT_TRUE(m.admit(peer(stranger, 5)).is(Code::kRefused));
    }
    EXPECT_NE(m.check_member(NodeId(1)).message().find("there is another node 1"),
              std::string::npos);
  });
}

TEST(Membership, FirstDiskIsRecordedAndAnyOtherRefused) {
  Boot boot(cluster(3));
  boot.run([&](Membership& m) {
    EXPECT_TRUE(m.admit(peer(2, 0xaa)).ok());
    EXPECT_TRUE(m.admit(peer(2, 0xaa)).ok());
    EXPECT_TRUE(m.admit(peer(3, 0xaa)).ok()) << "incarnations are a node's own";
    const Status wiped = m.admit(peer(2, 0xbb));
    EXPECT_TRUE(wiped.is(Code::kRefused));
    EXPECT_NE(
        wiped.message().find("node 1 knows node 2 by another disk (incarnation 00000000000000aa, "
                             "not 00000000000000bb)"),
        std::string::npos)
        << wiped.message();
  });
  EXPECT_EQ(boot.superblock->get().peers.at(NodeId(2)), 0xaau);
  // It was on the platter when admit() returned: a power cut does not forget it.
  Boot again(cluster(3), boot.machine.disk().crash([](size_t) { return size_t{0}; }));
  again.run([](Membership& m) {
    EXPECT_TRUE(m.admit(peer(2, 0xbb)).is(Code::kRefused));
    EXPECT_TRUE(m.admit(peer(2, 0xaa)).ok());
  });
}

TEST(Membership, TakesPartWhenAllOthersHaveItOnRecord) {
  Boot boot(cluster(3));
  boot.run([&](Membership& m) {
    EXPECT_FALSE(m.admitted());
    m.admit_if_complete();
    EXPECT_FALSE(m.admitted());
    m.recorded_by(NodeId(2));
    m.recorded_by(NodeId(2));
    EXPECT_FALSE(m.admitted()) << "one node twice is one node";
    EXPECT_EQ(boot.admitted, 0);
    m.recorded_by(NodeId(3));
    EXPECT_TRUE(m.admitted());
    EXPECT_EQ(boot.admitted, 1);
    m.recorded_by(NodeId(3));
    EXPECT_EQ(boot.admitted, 1) << "told once";
  });
  Boot again(cluster(3), boot.machine.disk().crash([](size_t) { return size_t{0}; }));
  again.run([](Membership& m) { EXPECT_TRUE(m.admitted()) << "once and for all"; });
}

TEST(Membership, RecordsOfAnEarlierLifeMustBeHeardAgainWhileNotAdmitted) {
  Boot boot(cluster(3));
  boot.run([](Membership& m) { m.recorded_by(NodeId(2)); });
  Boot again(cluster(3), boot.machine.disk().image());
  again.run([](Membership& m) {
    m.recorded_by(NodeId(3));
    EXPECT_FALSE(m.admitted());
    m.recorded_by(NodeId(2));
    EXPECT_TRUE(m.admitted());
  });
}

TEST(Membership, StrangersRecordsDoNotCount) {
  Boot boot(cluster(3));
  boot.run([](Membership& m) {
    m.recorded_by(NodeId(2));
    m.recorded_by(NodeId(7));
    m.recorded_by(NodeId(1));
    EXPECT_FALSE(m.admitted());
  });
}

TEST(Membership, SingleNodeAdmitsItself) {
  Boot boot(single());
  boot.run([&](Membership& m) {
    m.admit_if_complete();
    EXPECT_TRUE(m.admitted());
    EXPECT_EQ(boot.admitted, 1);
  });
}

TEST(Membership, FreshDiskThatIsRefusedMustStop) {
  Boot boot(cluster(3));
  boot.run([](Membership& m) {
    m.refused_by(NodeId(2), Status(Code::kRefused, "node 2 knows node 1 by another disk"));
  });
  ASSERT_EQ(boot.refused.size(), 1u);
  EXPECT_EQ(boot.refused[0].message(),
            "node 2 refuses this node: node 2 knows node 1 by another disk");
}

TEST(Membership, MemberThatIsRefusedGoesOn) {
  Boot boot(cluster(2));
  boot.run([](Membership& m) {
    m.recorded_by(NodeId(2));
    ASSERT_TRUE(m.admitted());
    m.refused_by(NodeId(2), Status(Code::kRefused, "node 2's own disk was swapped"));
  });
  EXPECT_TRUE(boot.refused.empty());
}

TEST(Membership, ConcurrentFirstMeetingsRecordOneDisk) {
  Boot boot(cluster(3));
  boot.run([&](Membership& m) {
    WaitGroup both(boot.machine.scheduler(), boot.machine.clock());
    std::vector<Status> told(2);
    both.add(2);
    for (size_t i = 0; i < 2; ++i) {
      boot.machine.spawn("admit", [&, i] {
        told[i] = m.admit(peer(2, 0xa0 + i));
        both.done();
      });
    }
    (void)both.wait();
    EXPECT_TRUE(told[0].ok());
    EXPECT_TRUE(told[1].is(Code::kRefused));
    EXPECT_EQ(boot.superblock->get().peers.at(NodeId(2)), 0xa0u);
  });
}

}  // namespace
}  // namespace drumlin::node::test
