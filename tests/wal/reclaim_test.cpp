// The log becomes shorter at its front, by whole files, and never by one that is needed.
#include <gtest/gtest.h>

#include "log_fixture.h"

namespace drumlin::wal::test {
namespace {

Record mark(uint64_t group, std::string says) {
  return Record{GroupId(group), 3, Term(1), LogIndex(0), Blob(std::move(says))};
}

struct ReclaimTest : ::testing::Test {
  ReclaimTest() {
    options.segment_bytes = 64;  // a file for each batch
    boot = std::make_unique<Boot>(Image{}, options);
    EXPECT_TRUE(boot->open());
  }
  void append(uint64_t group, uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i)
      ASSERT_TRUE(boot->append({entry(group, i, 1, "x")}));
  }
  Status reclaim() {
    Status status;
    EXPECT_TRUE(boot->machine.run([&] { status = boot->wal->reclaim({mark(1, "m")}); }));
    return status;
  }
  size_t files() { return boot->image().files.size(); }
  void restart() {
    const Image image = boot->image();
    boot = std::make_unique<Boot>(image, options);
    ASSERT_TRUE(boot->open());
    ASSERT_TRUE(boot->status.ok()) << boot->status.to_string();
  }
  Wal::Options options;
  std::unique_ptr<Boot> boot;
};

TEST_F(ReclaimTest, NothingGoesThatCounts) {
  append(1, 1, 4);
  ASSERT_EQ(files(), 4u);
  EXPECT_TRUE(reclaim().ok());
  EXPECT_EQ(files(), 4u) << "and no mark was written";
  boot->wal->cut(GroupId(1), LogIndex(2));
  EXPECT_TRUE(reclaim().ok());
  EXPECT_EQ(files(), 3u) << "two are gone, one came with the mark";
  EXPECT_TRUE(boot->read(1, 1, 4).is(Code::kNotFound));
  ASSERT_TRUE(boot->read(1, 3, 4).ok());
  EXPECT_EQ(boot->read(1, 3, 4)->size(), 2u);
}

TEST_F(ReclaimTest, AFileWithOneEntryThatCountsStaysAndAllAfterIt) {
  append(1, 1, 2);
  append(2, 1, 1);
  append(1, 3, 4);
  boot->wal->cut(GroupId(1), LogIndex(4));
  EXPECT_TRUE(reclaim().ok());
  EXPECT_EQ(files(), 4u) << "that of group 2, the two after it, the mark's";
  boot->wal->cut(GroupId(2), LogIndex(1));
  EXPECT_TRUE(reclaim().ok());
  EXPECT_EQ(files(), 2u) << "the newest file of before, and the second mark's: see the next";
}

TEST_F(ReclaimTest, TheNewestFileStays) {
  append(1, 1, 3);
  boot->wal->cut(GroupId(1), LogIndex(3));
  EXPECT_TRUE(reclaim().ok());
  EXPECT_EQ(files(), 2u) << "the newest when it was asked, and the mark's";
}

TEST_F(ReclaimTest, ReplacedEntriesDoNotCount) {
  append(1, 1, 3);
  ASSERT_TRUE(boot->append({entry(1, 1, 2, "new")}));
  EXPECT_TRUE(reclaim().ok());
  EXPECT_EQ(files(), 2u);
  EXPECT_EQ(boot->read(1, 1, 1)->front().data.view(), "new");
}

TEST_F(ReclaimTest, ARestartFindsWhatIsLeft) {
  append(1, 1, 4);
  boot->wal->cut(GroupId(1), LogIndex(2));
  ASSERT_TRUE(reclaim().ok());
  restart();
  ASSERT_EQ(boot->found.size(), 3u);
  EXPECT_EQ(boot->found[0].index, LogIndex(3));
  EXPECT_EQ(boot->found[2], mark(1, "m"));
  append(1, 5, 6);
  boot->wal->cut(GroupId(1), LogIndex(5));
  ASSERT_TRUE(reclaim().ok());
  EXPECT_EQ(boot->read(1, 6, 6)->size(), 1u);
}

// Whatever file is missing, the rest says so: those before it may only lack if they were reclaimed.
TEST_F(ReclaimTest, AMissingFileIsNoticedAfterwards) {
  append(1, 1, 6);
  boot->wal->cut(GroupId(1), LogIndex(2));
  ASSERT_TRUE(reclaim().ok());
  const Image image = boot->image();
  for (const auto& [path, file] : image.files) {
    if (path == image.files.rbegin()->first) continue;
    Image damaged = image;
    damaged.files.erase(path);
    Boot start(damaged, options);
    ASSERT_TRUE(start.open());
    EXPECT_TRUE(start.status.is(Code::kCorrupt)) << path << " " << start.status.to_string();
  }
}

}  // namespace
}  // namespace drumlin::wal::test
