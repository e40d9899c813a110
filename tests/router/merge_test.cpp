// The merge of partitions' listings, against the union sorted whole.
#include "router/merge.h"

#include <gtest/gtest.h>

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

// Parts are cut at limit + 1 items, as partitions do; nothing beyond the smallest cut may be
// emitted that could have something unseen before it, so the page must equal that of the whole
// union.
TEST(Merge, CutPartsGiveThePageOfTheWhole) {
  drumlin::test::hold(
      [] {
        const size_t limit = *rc::gen::inRange<size_t>(0, 6);
        std::vector<std::map<std::string, bool>> whole(*rc::gen::inRange<size_t>(1, 5));
        std::map<std::string, bool> all;
        const size_t count = *rc::gen::inRange<size_t>(0, 30);
        for (size_t i = 0; i < count; ++i) {
          std::string name =
              *rc::gen::container<std::string>(2, rc::gen::element('a', 'b', '\x80', '\xff'));
          const bool is_group = *rc::gen::arbitrary<bool>();
          if (is_group) name += '/';
          auto& part = whole[*rc::gen::inRange<size_t>(0, whole.size())];
          if (!is_group && all.contains(name)) continue;  // a key lives in one partition
          part[name] = is_group;
          all[name] = is_group;
        }
        std::vector<Part> parts;
        for (const auto& items : whole) {
          Part part;
          for (const auto& [name, is_group] : items) {
            if (part.size() <= limit) part.push_back(is_group ? group(name) : key(name));
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
        RC_ASSERT(shown(merge(parts, limit)) == shown(expected));
      },
      500);
}

}  // namespace
}  // namespace drumlin::router
