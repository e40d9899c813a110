// wal: appending, group commit, reading, rotation, failing disks.
#include "wal/wal.h"

#include <gtest/gtest.h>

#include "log_fixture.h"

namespace drumlin::wal::test {
namespace {

TEST(Wal, WhatIsDurableIsThereAgain) {
  Boot first;
  ASSERT_TRUE(first.open());
  ASSERT_TRUE(first.status.ok()) << first.status.to_string();
  EXPECT_EQ(first.wal->durable(), Lsn(0));
  const std::vector<Record> records{entry(7, 1, 1, "one"), entry(0, 1, 1, ""),
                                    entry(7, 2, 1, std::string(5000, 'x'))};
  ASSERT_TRUE(first.append(records));
  EXPECT_EQ(first.wal->durable(), Lsn(3));
  EXPECT_EQ(first.wal->queued_bytes(), 0u);

  Boot killed(first.image());  // kill -9: nothing was closed
  ASSERT_TRUE(killed.open());
  ASSERT_TRUE(killed.status.ok()) << killed.status.to_string();
  EXPECT_EQ(killed.found, records);
  EXPECT_GE(killed.wal->durable(), Lsn(3));
  EXPECT_EQ(killed.wal->last_index(GroupId(7)), LogIndex(2));
}

TEST(Wal, AppendsThatWaitShareOneSync) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  const uint64_t syncs = boot.machine.disk().syncs;
  const uint64_t writes = boot.machine.disk().writes;
  std::vector<Lsn> told;
  boot.wal->set_on_durable([&](Lsn lsn) { told.push_back(lsn); });
  for (uint64_t group = 0; group < 100; ++group)
    boot.wal->append({entry(group, 1, 1, "data")});
  EXPECT_EQ(boot.wal->durable(), Lsn(0));
  EXPECT_GE(boot.wal->queued_bytes(), 100 * size_t{4});
  ASSERT_TRUE(boot.machine.run([] {}));
  EXPECT_EQ(told, std::vector<Lsn>{Lsn(100)});
  EXPECT_EQ(boot.machine.disk().syncs, syncs + 1);
  EXPECT_EQ(boot.machine.disk().writes, writes + 1);
}

TEST(Wal, AppendsDuringASyncGoIntoTheNext) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  std::vector<Lsn> told;
  boot.wal->set_on_durable([&](Lsn lsn) { told.push_back(lsn); });
  boot.wal->append({entry(1, 1, 1, "a")});
  ASSERT_TRUE(boot.machine.run([&] {  // the writer is in its write
    boot.machine.scheduler().yield();
    boot.wal->append({entry(1, 2, 1, "b")});
    boot.wal->append({entry(1, 3, 1, "c")});
  }));
  EXPECT_EQ(told, (std::vector<Lsn>{Lsn(1), Lsn(3)}));
}

TEST(Wal, ABatchTakesWholeCallsUpToItsLimit) {
  Wal::Options options;
  options.max_batch_bytes = 300;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  std::vector<Lsn> told;
  boot.wal->set_on_durable([&](Lsn lsn) { told.push_back(lsn); });
  boot.wal->append({entry(1, 1, 1, std::string(100, 'a'))});
  boot.wal->append({entry(1, 2, 1, std::string(100, 'b'))});
  boot.wal->append(
      {entry(1, 3, 1, std::string(400, 'c')), entry(1, 4, 1, "d")});  // larger than that
  boot.wal->append({entry(1, 5, 1, "e")});
  ASSERT_TRUE(boot.machine.run([] {}));
  EXPECT_EQ(told, (std::vector<Lsn>{Lsn(2), Lsn(4), Lsn(5)}));
}

