// wal: hard state and superblock in ordinary use, and on damaged disks.
#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/digest.h"
#include "machine.h"
#include "wal/hardstate.h"
#include "wal/superblock.h"

namespace drumlin::wal::test {
namespace {

using Slot = HardStateStore::Slot;

// Opens the store on the image and hands it to `use`. The status of open().
Status with_hard_state(Machine& machine, uint32_t groups,
                       const std::function<void(HardStateStore&)>& use,
                       HardStateStore::Options options = {}) {
  Status status;
  machine.run([&] {
    auto store = HardStateStore::open(machine, machine.observer(), options, groups);
    status = store.status();
    if (store.ok()) use(**store);
  });
  return status;
}

Image voted() {
  Machine machine;
  EXPECT_TRUE(with_hard_state(machine, 3, [](HardStateStore& store) {
                store.put(GroupId(0), {Term(1), NodeId(1)});
                store.put(GroupId(2), {Term(5), NodeId(2)});
                EXPECT_TRUE(store.close().ok());
              }).ok());
  return machine.disk().image();
}

void expect_voted(HardStateStore& store) {
  EXPECT_EQ(store.get(GroupId(0)), (Slot{Term(1), NodeId(1)}));
  EXPECT_EQ(store.get(GroupId(1)), Slot());
  EXPECT_EQ(store.get(GroupId(2)), (Slot{Term(5), NodeId(2)}));
}

TEST(HardState, ChangesOfManyGroupsShareTheSyncs) {
  Machine machine;
  ASSERT_TRUE(with_hard_state(machine, 50, [&](HardStateStore& store) {
                std::vector<uint64_t> told;
                store.set_on_durable([&](GroupId group, Slot slot) {
                  told.push_back(group.value());
                  EXPECT_EQ(store.get(group), slot);
                });
                const uint64_t syncs = machine.disk().syncs;
                for (uint64_t g = 50; g-- > 0;)
                  store.put(GroupId(g), {Term(g + 1), NodeId(1)});
                store.put(GroupId(7), {Term(100), NodeId(2)});  // supersedes
                EXPECT_EQ(store.get(GroupId(7)), Slot());       // not durable yet
                ASSERT_TRUE(store.close().ok());
                EXPECT_EQ(machine.disk().syncs, syncs + 2);
                ASSERT_EQ(told.size(), 50u);
                EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
                EXPECT_EQ(store.get(GroupId(7)), (Slot{Term(100), NodeId(2)}));
              }).ok());
}

TEST(HardState, TheFilesAreNeverWrittenAtTheSameTime) {
  // With the power cut at any point one file is whole: see crash_test. Here: a is synced before b
  // changes.
  Machine machine(voted());
  ASSERT_TRUE(with_hard_state(machine, 3, [&](HardStateStore& store) {
                const std::string before = machine.disk().image().files.at("hardstate.b");
                machine.disk().fail_sync = true;
                store.put(GroupId(1), {Term(9), NodeId(9)});
                machine.sleep_for(1ms).ignore();
                ADD_FAILURE() << "the node goes on after a failed sync";
              }).ok());
  EXPECT_NE(machine.halted().find("hardstate.a"), std::string::npos) << machine.halted();
  EXPECT_EQ(machine.disk().image().files.at("hardstate.b"), voted().files.at("hardstate.b"));
}

TEST(HardState, OneGoodCopyIsEnough) {
  const Image image = voted();
  for (const char* file : {"hardstate.a", "hardstate.b"}) {
    for (size_t at = 0; at < image.files.at(file).size(); at += 5) {
      Image damaged = image;
      damaged.files[file][at] ^= 1;
      Machine machine(damaged);
      const Status status = with_hard_state(machine, 3, expect_voted);
      ASSERT_TRUE(status.ok()) << file << " " << at << status.to_string();
      ASSERT_EQ(machine.disk().image(), image) << "not repaired at " << at;
    }
    for (const bool missing : {false, true}) {
      Image damaged = image;
      if (missing) {
        damaged.files.erase(file);
      } else {
        damaged.files[file].resize(100);
      }
      Machine machine(damaged);
      ASSERT_TRUE(with_hard_state(machine, 3, expect_voted).ok());
      // Files that were made aside leave nothing behind.
      ASSERT_EQ(machine.disk().image(), image);
    }
  }
}

TEST(HardState, BothCopiesBadIsRefusedByName) {
  Image damaged = voted();
  damaged.files["hardstate.a"][64 + 20] ^= 1;
  damaged.files["hardstate.b"][64 + 30] ^= 1;
  Machine machine(damaged);
  const Status status = with_hard_state(machine, 3, expect_voted);
  EXPECT_TRUE(status.is(Code::kCorrupt));
  EXPECT_EQ(status.message(),
            "the slot of group 0 at offset 64 is damaged in both hardstate.a and hardstate.b");
}

TEST(HardState, ASlotInTheWrongPlaceIsBad) {
  Image damaged = voted();
  std::string& a = damaged.files["hardstate.a"];
  a.replace(64, 64, a.substr(3 * 64, 64));  // group 2's slot where group 0's belongs
  Machine machine(damaged);
  EXPECT_TRUE(with_hard_state(machine, 3, expect_voted).ok());
}

TEST(HardState, RefusesWhatItDoesNotKnow) {
  {
    Machine machine(voted());
    const Status status = with_hard_state(machine, 4, expect_voted);
    EXPECT_TRUE(status.is(Code::kFailedPrecondition));
    EXPECT_EQ(status.message(), "hardstate.a holds 3 groups; this node has 4");
  }
  Image other = voted();
  std::string& a = other.files["hardstate.a"];
  store_le<uint32_t>(a.data() + 8, 6);
  store_le(a.data() + 4, crc32c(std::string_view(a).substr(8, 56)));
  Machine machine(other);
  const Status status = with_hard_state(machine, 3, expect_voted);
  EXPECT_TRUE(status.is(Code::kUnsupported));
  EXPECT_NE(status.message().find("hard state version 6"), std::string::npos);
  Machine empty;
  EXPECT_TRUE(with_hard_state(empty, 3, expect_voted, {.path = "hardstate", .must_exist = true})
                  .is(Code::kCorrupt));
}

// Superblock.

Superblock some(uint64_t boot) {
  Superblock s;
  s.node = NodeId(3);
  s.boot_counter = boot;
  s.boot_id = "x";
  return s;
}

Status format_and_update(Machine& machine, uint64_t updates) {
  Status status;
  machine.run([&] {
    auto store = SuperblockStore::format(machine, machine.observer(), some(1));
    status = store.status();
    for (uint64_t i = 0; status.ok() && i < updates; ++i)
      status = (*store)->update(some(i + 2));
  });
  return status;
}

Result<std::optional<Superblock>> read(Machine& machine) {
  Result<std::optional<Superblock>> result = Status(Code::kIo, "the machine died");
  machine.run([&] { result = SuperblockStore::read(machine); });
  return result;
}

Status reopen(Machine& machine, const std::function<void(SuperblockStore&)>& use) {
  Status status;
  machine.run([&] {
    auto store = SuperblockStore::open(machine, machine.observer());
    status = store.status();
    if (store.ok()) use(**store);
  });
  return status;
}

TEST(SuperblockFile, FreshFormattedUpdated) {
  Machine machine;
  EXPECT_EQ(*read(machine), std::nullopt);
  EXPECT_TRUE(reopen(machine, [](SuperblockStore&) {}).is(Code::kNotFound));
  ASSERT_TRUE(format_and_update(machine, 0).ok());
  EXPECT_EQ(*read(machine), some(1));
  EXPECT_TRUE(format_and_update(machine, 0).is(Code::kAlreadyExists));
  ASSERT_TRUE(reopen(machine, [](SuperblockStore& store) {
                EXPECT_TRUE(store.update(some(2)).ok());
                EXPECT_EQ(store.get(), some(2));
              }).ok());
  EXPECT_EQ(*read(machine), some(2));
}

TEST(SuperblockFile, UpdatesAreSerialised) {
  Machine machine;
  ASSERT_TRUE(format_and_update(machine, 0).ok());
  ASSERT_TRUE(reopen(machine, [&](SuperblockStore& store) {
                WaitGroup group(machine.scheduler(), machine.clock());
                for (uint64_t node = 1; node <= 5; ++node) {
                  group.add();
                  machine.spawn("peer", [&, node] {
                    EXPECT_TRUE(
                        store.change([&](Superblock& s) { s.peers[NodeId(node)] = node; }).ok());
                    group.done();
                  });
                }
                group.wait();
                EXPECT_EQ(store.get().peers.size(), 5u);
              }).ok());
  EXPECT_EQ((*read(machine))->peers.size(), 5u);
}

TEST(SuperblockFile, TwoGoodCopiesAreEnoughAndTheOthersAreRepaired) {
  Machine made;
  ASSERT_TRUE(format_and_update(made, 1).ok());
  const Image image = made.disk().image();
  for (size_t bad = 0; bad < 16; ++bad) {
    Image damaged = image;
    size_t count = 0;
    for (size_t i = 0; i < 4; ++i) {
      if ((bad >> i & 1) == 0) continue;
      damaged.files["superblock"][i * SuperblockStore::kCopyBytes + 40] ^= 1;
      ++count;
    }
    Machine machine(damaged);
    const Status status =
        reopen(machine, [](SuperblockStore& store) { EXPECT_EQ(store.get(), some(2)); });
    if (count <= 2) {
      EXPECT_TRUE(status.ok()) << bad;
      EXPECT_EQ(machine.disk().image(), image) << bad;
    } else {
      EXPECT_TRUE(status.is(Code::kCorrupt)) << bad;
      EXPECT_NE(status.message().find("no two of its 4 copies agree"), std::string::npos);
      EXPECT_EQ(machine.disk().image(), damaged);
    }
  }
}

TEST(SuperblockFile, OneNewestCopyDoesNotCount) {
  Machine before;
  ASSERT_TRUE(format_and_update(before, 1).ok());
  Machine after;
  ASSERT_TRUE(format_and_update(after, 2).ok());
  Image image = before.disk().image();
  const std::string newer = after.disk().image().files.at("superblock");
  std::string& file = image.files["superblock"];
  file.replace(0, SuperblockStore::kCopyBytes, newer, 0, SuperblockStore::kCopyBytes);
  {
    Machine machine(image);
    EXPECT_EQ(*read(machine), some(2));
  }
  // A copy that lies in another's place is none, whatever its checksum.
  file.replace(2 * SuperblockStore::kCopyBytes, SuperblockStore::kCopyBytes, newer, 0,
               SuperblockStore::kCopyBytes);
  {
    Machine machine(image);
    EXPECT_EQ(*read(machine), some(2));
  }
  file.replace(SuperblockStore::kCopyBytes, SuperblockStore::kCopyBytes, newer,
               SuperblockStore::kCopyBytes, SuperblockStore::kCopyBytes);
  Machine machine(image);
  EXPECT_EQ(*read(machine), some(3));
}

TEST(SuperblockFile, LimitsVersionsAndFailures) {
  Machine machine;
  ASSERT_TRUE(format_and_update(machine, 0).ok());
  ASSERT_TRUE(reopen(machine, [](SuperblockStore& store) {
                Superblock large = some(2);
                large.shard_table = std::string(SuperblockStore::kCopyBytes, 'x');
                EXPECT_TRUE(store.update(large).is(Code::kTooLarge));
                EXPECT_EQ(store.get(), some(1));
                large.shard_table.resize(60000);
                EXPECT_TRUE(store.update(large).ok());
              }).ok());
  EXPECT_EQ((*read(machine))->shard_table.size(), 60000u);

  Image other = machine.disk().image();
  std::string& file = other.files["superblock"];
  for (size_t i = 0; i < 4; ++i) {
    char* const copy = file.data() + i * SuperblockStore::kCopyBytes;
    store_le<uint32_t>(copy + 8, 3);
    store_le(copy + 4, crc32c({copy + 8, 24 + load_le<uint32_t>(copy + 24)}));
  }
  Machine newer(other);
  const auto unknown = read(newer);
  EXPECT_TRUE(unknown.is(Code::kUnsupported));
  EXPECT_EQ(unknown.status().message(), "superblock version 3; this build reads version 1");

  EXPECT_TRUE(reopen(machine, [&](SuperblockStore& store) {
                machine.disk().fail_sync = true;
                store.update(some(9)).ignore();
                ADD_FAILURE() << "the node goes on after a failed sync";
              }).ok());
  EXPECT_NE(machine.halted().find("superblock"), std::string::npos);
}

}  // namespace
}  // namespace drumlin::wal::test
