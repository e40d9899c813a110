// wal: power fails in the middle of every disk operation, and every unsynced write is lost, kept or
// torn, each on its own. What was acknowledged is there; what is there was appended; the log opens.
// Then power fails again in the middle of the recovery.
#include <gtest/gtest.h>

#include "log_fixture.h"
#include "wal/hardstate.h"
#include "wal/superblock.h"

namespace drumlin::wal::test {
namespace {

using DiskPtr = std::shared_ptr<FakeDisk>;
using After = std::function<void(const DiskPtr&)>;

DiskPtr fresh(const Image& image = {}) {
  return std::make_shared<FakeDisk>(image);
}
void nothing(const DiskPtr&) {}

Wal::Options small_files(uint64_t epoch, uint64_t grow) {
  Wal::Options options;
  options.segment_bytes = 2500;
  options.grow_bytes = grow;
  options.epoch = epoch;
  return options;
}

struct History {
  uint64_t grow = 0;
  std::vector<Record> appended;  // in order
  size_t acknowledged = 0;       // so many of them
};

// Boots on the image, opens the log, appends `calls` and cuts the power at `stop_at`. The history
// is checked against what is found and goes on with what is appended. False once all of it was
// done.
bool boot_and_cut(const DiskPtr& disk, uint64_t epoch, uint64_t stop_at,
                  const std::vector<std::vector<Record>>& calls, History& history,
                  const After& after) {
  Boot boot(disk, small_files(epoch, history.grow));
  boot.machine.disk().stop_at = stop_at;
  const bool lived = boot.machine.run([&] {
    std::vector<Record> found;
    auto opened = Wal::open(boot.machine, boot.machine.observer(), boot.options,
                            [&](const Record& record, const Location&) -> Status {
                              found.push_back(record);
                              return {};
                            });
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    boot.wal = std::move(*opened);
    ASSERT_GE(found.size(), history.acknowledged);
    ASSERT_LE(found.size(), history.appended.size());
    ASSERT_TRUE(std::equal(found.begin(), found.end(), history.appended.begin()));
    history.appended = found;
    history.acknowledged = found.size();
    for (const std::vector<Record>& call : calls) {
      history.appended.insert(history.appended.end(), call.begin(), call.end());
      const Lsn lsn = boot.wal->append(call);
      if (call.size() == 2) continue;  // the next one joins the batch
      ASSERT_TRUE(boot.wal->wait_durable(lsn, kNever).ok());
      history.acknowledged = history.appended.size();
    }
    ASSERT_TRUE(boot.wal->close().ok());
    history.acknowledged = history.appended.size();
  });
  if (!::testing::Test::HasFatalFailure()) after(boot.machine.shared_disk());
  return !lived;
}

std::vector<std::vector<Record>> workload() {
  return {
      {entry(1, 1, 1, std::string(700, 'a'))},
      {entry(2, 1, 1, "b"), entry(1, 2, 1, std::string(1300, 'c'))},
      {entry(1, 2, 2, std::string(600, 'd'))},  // replaces
      {entry(3, 1, 1, "e"), entry(3, 2, 1, "f")},
      {entry(2, 2, 3, std::string(900, 'g'))},
      {entry(1, 3, 3, "h")},
  };
}

// With the file as long as the log, and with space taken ahead of it.
class LogCrash : public ::testing::TestWithParam<uint64_t> {
 protected:
  History nothing_yet() const {
    History out;
    out.grow = GetParam();
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Grow, LogCrash, ::testing::Values(0, 1000));

TEST_P(LogCrash, TheLogSurvivesPowerCutsAnywhere) {
  size_t images = 0;
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    History first = nothing_yet();
    more = boot_and_cut(fresh(), 1, stop, workload(), first, [&](const DiskPtr& disk) {
      images += for_each_crash(*disk, [&](const Image& image) {
        History second = first;
        boot_and_cut(fresh(image), 2, UINT64_MAX, {{entry(9, 1, 9, "after")}}, second, nothing);
        ASSERT_FALSE(HasFatalFailure()) << "power cut in operation " << stop;
        ASSERT_EQ(second.acknowledged, second.appended.size());
      });
    });
    ASSERT_FALSE(HasFatalFailure()) << "power cut in operation " << stop;
  }
  EXPECT_GT(images, 60u);
}

TEST_P(LogCrash, TheLogSurvivesPowerCutsInItsRecovery) {
  size_t images = 0;
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    History first = nothing_yet();
    more = boot_and_cut(fresh(), 1, stop, workload(), first, [&](const DiskPtr& disk) {
      for_each_crash(*disk, [&](const Image& image) {
        bool still = true;
        for (uint64_t again = 0; still && !HasFatalFailure(); ++again) {
          History second = first;
          still = boot_and_cut(fresh(image), 2, again, {{entry(9, 1, 9, std::string(600, 'x'))}},
                               second, [&](const DiskPtr& twice) {
                                 images += for_each_crash(*twice, [&](const Image& last) {
                                   History third = second;
                                   boot_and_cut(fresh(last), 3, UINT64_MAX, {}, third, nothing);
                                   ASSERT_FALSE(HasFatalFailure())
                                       << "power cuts in " << stop << ", " << again;
                                 });
                               });
        }
      });
    });
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(images, 1000u);
}

// In the middle of a reclaim: old files may come back, but nothing that counts is missing.
TEST_P(LogCrash, AReclaimSurvivesPowerCutsAnywhere) {
  Boot before(fresh(), small_files(1, GetParam()));
  ASSERT_TRUE(before.open());
  for (uint64_t i = 1; i <= 8; ++i)
    ASSERT_TRUE(before.append({entry(1, i, 1, std::string(900, 'x'))}));
  ASSERT_TRUE(before.close());
  const Image full = before.image();
  ASSERT_GE(full.files.size(), 4u);
  size_t images = 0;
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    Boot boot(fresh(full), small_files(2, GetParam()));
    boot.machine.disk().stop_at = stop;
    more = !(boot.open() && boot.machine.run([&] {
      boot.wal->cut(GroupId(1), LogIndex(6));
      ASSERT_TRUE(boot.wal->reclaim({Record{GroupId(1), 3, Term(1), LogIndex(0), Blob()}}).ok());
    }));
    images += for_each_crash(*boot.machine.shared_disk(), [&](const Image& image) {
      Boot again(fresh(image), small_files(3, GetParam()));
      ASSERT_TRUE(again.open());
      ASSERT_TRUE(again.status.ok()) << stop << ": " << again.status.to_string();
      const Result<std::vector<Record>> read = again.read(1, 7, 8);
      ASSERT_TRUE(read.ok() && read->size() == 2) << stop;
      ASSERT_TRUE(more || again.read(1, 1, 1).is(Code::kNotFound)) << "done, and yet not gone";
    });
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(images, 20u);
}

TEST_P(LogCrash, WhatAStartFoundAfterAKillSurvivesAPowerCut) {
  size_t images = 0;
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    bool still = true;
    for (uint64_t again = 0; still; ++again) {
      History first = nothing_yet();
      more = boot_and_cut(fresh(), 1, stop, workload(), first, [&](const DiskPtr& page_cache) {
        History second = first;
        still = boot_and_cut(
            page_cache, 2, again, {{entry(9, 1, 9, "after")}}, second, [&](const DiskPtr& disk) {
              images += for_each_crash(*disk, [&](const Image& image) {
                History third = second;
                boot_and_cut(fresh(image), 3, UINT64_MAX, {}, third, nothing);
                ASSERT_FALSE(HasFatalFailure()) << "kill in " << stop << ", power cut in " << again;
              });
            });
      });
      ASSERT_FALSE(HasFatalFailure());
    }
  }
  EXPECT_GT(images, 500u);
}

// Hard state: term t of group g votes for t + g, so a mixture shows.
constexpr uint32_t kGroups = 10;  // 704 bytes: more than a sector

HardStateStore::Slot slot_of(uint64_t group, uint64_t term) {
  return {Term(term), NodeId(term + group)};
}

struct Votes {
  std::array<uint64_t, kGroups> acknowledged{};
  std::array<uint64_t, kGroups> put{};
};

bool vote_and_cut(const DiskPtr& disk, uint64_t stop_at, uint64_t rounds, Votes& votes,
                  const After& after) {
  Machine machine(disk);
  machine.disk().stop_at = stop_at;
  const bool lived = machine.run([&] {
    auto opened = HardStateStore::open(machine, machine.observer(), {}, kGroups);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    HardStateStore& store = **opened;
    for (uint64_t g = 0; g < kGroups; ++g) {
      const HardStateStore::Slot slot = store.get(GroupId(g));
      const uint64_t term = slot.term.value();
      ASSERT_GE(term, votes.acknowledged[g]);
      ASSERT_LE(term, votes.put[g]);
      const HardStateStore::Slot none;
      ASSERT_EQ(slot, term == 0 ? none : slot_of(g, term));
      votes.acknowledged[g] = votes.put[g] = term;
    }
    store.set_on_durable([&](GroupId group, HardStateStore::Slot slot) {
      votes.acknowledged[group.value()] = slot.term.value();
    });
    for (uint64_t round = 0; round < rounds; ++round) {
      for (uint64_t g = 0; g < kGroups; g += 3 + round) {
        store.put(GroupId(g), slot_of(g, ++votes.put[g]));
      }
      machine.sleep_for(1ms).ignore();
    }
    ASSERT_TRUE(store.close().ok());
    ASSERT_EQ(votes.acknowledged, votes.put);
  });
  if (!::testing::Test::HasFatalFailure()) after(machine.shared_disk());
  return !lived;
}

TEST(Crash, VotesSurvivePowerCutsAnywhereAndInRecovery) {
  size_t images = 0;
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    Votes first;
    more = vote_and_cut(fresh(), stop, 2, first, [&](const DiskPtr& disk) {
      for_some_crashes(*disk, 4, [&](const Image& image) {
        bool still = true;
        for (uint64_t again = 0; still && !HasFatalFailure(); again += 3) {
          Votes second = first;
          still = vote_and_cut(fresh(image), again, 1, second, [&](const DiskPtr& twice) {
            for_some_crashes(*twice, 3, [&](const Image& last) {
              Votes third = second;
              vote_and_cut(fresh(last), UINT64_MAX, 0, third, nothing);
              ++images;
              ASSERT_FALSE(HasFatalFailure()) << "power cuts in " << stop << ", " << again;
            });
          });
        }
      });
    });
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(images, 500u);
}

TEST(Crash, VotesFoundAfterAKillSurviveAPowerCut) {
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    bool still = true;
    for (uint64_t again = 0; still; ++again) {
      Votes first;
      more = vote_and_cut(fresh(), stop, 2, first, [&](const DiskPtr& page_cache) {
        Votes second = first;
        still = vote_and_cut(page_cache, again, 1, second, [&](const DiskPtr& disk) {
          for_some_crashes(*disk, 3, [&](const Image& last) {
            Votes third = second;
            vote_and_cut(fresh(last), UINT64_MAX, 0, third, nothing);
            ASSERT_FALSE(HasFatalFailure()) << "kill in " << stop << ", power cut in " << again;
          });
        });
      });
      ASSERT_FALSE(HasFatalFailure());
    }
  }
}

