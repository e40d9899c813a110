// wal: what a start makes of a log that was cut short or damaged.
#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/digest.h"
#include "log_fixture.h"

namespace drumlin::wal::test {
namespace {

// Where each batch of a file begins, and where the last one ends: there the file does too, or only
// zeros follow.
std::vector<size_t> batch_offsets(const std::string& file) {
  const uint64_t salt = decode_file_header(file)->salt;
  std::vector<size_t> offsets{kFileHeaderBytes};
  while (file.find_first_not_of('\0', offsets.back()) != std::string::npos) {
    const auto header = decode_batch_header(std::string_view(file).substr(offsets.back()), salt);
    offsets.push_back(offsets.back() + header->length);
  }
  return offsets;
}

// Three batches in one file, as kill -9 leaves it.
Image three_batches(std::vector<Record>& records) {
  Boot boot;
  boot.open();
  for (uint64_t i = 1; i <= 3; ++i) {
    records.push_back(entry(1, i, 1, std::string(i == 3 ? 600 : 20, static_cast<char>('a' + i))));
    boot.append({records.back()});
  }
  return boot.image();
}

void expect_torn(const Image& image, const std::vector<Record>& expected, size_t cut_at) {
  Boot boot(image);
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.status.ok()) << boot.status.to_string();
  ASSERT_EQ(boot.found, expected);
  // The cut is on the platter, and the log goes on from there.
  ASSERT_EQ(batch_offsets(boot.image().files.at(first_file())).at(expected.size()), cut_at);
  ASSERT_TRUE(boot.append({entry(1, 3, 2, "new")}));
  Boot again(boot.machine.disk().crash([](size_t) { return size_t{0}; }));
  ASSERT_TRUE(again.open());
  ASSERT_EQ(again.found.size(), expected.size() + 1);
  ASSERT_EQ(again.found.back(), entry(1, 3, 2, "new"));
}

TEST(Recovery, ATornTailIsCutAtEveryLength) {
  std::vector<Record> records;
  const Image image = three_batches(records);
  const std::string file = image.files.at(first_file());
  const size_t start = batch_offsets(file)[2];
  const std::vector<Record> kept(records.begin(), records.begin() + 2);
  for (size_t end = start; end < file.size(); ++end) {
    Image torn = image;
    torn.files[first_file()].resize(end);
    expect_torn(torn, kept, start);
    // The size reached the platter and the bytes did not. The batch's padding is zeros anyway.
    if (end + kBatchAlignment > file.size()) continue;
    torn.files[first_file()].resize(file.size(), '\0');
    expect_torn(torn, kept, start);
  }
}

TEST(Recovery, ATornTailIsCutWhereverABitIsWrong) {
  std::vector<Record> records;
  const Image image = three_batches(records);
  const std::string file = image.files.at(first_file());
  const size_t start = batch_offsets(file)[2];
  const std::vector<Record> kept(records.begin(), records.begin() + 2);
  for (size_t at = start; at < file.size(); at += 3) {
    Image torn = image;
    torn.files[first_file()][at] ^= 4;
    expect_torn(torn, kept, start);
  }
}

// The page cache calls clean what a failed sync has lost (Rebello et al., ATC'20): believed, it would be a
// hole that only a power cut shows.
TEST(Recovery, WhatAFailedSyncLeftInTheCacheIsNotBelieved) {
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "a")}));
  boot.machine.disk().fail_sync = true;
  boot.wal->append({entry(1, 2, 1, "lost")});
  EXPECT_FALSE(boot.machine.run([&] { boot.wal->wait_durable(Lsn(2), kNever).ignore(); }));
  boot.machine.disk().fail_sync = false;
  boot.wal.reset();

  Boot again(boot.machine.shared_disk());
  ASSERT_TRUE(again.open());
  ASSERT_TRUE(again.status.ok()) << again.status.to_string();
  EXPECT_EQ(again.found, std::vector<Record>{entry(1, 1, 1, "a")});
  ASSERT_TRUE(again.append({entry(1, 2, 2, "new")}));

  Boot third(again.machine.disk().crash([](size_t) { return size_t{0}; }));
  ASSERT_TRUE(third.open());
  ASSERT_TRUE(third.status.ok()) << third.status.to_string();
  EXPECT_EQ(third.found.back(), entry(1, 2, 2, "new"));
}

