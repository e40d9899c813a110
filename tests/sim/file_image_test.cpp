// What a power cut may leave: every legal outcome appears, no other does.
#include "sim/runtime/file_image.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>

namespace drumlin::sim {
namespace {

std::string all(const FileImage& file) {
  std::string out(file.size(), '?');
  out.resize(file.read(0, out));
  return out;
}

// Outcomes of a power cut after `make`, by how often.
std::map<std::string, int> outcomes(const std::function<void(FileImage&)>& make, bool garbage,
                                    int runs = 2000) {
  std::map<std::string, int> out;
  for (int seed = 0; seed < runs; ++seed) {
    FileImage file;
    make(file);
    Rng rng(static_cast<uint64_t>(seed));
    FaultCounters counters;
    file.power_cut(rng, garbage, counters);
    std::string platter(file.platter_size(), '?');
    platter.resize(file.platter_read(0, platter));
    EXPECT_EQ(all(file), platter) << "the cache is what the platter says";
    EXPECT_EQ(file.waiting(), 0u);
    ++out[all(file)];
  }
  return out;
}

std::set<std::string> names(const std::map<std::string, int>& counted) {
  std::set<std::string> out;
  for (const auto& [name, n] : counted)
    out.insert(name);
  return out;
}

std::string sectors(std::string_view letters) {
  std::string out;
  for (const char c : letters)
    out.append(kSectorBytes, c == '0' ? '\0' : c);
  return out;
}

TEST(FileImage, ReadsWhatWasWritten) {
  FileImage file;
  file.write(5000, "hello");
  EXPECT_EQ(file.size(), 5005u);
  EXPECT_EQ(all(file), std::string(5000, '\0') + "hello");
  file.write(4094, "abcd");
  file.truncate(4096);
  EXPECT_EQ(all(file), std::string(4094, '\0') + "ab");
  file.extend(9000);
  EXPECT_EQ(all(file), std::string(4094, '\0') + "ab" + std::string(9000 - 4096, '\0'))
      << "what was cut off does not come back";
  file.extend(10);
  EXPECT_EQ(file.size(), 9000u);
}

TEST(FileImage, SyncedBytesSurviveEverything) {
  const auto after = outcomes(
      [](FileImage& file) {
        file.write(0, sectors("abc"));
        file.make_durable(file.mark());
        file.write(kSectorBytes, sectors("B"));
      },
      true);
  for (const auto& [bytes, n] : after) {
    ASSERT_EQ(bytes.size(), 3 * kSectorBytes);
    EXPECT_EQ(bytes.substr(0, kSectorBytes), sectors("a"));
    EXPECT_EQ(bytes.substr(2 * kSectorBytes), sectors("c"));
  }
  EXPECT_TRUE(after.contains(sectors("abc")));
  EXPECT_TRUE(after.contains(sectors("aBc")));
  EXPECT_GT(after.size(), 2u) << "garbage";
}

TEST(FileImage, EachWriteSurvivesVanishesOrTearsOnItsOwn) {
  const auto after = outcomes(
      [](FileImage& file) {
        file.write(0, sectors("aa"));
        file.write(2 * kSectorBytes, sectors("bb"));
      },
      false);
  // Every subset of the four sectors; the file ends with the last one.
  std::set<std::string> legal;
  for (unsigned mask = 0; mask < 16; ++mask) {
    std::string letters;
    for (unsigned i = 0; i < 4; ++i)
      letters += (mask >> i & 1) != 0 ? "aabb"[i] : '0';
    while (!letters.empty() && letters.back() == '0')
      letters.pop_back();
    legal.insert(sectors(letters));
  }
  EXPECT_EQ(names(after), legal);
  EXPECT_GT(after.at(""), 200) << "nothing survives";
  EXPECT_GT(after.at(sectors("aabb")), 200) << "all survives";
  EXPECT_GT(after.at(sectors("00bb")), 100) << "out of order";
}

TEST(FileImage, OverlappingWritesLeaveTheLaterOnTop) {
  const auto after = outcomes(
      [](FileImage& file) {
        file.write(0, "one");
        file.write(0, "two");
      },
      false);
  EXPECT_EQ(names(after), (std::set<std::string>{"", "one", "two"}));
}

TEST(FileImage, TruncateAndExtendWaitToo) {
  const auto after = outcomes(
      [](FileImage& file) {
        file.write(0, "abcdef");
        file.make_durable(file.mark());
        file.truncate(2);
        file.extend(4);
      },
      false);
  const std::string zeros(2, '\0');
  EXPECT_EQ(names(after), (std::set<std::string>{"abcdef", "ab", "ab" + zeros}));
}

TEST(FileImage, SyncCoversWhatWasThereWhenItBegan) {
  FileImage file;
  file.write(0, "a");
  const uint64_t mark = file.mark();
  file.write(1, "b");
  file.make_durable(mark);
  EXPECT_TRUE(file.durable(0, 1));
  EXPECT_FALSE(file.durable(1, 1));
  EXPECT_EQ(file.waiting(), 1u);
  file.make_durable(file.mark());
  EXPECT_TRUE(file.durable(0, 2));
}

TEST(FileImage, DurableMeansThatAPowerCutCannotChangeIt) {
  // Whatever the history, whatever the cut: what durable() promised is there after.
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed);
    FileImage file;
    for (int i = 0; i < 12; ++i) {
      const uint64_t where = rng.below(3000);
      switch (rng.below(6)) {
        case 0:
          file.truncate(where);
          break;
        case 1:
          file.extend(where);
          break;
        case 2:
          file.make_durable(rng.between(0, file.mark()));
          break;
        case 3:
          file.fail_sync(file.mark(), rng);
          break;
        default:
          file.write(where, std::string(rng.between(1, 1500), static_cast<char>('a' + i)));
      }
    }
    const std::string before = all(file);
    std::vector<uint64_t> promised;
    for (uint64_t p = 0; p < before.size(); ++p) {
      if (file.durable(p, 1)) promised.push_back(p);
    }
    FaultCounters counters;
    file.power_cut(rng, true, counters);
    const std::string after = all(file);
    for (const uint64_t p : promised) {
      ASSERT_LT(p, after.size()) << seed;
      ASSERT_EQ(after[p], before[p]) << "seed " << seed << " byte " << p;
    }
  }
}

