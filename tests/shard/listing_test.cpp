// A partition's listing: order of raw bytes, limits, groups under a delimiter, where a page begins.
#include <gtest/gtest.h>

#include <set>

#include "tests/shard/replica.h"
#include "tests/support/property.h"

namespace drumlin::shard::test {
namespace {

struct ListingTest : ::testing::Test {
  void SetUp() override { r.open_row(); }
  void fill(const std::vector<std::string>& keys) {
    for (const std::string& key : keys)
      ASSERT_EQ(r.run(put(key, "x")).code, Code::kOk);
  }
  static ListPartition request(std::string prefix = {}, std::string delimiter = {},
                               std::string after = {}, bool after_is_prefix = false,
                               uint32_t limit = 1000) {
    return {"b",
            kIncarnation,
            1,
            std::move(prefix),
            std::move(delimiter),
            std::move(after),
            after_is_prefix,
            limit};
  }
  // Common prefixes are shown with a star.
  std::vector<std::string> list(const ListPartition& request) {
    std::vector<std::string> out;
    for (const ListedKey& item : r.list(request).items) {
      out.push_back(item.key + (item.common_prefix ? "*" : ""));
    }
    return out;
  }
  using Keys = std::vector<std::string>;
  Replica r;
};

TEST_F(ListingTest, ItemsTellOfTheObject) {
  Put one = put("k", "hello");
  one.attributes.etag = "tag";
  r.run(one, {}, at(9));
  const auto reply = r.list(request());
  ASSERT_EQ(reply.items.size(), 1u);
  EXPECT_EQ(reply.items[0].key, "k");
  EXPECT_EQ(reply.items[0].size, 5u);
  EXPECT_EQ(reply.items[0].version, 2u);
  EXPECT_EQ(reply.items[0].modified, at(9));
  EXPECT_EQ(reply.items[0].etag, "tag");
  EXPECT_FALSE(reply.items[0].common_prefix);
}

TEST_F(ListingTest, OrderIsThatOfUnsignedBytes) {
  fill({"\x80", "a", "\xff", "\x7f", "z", "a\x80", std::string("a\0", 2), "\xc3\xa9"});
  EXPECT_EQ(list(request()),
            (Keys{"a", std::string("a\0", 2), "a\x80", "z", "\x7f", "\x80", "\xc3\xa9", "\xff"}));
  EXPECT_EQ(list(request("", "", "\x7f")), (Keys{"\x80", "\xc3\xa9", "\xff"}));
  EXPECT_EQ(list(request("\xff")), (Keys{"\xff"}));
}

TEST_F(ListingTest, LimitAndAfter) {
  fill({"a", "b", "c", "d"});
  EXPECT_EQ(list(request("", "", "", false, 2)), (Keys{"a", "b"}));
  EXPECT_EQ(list(request("", "", "b", false, 2)), (Keys{"c", "d"}));
  EXPECT_EQ(list(request("", "", "bb")), (Keys{"c", "d"}));
  EXPECT_EQ(list(request("", "", "d")), Keys{});
  EXPECT_EQ(list(request("", "", "", false, 0)), Keys{});
}

TEST_F(ListingTest, AfterBeforeThePrefixStillLists) {
  fill({"a", "p1", "p2", "q"});
  EXPECT_EQ(list(request("p", "", "a")), (Keys{"p1", "p2"}));
  EXPECT_EQ(list(request("p", "", "p1")), (Keys{"p2"}));
  EXPECT_EQ(list(request("p", "", "z")), Keys{});
}

TEST_F(ListingTest, GroupsAreOneItemCutBehindTheDelimiter) {
  fill({"a", "a/1", "a/2", "b//x", "b/y", "c"});
  EXPECT_EQ(list(request("", "/")), (Keys{"a", "a/*", "b/*", "c"}));
  EXPECT_EQ(list(request("b/", "/")), (Keys{"b//*", "b/y"}));
  EXPECT_EQ(list(request("a/", "/")), (Keys{"a/1", "a/2"}));
  EXPECT_EQ(list(request("", "//")), (Keys{"a", "a/1", "a/2", "b//*", "b/y", "c"}));
  EXPECT_EQ(list(request("", "/", "", false, 2)), (Keys{"a", "a/*"})) << "a group counts once";
}

TEST_F(ListingTest, AfterAGroupNoneOfItsKeysComeAgain) {
  fill({"a/1", "a/2", "a0", "b"});
  EXPECT_EQ(list(request("", "/", "a/", true)), (Keys{"a0", "b"}));
  EXPECT_EQ(list(request("a", "/", "a/", true)), (Keys{"a0"}));
  EXPECT_EQ(list(request("a/", "/", "a/", true)), Keys{});
  EXPECT_EQ(list(request("a/1", "/", "a/", true)), Keys{}) << "the prefix lies in the group";
}

TEST_F(ListingTest, AfterInsideAGroupLeavesTheGroupOut) {
  fill({"a/1", "a/2", "a/3", "b"});
  EXPECT_EQ(list(request("", "/", "a/1")), (Keys{"b"})) << "\"a/\" does not come after \"a/1\"";
  EXPECT_EQ(list(request("", "", "a/1")), (Keys{"a/2", "a/3", "b"}));
}

TEST_F(ListingTest, GroupOfHighestBytesEndsTheListing) {
  fill({"\xff\xff/x", "\xff\xff\xff"});
  EXPECT_EQ(list(request("", "\xff")), (Keys{"\xff*"}));
  EXPECT_EQ(list(request("", "\xff", "\xff", true)), Keys{});
  EXPECT_EQ(list(request("", "/", "\xff\xff/", true)), (Keys{"\xff\xff\xff"}));
}

TEST_F(ListingTest, OtherBucketsAndLivesAreNotListed) {
  fill({"k"});
  ASSERT_EQ(r.run(InstallRow{"c", kIncarnation + 1, 1}).code, Code::kOk);
  Put other = put("other", "x", kIncarnation + 1);
  other.bucket = "c";
  ASSERT_EQ(r.run(other).code, Code::kOk);
  EXPECT_EQ(list(request()), (Keys{"k"}));
  ListPartition stale = request();
  stale.incarnation = kIncarnation + 1;
  EXPECT_EQ(r.list(stale).detail, Detail::kStaleBucket);
  stale = request();
  stale.epoch = 0;
  EXPECT_EQ(r.list(stale).detail, Detail::kStaleBucket);
}

// All of it, answer by answer. The sizes of the answers but the last.
std::vector<size_t> list_on(const Replica& r, ListPartition query, std::vector<std::string>& keys) {
  std::vector<size_t> sizes;
  for (;;) {
    const ListPartitionReply reply = r.list(query);
    for (const ListedKey& item : reply.items)
      keys.push_back(item.key);
    if (reply.detail != Detail::kCut) return sizes;
    sizes.push_back(reply.items.size());
    query.after = reply.items.at(reply.items.size() - 1).key;
    query.after_is_prefix = reply.items.back().common_prefix;
  }
}

TEST_F(ListingTest, AnAnswerHasABoundWhateverIsAsked) {
  std::vector<std::string> all;
  for (size_t i = 0; i < 2 * kMaxListedKeys; ++i)
    all.push_back(std::to_string(10'000 + i));
  fill(all);
  EXPECT_EQ(r.list(request("", "", "", false, kMaxListedKeys)).detail, Detail::kNone);
  for (const uint32_t limit : {kMaxListedKeys + 1, UINT32_MAX}) {
    std::vector<std::string> keys;
    EXPECT_EQ(list_on(r, request("", "", "", false, limit), keys),
              (std::vector<size_t>{kMaxListedKeys}));
    EXPECT_EQ(keys, all) << "an end at the bound is no cut";
  }
}

TEST_F(ListingTest, AnAnswerOfLongNamesIsCut) {
  const std::string tail(1000, 'x');
  for (const std::string& delimiter : {std::string(), std::string("/")}) {
    std::vector<std::string> all;
    for (size_t i = 0; i < 600; ++i)
      all.push_back(std::to_string(1'000 + i) + tail + delimiter);
    fill(all);
    std::vector<std::string> keys;
    const std::vector<size_t> cuts = list_on(r, request("", delimiter, "", false, 1001), keys);
    ASSERT_EQ(cuts.size(), 1u);
    EXPECT_GT(cuts[0], kMaxListedBytes / 1200);
    EXPECT_LT(cuts[0], kMaxListedBytes / 1000);
    EXPECT_EQ(keys, all);
    for (const std::string& key : all)
      r.run(del(key));
  }
}

// What the header of query.h says, word for word, over all keys.
std::vector<std::string> model(const std::set<std::string>& keys, const ListPartition& q) {
  std::set<std::string> items;
  for (const std::string& key : keys) {
    if (!key.starts_with(q.prefix)) continue;
    if (q.after_is_prefix && !q.after.empty() && key.starts_with(q.after)) continue;
    std::string item = key;
    bool group = false;
    if (!q.delimiter.empty()) {
      const size_t at = key.find(q.delimiter, q.prefix.size());
      group = at != std::string::npos;
      if (group) item = key.substr(0, at + q.delimiter.size());
    }
    if (item > q.after) items.insert(item + (group ? "*" : ""));
  }
  std::vector<std::string> out(items.begin(), items.end());
  std::sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
    const auto bare = [](const std::string& s) {
      return s.ends_with('*') ? s.substr(0, s.size() - 1) : s;
    };
    return bare(a) < bare(b);
  });
  if (out.size() > q.limit) out.resize(q.limit);
  return out;
}

TEST_F(ListingTest, AgreesWithTheModel) {
  drumlin::test::hold(
      [] {
        const auto text = rc::gen::container<std::string>(rc::gen::element('a', '/', '0', '\xff'));
        const auto some = [&](size_t most) {
          std::string s = *text;
          return s.substr(0, std::min(s.size(), most));
        };
        ListingTest_AgreesWithTheModel_Test world;
        world.r.open_row();
        std::set<std::string> keys;
        const auto count = *rc::gen::inRange<size_t>(0, 12);
        for (size_t i = 0; i < count; ++i) {
          std::string key = some(4);
          if (key.empty()) continue;
          world.r.run(put(key, "x"));
          keys.insert(std::move(key));
        }
        ListPartition q = request(some(2), some(1), some(3), *rc::gen::arbitrary<bool>(),
                                  *rc::gen::inRange<uint32_t>(0, 6));
        RC_ASSERT(world.list(q) == model(keys, q));
      },
      500);
}

}  // namespace
}  // namespace drumlin::shard::test