TEST(Recovery, DamageToWhatWasDurableIsRefused) {
  Wal::Options options;
  options.segment_bytes = 700;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  for (uint64_t i = 1; i <= 8; ++i) {
    ASSERT_TRUE(boot.append({entry(i % 2, i, 1, std::string(100, 'd')), entry(9, i, 1, "")}));
  }
  ASSERT_TRUE(boot.close());
  const Image image = boot.image();
  ASSERT_EQ(image.files.size(), 4u);
  size_t flips = 0;
  for (const auto& [path, file] : image.files) {
    const std::vector<size_t> offsets = batch_offsets(file);
    const bool is_last = path == image.files.rbegin()->first;
    // The note at the very end is the one batch that nothing vouches for.
    const size_t end = is_last ? offsets[offsets.size() - 2] : file.size();
    for (size_t at = 0; at < end; ++at, ++flips) {
      Image damaged = image;
      damaged.files[path][at] ^= 0x10;
      Boot start(damaged, options);
      ASSERT_TRUE(start.open());
      ASSERT_TRUE(start.status.is(Code::kCorrupt)) << path << " " << at;
      const size_t begin =
          at < kFileHeaderBytes ? 0 : *--std::upper_bound(offsets.begin(), offsets.end(), at);
      const std::string where =
          "wal corrupt: " + path + " at offset " + std::to_string(begin) + ": ";
      ASSERT_EQ(start.status.message().substr(0, where.size()), where) << at;
      ASSERT_EQ(start.image(), damaged);  // nothing is cut, nothing is written
    }
  }
  EXPECT_GT(flips, 1500u);
}

TEST(Recovery, DamageBeforeALaterBatchIsRefusedWithoutAClose) {
  std::vector<Record> records;
  const Image image = three_batches(records);
  const std::vector<size_t> offsets = batch_offsets(image.files.at(first_file()));
  for (size_t at = kFileHeaderBytes; at < offsets[2]; ++at) {
    Image damaged = image;
    damaged.files[first_file()][at] ^= 0x40;
    Boot boot(damaged);
    ASSERT_TRUE(boot.open());
    ASSERT_TRUE(boot.status.is(Code::kCorrupt)) << at;
  }
}

TEST(Recovery, DamageIsRefusedOnceTheLogHasRested) {
  Boot boot;
  boot.options.idle_marker = 500ms;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "acknowledged")}));  // and time runs on
  Image image = boot.image();
  std::string& bytes = image.files[first_file()];
  bytes[bytes.find("acknowledged")] ^= 1;
  Boot again(image);
  ASSERT_TRUE(again.open());
  EXPECT_TRUE(again.status.is(Code::kCorrupt)) << again.status.to_string();
}

TEST(Recovery, DamageIsRefusedAfterTheNextStart) {
  // The last batch is known as durable once a start has made it so.
  std::vector<Record> records;
  Boot boot(three_batches(records));
  ASSERT_TRUE(boot.open());
  Image damaged = boot.image();
  damaged.files[first_file()][batch_offsets(damaged.files[first_file()])[2] + 70] ^= 1;
  Boot again(damaged);
  ASSERT_TRUE(again.open());
  EXPECT_TRUE(again.status.is(Code::kCorrupt));
}