Superblock numbered(uint64_t n) {
  Superblock s;
  s.node = NodeId(1);
  s.boot_counter = n;
  s.shard_table = std::string(3000 + n * 100, static_cast<char>('a' + n));
  return s;
}

// Formats if there is nothing, then updates. `acknowledged` 0: not even formatted.
bool update_and_cut(const DiskPtr& disk, uint64_t stop_at, uint64_t updates, uint64_t& acknowledged,
                    uint64_t& started, const After& after) {
  Machine machine(disk);
  machine.disk().stop_at = stop_at;
  const bool lived = machine.run([&] {
    auto opened = SuperblockStore::open(machine, machine.observer());
    if (opened.is(Code::kNotFound)) {
      ASSERT_EQ(acknowledged, 0u);
      started = 1;
      opened = SuperblockStore::format(machine, machine.observer(), numbered(1));
    }
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    SuperblockStore& store = **opened;
    const uint64_t found = store.get().boot_counter;
    ASSERT_EQ(store.get(), numbered(found));
    ASSERT_GE(found, acknowledged);
    ASSERT_LE(found, started);
    acknowledged = started = found;
    for (uint64_t i = 0; i < updates; ++i) {
      ASSERT_TRUE(store.update(numbered(++started)).ok());
      acknowledged = started;
    }
  });
  if (!::testing::Test::HasFatalFailure()) after(machine.shared_disk());
  return !lived;
}