TEST(Wal, ReadsRangesWithinALimit) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  std::vector<Record> all;
  for (uint64_t i = 1; i <= 9; ++i) {
    all.push_back(entry(3, i, 1, std::string(100, static_cast<char>('0' + i))));
    ASSERT_TRUE(boot.append({entry(2, i, 1, "other"), all.back()}));
  }
  const auto slice = [&](size_t from, size_t to) {
    return std::vector<Record>(all.begin() + static_cast<long>(from - 1),
                               all.begin() + static_cast<long>(to));
  };
  EXPECT_EQ(*boot.read(3, 1, 9), all);
  EXPECT_EQ(*boot.read(3, 4, 6), slice(4, 6));
  EXPECT_EQ(*boot.read(3, 4, 9, 250), slice(4, 5));
  EXPECT_EQ(*boot.read(3, 4, 9, 300), slice(4, 6));
  EXPECT_EQ(*boot.read(3, 4, 9, 0), slice(4, 4));  // at least one
  EXPECT_EQ(*boot.read(3, 8, 1000), slice(8, 9));
  EXPECT_TRUE(boot.read(3, 10, 10).is(Code::kNotFound));
  EXPECT_TRUE(boot.read(4, 1, 1).is(Code::kNotFound));
  EXPECT_TRUE(boot.read(3, 0, 1).is(Code::kNotFound));
}

TEST(Wal, ReadsOneBatchOfOneGroupAtOnce) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  std::vector<Record> all;
  for (uint64_t i = 1; i <= 50; ++i)
    all.push_back(entry(1, i, 2, std::to_string(i)));
  ASSERT_TRUE(boot.append(all));
  EXPECT_EQ(*boot.read(1, 1, 50), all);
}

TEST(Wal, QueuedRecordsCanBeRead) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "written")}));
  boot.wal->append({entry(1, 2, 1, "queued"), entry(2, 1, 1, "x")});
  EXPECT_FALSE(boot.wal->locate(GroupId(1), LogIndex(2)));
  Result<std::vector<Record>> records = Status(Code::kIo, "");
  ASSERT_TRUE(boot.machine.run([&] {}));  // only the writer
  EXPECT_TRUE(boot.wal->locate(GroupId(1), LogIndex(2)));
  boot.wal->append({entry(1, 3, 1, "newest")});
  EXPECT_EQ(*boot.read(1, 1, 3),
            (std::vector<Record>{entry(1, 1, 1, "written"), entry(1, 2, 1, "queued"),
                                 entry(1, 3, 1, "newest")}));
}

TEST(Wal, AnEarlierIndexReplacesTheSuffix) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "a"), entry(1, 2, 1, "b"), entry(1, 3, 1, "c")}));
  boot.wal->append({entry(1, 2, 2, "B")});
  EXPECT_EQ(boot.wal->last_index(GroupId(1)), LogIndex(2));  // at once, not when it is written
  EXPECT_TRUE(boot.read(1, 3, 3).is(Code::kNotFound));
  const std::vector<Record> expected{entry(1, 1, 1, "a"), entry(1, 2, 2, "B")};
  EXPECT_EQ(*boot.read(1, 1, 3), expected);

  Boot again(boot.image());
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.found.size(), 4u);  // the visitor sees the replaced ones too
  EXPECT_EQ(*again.read(1, 1, 3), expected);
}

TEST(Wal, ReplacedWhileQueued) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  boot.wal->append({entry(1, 1, 1, "a"), entry(1, 2, 1, "b")});
  boot.wal->append({entry(1, 2, 2, "B")});
  ASSERT_TRUE(boot.machine.run([] {}));
  EXPECT_EQ(*boot.read(1, 1, 2), (std::vector<Record>{entry(1, 1, 1, "a"), entry(1, 2, 2, "B")}));
}

TEST(Wal, AnIndexFurtherOnStartsTheGroupAnew) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "a"), entry(1, 2, 1, "b")}));
  ASSERT_TRUE(boot.append({entry(1, 10, 2, "after a snapshot")}));
  EXPECT_TRUE(boot.read(1, 1, 10).is(Code::kNotFound));
  EXPECT_EQ(*boot.read(1, 10, 10), std::vector<Record>{entry(1, 10, 2, "after a snapshot")});
  ASSERT_TRUE(boot.append({entry(1, 5, 3, "before all")}));
  EXPECT_EQ(boot.wal->last_index(GroupId(1)), LogIndex(5));
}