TEST(FileImage, FailedSyncLosesWhatALaterOneReports) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FileImage file;
    Rng rng(seed);
    FaultCounters counters;
    file.write(0, "precious");
    file.fail_sync(file.mark(), rng);
    file.make_durable(file.mark());  // "fine now"
    EXPECT_EQ(all(file), "precious") << "the page cache has it still";
    const bool durable = file.durable(0, 8);
    file.power_cut(rng, false, counters);
    EXPECT_EQ(all(file), durable ? "precious" : "");
    lost += durable ? 0 : 1;
  }
  EXPECT_GT(lost, 50);
  EXPECT_LT(lost, 150);
}

TEST(FileImage, WhatWaitsIsBounded) {
  FileImage file;
  for (uint64_t i = 0; i < 10000; ++i)
    file.write(i, "x");
  EXPECT_LE(file.waiting(), 4096u);
  EXPECT_TRUE(file.durable(0, 1000)) << "the oldest were written back";
  EXPECT_FALSE(file.durable(9999, 1));
}

TEST(FileImage, FlippedBitsStayOverSyncAndCut) {
  FileImage file;
  Rng rng(1);
  FaultCounters counters;
  file.write(0, "aaaa");
  file.flip_bit(1, 1);
  EXPECT_EQ(all(file), "acaa");
  file.make_durable(file.mark());
  file.flip_bit(2, 1);
  file.power_cut(rng, true, counters);
  EXPECT_EQ(all(file), "acca");
}

TEST(FileImage, CountsWhatWasLost) {
  FaultCounters counters;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    FileImage file;
    Rng rng(seed);
    file.write(0, sectors("abcd"));
    file.power_cut(rng, false, counters);
  }
  const FaultCount lost = counters.get("lost_write");
  const FaultCount torn = counters.get("torn_write");
  EXPECT_GT(lost.effective, 100u);
  EXPECT_GT(torn.effective, 50u);
  EXPECT_LT(lost.effective + torn.effective, 450u);
}

// -- Directories

std::string show(const DirImage& dir) {
  std::string out;
  for (const auto& [name, inode] : dir.entries())
    out += name + " ";
  return out;
}

TEST(DirImage, APrefixOfTheChangesSurvives) {
  std::map<std::string, int> after;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    DirImage dir;
    const auto a = std::make_shared<Inode>();
    const auto b = std::make_shared<Inode>();
    dir.change({{"a", a}});
    dir.make_durable(dir.mark());
    dir.change({{"b", b}});
    dir.change({{"b", nullptr}, {"c", b}});  // a rename: never both, never neither
    dir.change({{"a", nullptr}});
    EXPECT_EQ(show(dir), "c ");
    Rng rng(seed);
    FaultCounters counters;
    dir.power_cut(rng, counters);
    EXPECT_EQ(dir.waiting(), 0u);
    ++after[show(dir)];
    EXPECT_EQ(counters.get("dir_loss").effective, show(dir) == "a "     ? 3u
                                                  : show(dir) == "a b " ? 2u
                                                  : show(dir) == "a c " ? 1u
                                                                        : 0u);
  }
  EXPECT_EQ(names(after), (std::set<std::string>{"a ", "a b ", "a c ", "c "}));
}

TEST(DirImage, DurableEntries) {
  DirImage dir;
  dir.change({{"a", std::make_shared<Inode>()}});
  EXPECT_FALSE(dir.durable("a"));
  const uint64_t mark = dir.mark();
  dir.change({{"b", std::make_shared<Inode>()}});
  dir.make_durable(mark);
  EXPECT_TRUE(dir.durable("a"));
  EXPECT_FALSE(dir.durable("b"));
  EXPECT_FALSE(dir.durable("c"));
  dir.change({{"a", nullptr}});
  EXPECT_FALSE(dir.durable("a"));
}

}  // namespace
}  // namespace drumlin::sim