TEST(Recovery, AMissingFileIsRefused) {
  Wal::Options options;
  options.segment_bytes = 64;
  options.must_exist = false;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  for (uint64_t i = 1; i <= 4; ++i)
    ASSERT_TRUE(boot.append({entry(1, i, 1, "x")}));
  for (const auto& [path, file] : boot.image().files) {
    Image damaged = boot.image();
    damaged.files.erase(path);
    Boot start(damaged, options);
    ASSERT_TRUE(start.open());
    const bool is_last = path == boot.image().files.rbegin()->first;
    EXPECT_EQ(start.status.is(Code::kCorrupt), !is_last) << path;
    if (!is_last) {
      EXPECT_NE(start.status.message().find("a log file is missing"), std::string::npos);
    }
  }
  Image renamed = boot.image();
  auto last = renamed.files.extract(std::prev(renamed.files.end()));
  last.key() = "wal/wal-0000000000000009.log";
  renamed.files.insert(std::move(last));
  Boot start(renamed, options);
  ASSERT_TRUE(start.open());
  EXPECT_TRUE(start.status.is(Code::kCorrupt)) << start.status.to_string();
}

TEST(Recovery, AnEmptyLogWhereThereWasOneIsRefused) {
  Wal::Options options;
  options.must_exist = true;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  EXPECT_TRUE(boot.status.is(Code::kCorrupt));
  Boot made;
  ASSERT_TRUE(made.open());
  Boot again(made.image(), options);
  ASSERT_TRUE(again.open());
  EXPECT_TRUE(again.status.ok()) << again.status.to_string();
}

TEST(Recovery, AFileWhoseMakingWasCutShortIsRemoved) {
  std::vector<Record> records;
  const Image image = three_batches(records);
  for (const size_t size : {size_t{0}, size_t{10}, kFileHeaderBytes}) {
    Image torn = image;
    torn.files["wal/wal-0000000000000004.log"] = std::string(size, '\0');
    Boot boot(torn);
    ASSERT_TRUE(boot.open());
    ASSERT_TRUE(boot.status.ok()) << boot.status.to_string();
    EXPECT_EQ(boot.found, records);
    EXPECT_EQ(boot.image().files.size(), 1u);
    ASSERT_TRUE(boot.append({entry(1, 4, 1, "more")}));
    EXPECT_EQ(boot.read(1, 1, 4)->size(), 4u);
  }
  // But a header that had been durable is none of that.
  Image damaged = image;
  damaged.files["wal/wal-0000000000000004.log"] = std::string(kFileHeaderBytes + 1, '\0');
  Boot boot(damaged);
  ASSERT_TRUE(boot.open());
  EXPECT_TRUE(boot.status.is(Code::kCorrupt));
}

TEST(Recovery, BytesOfAClientAreNeverTakenForABatch) {
  // A client stores a forged batch, well aligned, that claims durability far ahead; then the write
  // of it tears. Were it believed, the torn tail would be taken for corruption.
  Boot boot;
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "a")}));
  const Record inner = entry(1, 9, 9, "forged");
  for (const bool knows_salt : {false, true}) {
    const std::string file = boot.image().files.at(first_file());
    const uint64_t salt = knows_salt ? decode_file_header(file)->salt : 0;
    const std::string forged =
        encode(BatchPlan({&inner}), salt, Lsn(100), {Lsn(99), Lsn(1), 0}).bytes;
    std::string body;
    // 56 + 4 + 29 bytes lie before the data: 7 more align it.
    body.append(7, '.');
    for (int i = 0; i < 20; ++i)
      body += forged;
    ASSERT_EQ(forged.size() % kBatchAlignment, 0u);
    Boot writer(boot.image());
    ASSERT_TRUE(writer.open());
    ASSERT_TRUE(writer.append({entry(1, 2, 1, body)}));
    Image torn = writer.image();
    torn.files[first_file()].resize(torn.files[first_file()].size() - 16);
    Boot start(torn);
    ASSERT_TRUE(start.open());
    // Knowing the salt it would work, which shows that the test aims well.
    EXPECT_EQ(start.status.ok(), !knows_salt) << start.status.to_string();
  }
}