TEST(Wal, IndexZeroIsReplayedButNotIndexed) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "a"), entry(1, 0, 1, "note")}));
  EXPECT_EQ(boot.wal->last_index(GroupId(1)), LogIndex(1));
  Boot again(boot.image());
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.found.size(), 2u);
  EXPECT_EQ(again.wal->last_index(GroupId(1)), LogIndex(1));
}

TEST(Wal, LocatesTheWholeBatch) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "a")}));
  ASSERT_TRUE(boot.append({entry(1, 2, 1, "b"), entry(2, 1, 1, "c")}));
  const std::optional<Location> place = boot.wal->locate(GroupId(2), LogIndex(1));
  ASSERT_TRUE(place);
  const std::string file = boot.image().files.at(place->file);
  EXPECT_EQ(place->offset + place->length, file.size());
  EXPECT_EQ(place->lsn, Lsn(2));
  const std::string batch = file.substr(place->offset, place->length);
  const uint64_t salt = decode_file_header(file)->salt;
  EXPECT_TRUE(check_batch(batch, salt).ok());
  EXPECT_EQ(decode_batch_header(batch, salt)->groups,
            (std::vector<GroupId>{GroupId(1), GroupId(2)}));

  Boot again(boot.image());
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.wal->locate(GroupId(2), LogIndex(1)), place);
  EXPECT_EQ(again.places.back(), *place);
}

TEST(Wal, RotatesToFilesNamedByTheirFirstRecord) {
  Wal::Options options;
  options.segment_bytes = 1000;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  std::vector<Record> all;
  for (uint64_t i = 1; i <= 12; ++i) {
    all.push_back(entry(1, i, 1, std::string(200, 'x')));
    ASSERT_TRUE(boot.append({all.back()}));
  }
  // 32 + 3 * 296 bytes fit, one more does not.
  const Image image = boot.image();
  ASSERT_EQ(image.files.size(), 4u);
  for (const char* name : {"wal/wal-0000000000000001.log", "wal/wal-0000000000000004.log",
                           "wal/wal-0000000000000007.log", "wal/wal-000000000000000a.log"}) {
    ASSERT_TRUE(image.files.contains(name)) << name;
    EXPECT_LE(image.files.at(name).size(), 1000u);
  }
  EXPECT_EQ(*boot.read(1, 1, 12), all);
  Boot again(image, options);
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.found, all);
  EXPECT_EQ(*again.read(1, 1, 12), all);
  // A batch larger than a file gets one of its own.
  ASSERT_TRUE(again.append({entry(1, 13, 1, std::string(5000, 'y'))}));
  EXPECT_EQ(again.read(1, 13, 13)->front().data.size(), 5000u);
}

TEST(Wal, ReadsFromMoreFilesThanItKeepsOpen) {
  Wal::Options options;
  options.segment_bytes = 64;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  std::vector<Record> all;
  for (uint64_t i = 1; i <= 40; ++i) {
    all.push_back(entry(1, i, 1, std::to_string(i)));
    ASSERT_TRUE(boot.append({all.back()}));
  }
  for (int round = 0; round < 2; ++round)
    EXPECT_EQ(*boot.read(1, 1, 40), all);
}

TEST(Wal, TakesSpaceAheadAndGivesItBackWhenAFileIsFull) {
  Wal::Options options;
  options.segment_bytes = 4000;
  options.grow_bytes = 1000;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  const auto size = [&] { return boot.image().files.at(first_file()).size(); };
  ASSERT_TRUE(boot.append({entry(1, 1, 1, std::string(200, 'a'))}));
  const size_t first = size();
  EXPECT_GE(first, 1200u);
  EXPECT_EQ(boot.image().files.at(first_file()).substr(400), std::string(first - 400, '\0'));
  ASSERT_TRUE(boot.append({entry(1, 2, 1, std::string(200, 'b'))}));
  EXPECT_EQ(size(), first) << "there was space";
  for (uint64_t i = 3; boot.image().files.size() == 1; ++i) {
    ASSERT_TRUE(boot.append({entry(1, i, 1, std::string(500, 'c'))}));
    EXPECT_LE(size(), 4000u);
  }
  const Location last =
      *boot.wal->locate(GroupId(1), LogIndex(boot.wal->last_index(GroupId(1)).value() - 1));
  EXPECT_EQ(size(), last.offset + last.length)
      << "a file that has a successor ends with its last batch";
}

