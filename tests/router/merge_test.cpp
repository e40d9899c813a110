// The merge of partitions' listings, against the union sorted whole.
#include "router/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/support/property.h"

namespace drumlin::router {
namespace {

using Part = std::vector<shard::ListedKey>;

shard::ListedKey key(std::string name) {
  shard::ListedKey out;
  out.key = std::move(name);
  return out;
}
shard::ListedKey group(std::string name) {
  shard::ListedKey out = key(std::move(name));
  out.common_prefix = true;
  return out;
}
std::string shown(const Listing& listing) {
  std::string out;
  for (const auto& item : listing.items)
    out += item.key + (item.common_prefix ? "* " : " ");
  return out + (listing.truncated ? "..." : "");
}

// The page of whole partitions.
Listing merge(std::vector<Part> parts, size_t limit) {
  Page page(parts.size(), limit, true);
  for (size_t i = 0; i < parts.size(); ++i)
    page.add(i, std::move(parts[i]), false);
  EXPECT_FALSE(page.wants());
  return std::move(page).take();
}

// As the router asks: first each for a quota, then whoever the page wants. No answer has more than `most`.
// Counts what was brought.
Listing ask(const std::vector<Part>& whole, size_t limit, bool grouped, size_t& brought,
            size_t most = SIZE_MAX) {
  Page page(whole.size(), limit, grouped);
  std::vector<size_t> given(whole.size());
  const auto give = [&](size_t i, size_t asked) {
    const auto begin = whole[i].begin() + static_cast<std::ptrdiff_t>(given[i]);
    const size_t n = std::min({asked, most, whole[i].size() - given[i]});
    given[i] += n;
    brought += n;
    page.add(i, Part(begin, begin + static_cast<std::ptrdiff_t>(n)),
             n > 0 && (n == asked || n == most));
  };
  for (size_t i = 0; i < whole.size(); ++i)
    give(i, page.quota());
  while (const auto i = page.wants()) {
    EXPECT_EQ(page.last_of(*i).key, whole[*i][given[*i] - 1].key);
    give(*i, page.refill());
  }
  return std::move(page).take();
}

TEST(Merge, InterleavesByBytes) {
  EXPECT_EQ(
      shown(merge({{key("a"), key("z"), key("\x80")}, {key("b"), key("\x7f"), key("\xff")}}, 10)),
      "a b z \x7f \x80 \xff ");
  EXPECT_EQ(shown(merge({}, 10)), "");
  EXPECT_EQ(shown(merge({{}, {key("a")}, {}}, 10)), "a ");
}

TEST(Merge, CommonPrefixCountsOnceAcrossPartitions) {
  EXPECT_EQ(shown(merge({{group("p/"), key("q")}, {group("p/")}, {key("a"), group("p/")}}, 3)),
            "a p/* q ");
  EXPECT_EQ(shown(merge({{group("p/"), key("q")}, {group("p/")}}, 1)), "p/* ...");
  EXPECT_EQ(shown(merge({{group("p/")}, {group("p/")}}, 1)), "p/* ")
      << "the rest is the same group";
}

TEST(Merge, LimitAndWhetherThereIsMore) {
  EXPECT_EQ(shown(merge({{key("a"), key("c")}, {key("b")}}, 2)), "a b ...");
  EXPECT_EQ(shown(merge({{key("a"), key("c")}, {key("b")}}, 3)), "a b c ");
  EXPECT_EQ(shown(merge({{key("a")}}, 0)), "...");
}

// Keys spread by a hash: not much more is brought than the page shows.
TEST(Merge, EvenPartitionsGiveAboutTheirShare) {
  std::vector<Part> whole(16);
  for (size_t i = 0; i < 50'000; ++i)
    whole[(i * 2654435761u >> 7) % 16].push_back(key(std::to_string(1'000'000 + i)));
  size_t brought = 0;
  const Listing page = ask(whole, 1000, false, brought);
  ASSERT_EQ(page.items.size(), 1000u);
  EXPECT_TRUE(page.truncated);
  for (size_t i = 0; i < 1000; ++i)
    ASSERT_EQ(page.items[i].key, std::to_string(1'000'000 + i));
  EXPECT_LE(brought, 16 * 90u);
}

TEST(Merge, AsksOnWhereAllKeysAre) {
  std::vector<Part> whole(4);
  for (size_t i = 0; i < 5'000; ++i)
    whole[2].push_back(key(std::to_string(1'000'000 + i)));
  for (const size_t limit : {0u, 1u, 7u, 100u, 4'999u, 5'000u, 5'001u}) {
    size_t brought = 0;
    const Listing page = ask(whole, limit, false, brought);
    EXPECT_EQ(page.items.size(), std::min<size_t>(limit, 5'000));
    EXPECT_EQ(page.truncated, limit < 5'000);
    EXPECT_LE(brought, 2 * (limit + 1) + 10);
  }
}

// Parts are cut where they were asked to be; nothing beyond the smallest cut may be emitted that could
// have something unseen before it, so the page must equal that of the whole union.
TEST(Merge, CutPartsGiveThePageOfTheWhole) {
  drumlin::test::hold(
      [] {
        const size_t limit = *rc::gen::inRange<size_t>(0, 40);
        const bool grouped = *rc::gen::arbitrary<bool>();
        const size_t favourite = *rc::gen::inRange<size_t>(0, 4);
        std::vector<std::map<std::string, bool>> whole(*rc::gen::inRange<size_t>(1, 5));
        std::map<std::string, bool> all;
        const size_t count = *rc::gen::inRange<size_t>(0, 80);
        for (size_t i = 0; i < count; ++i) {
          std::string name =
              *rc::gen::container<std::string>(3, rc::gen::element('a', 'b', '\x80', '\xff'));
          const bool is_group = grouped && *rc::gen::arbitrary<bool>();
          if (is_group) name += '/';
          const size_t drawn = *rc::gen::inRange<size_t>(0, whole.size() + 4);
          auto& part = whole[(drawn < whole.size() ? drawn : favourite) % whole.size()];
          if (!is_group && all.contains(name)) continue;  // a key lives in one partition
          part[name] = is_group;
          all[name] = is_group;
        }
        std::vector<Part> parts;
        for (const auto& items : whole) {
          Part part;
          for (const auto& [name, is_group] : items) {
            part.push_back(is_group ? group(name) : key(name));
          }
          parts.push_back(std::move(part));
        }
        Listing expected;
        for (const auto& [name, is_group] : all) {
          if (expected.items.size() == limit) {
            expected.truncated = true;
            break;
          }
          expected.items.push_back(is_group ? group(name) : key(name));
        }
        size_t brought = 0;
        RC_ASSERT(shown(ask(parts, limit, grouped, brought)) == shown(expected));
        RC_ASSERT(shown(ask(parts, limit, true, brought)) == shown(expected));
        RC_ASSERT(shown(ask(parts, limit, grouped, brought, 1)) == shown(expected));
        RC_ASSERT(shown(ask(parts, limit, grouped, brought, 3)) == shown(expected));
      },
      500);
}

}  // namespace
}  // namespace drumlin::router