// A batch that was durable once and reads as zeros now is damage, not space taken ahead.
TEST(Recovery, ZerosWhereADurableBatchWasAreRefused) {
  Wal::Options options;
  options.grow_bytes = 1000;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "one")}));
  ASSERT_TRUE(boot.append({entry(1, 2, 1, "two")}));
  const Location two = *boot.wal->locate(GroupId(1), LogIndex(2));
  ASSERT_TRUE(boot.close());
  Image image = boot.image();
  std::string& bytes = image.files.at(first_file());
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(two.offset),
            bytes.begin() + static_cast<std::ptrdiff_t>(two.offset + two.length), '\0');
  Boot again(image, options);
  ASSERT_TRUE(again.open());
  EXPECT_TRUE(again.status.is(Code::kCorrupt)) << again.status.to_string();
}

TEST(Recovery, ALogOfALaterBootIsRefused) {
  Wal::Options options;
  options.epoch = 5;
  Boot boot(Image{}, options);
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.append({entry(1, 1, 1, "a")}));
  for (const uint64_t epoch : {4U, 5U, 6U}) {
    options.epoch = epoch;
    Boot again(boot.image(), options);
    ASSERT_TRUE(again.open());
    EXPECT_EQ(again.status.ok(), epoch >= 5) << again.status.to_string();
  }
}

TEST(Recovery, OtherVersionsAreRefusedByName) {
  std::vector<Record> records;
  const Image image = three_batches(records);
  {
    Image other = image;
    std::string& file = other.files[first_file()];
    store_le<uint32_t>(file.data() + 8, 7);
    store_le(file.data() + 4, crc32c(std::string_view(file).substr(8, kFileHeaderBytes - 8)));
    Boot boot(other);
    ASSERT_TRUE(boot.open());
    EXPECT_TRUE(boot.status.is(Code::kUnsupported)) << boot.status.to_string();
    EXPECT_NE(boot.status.message().find("log file version 7"), std::string::npos);
  }
  Image other = image;
  std::string& file = other.files[first_file()];
  char* const batch = file.data() + batch_offsets(file)[2];
  store_le<uint16_t>(batch + 12, 9);
  store_le(batch + 8, crc32c({batch + 12, kBatchFixedBytes + 4 - 12},
                             crc32c(std::string_view(file).substr(24, 8))));
  Boot boot(other);
  ASSERT_TRUE(boot.open());
  EXPECT_TRUE(boot.status.is(Code::kUnsupported)) << boot.status.to_string();
  EXPECT_NE(boot.status.message().find("batch version 9"), std::string::npos);
}

TEST(Recovery, TheVisitorEndsIt) {
  std::vector<Record> records;
  Machine machine(three_batches(records));
  int calls = 0;
  ASSERT_TRUE(machine.run([&] {
    const auto wal = Wal::open(machine, machine.observer(), {}, [&](auto& record, auto&) {
      ++calls;
      return record.index == LogIndex(2) ? Status(Code::kCorrupt, "not ours") : Status();
    });
    EXPECT_EQ(wal.status().message(), "not ours");
  }));
  EXPECT_EQ(calls, 2);
}

TEST(Recovery, OtherFilesInTheDirectoryAreLeftAlone) {
  std::vector<Record> records;
  Image image = three_batches(records);
  for (const char* name : {"wal/wal-1.log", "wal/wal-000000000000000g.log", "wal/notes.txt",
                           "wal/wal-0000000000000001.log.bak"}) {
    image.files[name] = "something";
  }
  Boot boot(image);
  ASSERT_TRUE(boot.open());
  ASSERT_TRUE(boot.status.ok()) << boot.status.to_string();
  EXPECT_EQ(boot.found, records);
  EXPECT_EQ(boot.image().files.size(), 5u);
}

}  // namespace
}  // namespace drumlin::wal::test