TEST(Wal, LargeBatchesTakeNoSpaceAhead) {
  Wal::Options options;
  options.grow_bytes = 1 << 20;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, std::string(200'000, 'a'))}));
  const Location place = *boot.wal->locate(GroupId(1), LogIndex(1));
  EXPECT_EQ(boot.image().files.at(first_file()).size(), place.offset + place.length);
  ASSERT_TRUE(boot.append({entry(1, 2, 1, "b")}));
  EXPECT_GE(boot.image().files.at(first_file()).size(), place.offset + place.length + 64 * 1024);
}

TEST(Wal, GoesOnInTheSpaceTakenAhead) {
  Wal::Options options;
  options.grow_bytes = 1000;
  Boot first(Image{}, options);
  ASSERT_TRUE(first.open());
  ASSERT_TRUE(first.append({entry(1, 1, 1, "one")}));
  const Image image = first.image();
  Boot second(image, options);
  ASSERT_TRUE(second.open());
  ASSERT_EQ(second.found.size(), 1u);
  ASSERT_TRUE(second.append({entry(1, 2, 1, "two")}));
  EXPECT_EQ(second.image().files.at(first_file()).size(), image.files.at(first_file()).size());
  Boot third(second.image());  // one that takes no space ahead reads it as well
  ASSERT_TRUE(third.open());
  ASSERT_EQ(third.found.size(), 2u);
  ASSERT_TRUE(third.append({entry(1, 3, 1, std::string(3000, 't'))}));
  Boot fourth(third.image());
  ASSERT_TRUE(fourth.open());
  EXPECT_EQ(fourth.found.size(), 3u);
}

TEST(Wal, DamageIsFoundByAReader) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "first"), entry(1, 2, 1, "second")}));
  const Location place = *boot.wal->locate(GroupId(1), LogIndex(1));
  const std::string file = boot.image().files.at(place.file);
  boot.machine.disk().damage(place.file, file.find("second"));
  EXPECT_EQ(boot.read(1, 1, 1)->front().data.view(), "first");
  const Result<std::vector<Record>> damaged = boot.read(1, 1, 2);
  ASSERT_TRUE(damaged.is(Code::kCorrupt));
  const std::string where = std::to_string(file.find("second") - kRecordFixedBytes);
  EXPECT_EQ(damaged.status().message(),
            "wal corrupt: " + place.file + " at offset " + where + ": checksum of a record");
}

TEST(Wal, AFailedSyncHaltsAndAcknowledgesNothing) {
  for (const bool write : {false, true}) {
    Boot boot;
    ASSERT_TRUE(boot.open());
    ASSERT_TRUE(boot.append({entry(1, 1, 1, "a")}));
    (write ? boot.machine.disk().fail_write : boot.machine.disk().fail_sync) = true;
    boot.wal->set_on_durable([](Lsn) { ADD_FAILURE() << "acknowledged"; });
    const uint64_t syncs = boot.machine.disk().syncs;
    boot.wal->append({entry(1, 2, 1, "b")});
    EXPECT_FALSE(boot.machine.run([&] { boot.wal->wait_durable(Lsn(2), kNever).ignore(); }));
    EXPECT_NE(boot.machine.halted().find("cannot write and sync wal/wal-0"), std::string::npos)
        << boot.machine.halted();
    EXPECT_EQ(boot.wal->durable(), Lsn(1));
    EXPECT_EQ(boot.machine.disk().syncs, syncs + (write ? 0 : 1));  // never tried again
  }
}