TEST(Crash, TheSuperblockSurvivesPowerCutsAnywhereAndInRecovery) {
  size_t images = 0;
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    uint64_t acknowledged = 0;
    uint64_t started = 0;
    more = update_and_cut(fresh(), stop, 1, acknowledged, started, [&](const DiskPtr& disk) {
      for_some_crashes(*disk, 4, [&](const Image& image) {
        bool still = true;
        for (uint64_t again = 0; still && !HasFatalFailure(); again += 2) {
          uint64_t acknowledged2 = acknowledged;
          uint64_t started2 = started;
          still = update_and_cut(
              fresh(image), again, 1, acknowledged2, started2, [&](const DiskPtr& twice) {
                for_some_crashes(*twice, 3, [&](const Image& last) {
                  uint64_t acknowledged3 = acknowledged2;
                  uint64_t started3 = started2;
                  update_and_cut(fresh(last), UINT64_MAX, 0, acknowledged3, started3, nothing);
                  ++images;
                  ASSERT_FALSE(HasFatalFailure()) << "power cuts in " << stop << ", " << again;
                });
              });
        }
      });
    });
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(images, 100u);
}

TEST(Crash, TheSuperblockFoundAfterAKillSurvivesAPowerCut) {
  bool more = true;
  for (uint64_t stop = 0; more; ++stop) {
    bool still = true;
    for (uint64_t again = 0; still; ++again) {
      uint64_t acknowledged = 0;
      uint64_t started = 0;
      more = update_and_cut(fresh(), stop, 1, acknowledged, started, [&](const DiskPtr& cache) {
        const auto power_cut = [&](const DiskPtr& disk) {
          for_some_crashes(*disk, 3, [&](const Image& last) {
            uint64_t acknowledged3 = acknowledged;
            uint64_t started3 = started;
            update_and_cut(fresh(last), UINT64_MAX, 0, acknowledged3, started3, nothing);
            ASSERT_FALSE(HasFatalFailure()) << "kill in " << stop << ", power cut in " << again;
          });
        };
        still = update_and_cut(cache, again, 1, acknowledged, started, power_cut);
      });
      ASSERT_FALSE(HasFatalFailure());
    }
  }
}

}  // namespace
}  // namespace drumlin::wal::test