TEST(Wal, OverloadedUntilDurable) {
  Wal::Options options;
  options.queue_bytes = 1000;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  boot.wal->append({entry(1, 1, 1, std::string(900, 'a'))});
  EXPECT_FALSE(boot.wal->overloaded());
  boot.wal->append({entry(1, 2, 1, std::string(900, 'a'))});
  EXPECT_TRUE(boot.wal->overloaded());
  ASSERT_TRUE(boot.machine.run([] {}));
  EXPECT_FALSE(boot.wal->overloaded());
}

TEST(Wal, WhatPeersSendDoesNotKeepOutWhatIsOurs) {
  using Source = Wal::Source;
  Wal::Options options;
  options.queue_bytes = 1000;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  boot.wal->append({entry(1, 1, 1, std::string(1000, 'a'))}, Source::kPeer);
  EXPECT_TRUE(boot.wal->overloaded(Source::kPeer));
  EXPECT_FALSE(boot.wal->overloaded(Source::kOwn));
  boot.wal->append({entry(2, 1, 1, std::string(1000, 'a'))}, Source::kOwn);
  EXPECT_TRUE(boot.wal->overloaded(Source::kOwn));
  EXPECT_GE(boot.wal->queued_bytes(), 2000u);
  ASSERT_TRUE(boot.machine.run([] {}));
  EXPECT_FALSE(boot.wal->overloaded(Source::kPeer));
  EXPECT_FALSE(boot.wal->overloaded(Source::kOwn));
  EXPECT_EQ(boot.wal->queued_bytes(), 0u);
}

TEST(Wal, BytesAppendedOnlyGrow) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  uint64_t before = boot.wal->bytes_appended();
  EXPECT_EQ(before, 0u);
  for (uint64_t i = 1; i <= 5; ++i) {
    boot.wal->append({entry(1, i, 1, std::string(1000, 'a'))});
    EXPECT_GE(boot.wal->bytes_appended(), before + 1000);
    before = boot.wal->bytes_appended();
    ASSERT_TRUE(boot.machine.run([] {}));
    EXPECT_GE(boot.wal->bytes_appended(), before);
    before = boot.wal->bytes_appended();
  }
  EXPECT_EQ(boot.image().files.at(first_file()).size(), before + kFileHeaderBytes);
  Boot again(boot.image());
  ASSERT_TRUE(again.open());
  EXPECT_GE(again.wal->bytes_appended(), before);
}

TEST(Wal, WaitingHasADeadline) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  Status status;
  ASSERT_TRUE(boot.machine.run(
      [&] { status = boot.wal->wait_durable(Lsn(1), after(boot.machine.clock(), 5ms)); }));
  EXPECT_TRUE(status.is(Code::kTimeout));
}

TEST(Wal, CloseWritesWhatIsQueuedAndEndsWaits) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  Status waiter;
  boot.machine.spawn("waiter", [&] { waiter = boot.wal->wait_durable(Lsn(1000), kNever); });
  boot.wal->append({entry(1, 1, 1, "a")});
  ASSERT_TRUE(boot.close());
  ASSERT_TRUE(boot.close());
  EXPECT_GE(boot.wal->durable(), Lsn(1));
  EXPECT_TRUE(waiter.is(Code::kCancelled));
  Boot again(boot.image());
  ASSERT_TRUE(again.open());
  EXPECT_EQ(again.found, std::vector<Record>{entry(1, 1, 1, "a")});
  // The note left by close() covers everything: this start had nothing to write.
  EXPECT_EQ(again.image().files, boot.image().files);
}

TEST(Wal, CanBeDroppedWithoutClosing) {
  Machine machine;
  ASSERT_TRUE(machine.run([&] {
    auto wal = Wal::open(machine, machine.observer(), {}, [](auto&, auto&) { return Status(); });
    (*wal)->append({entry(1, 1, 1, "a")});
  }));
  EXPECT_EQ(machine.domain().fibers(), 0u);
}

}  // namespace
}  // namespace drumlin::wal::test
