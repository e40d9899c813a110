// The planner: balanced, stable, and the same on every node.
#include "placement/planner.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace drumlin::placement {
namespace {

std::vector<NodeId> ids(size_t n) {
  std::vector<NodeId> out;
  for (size_t i = 1; i <= n; ++i)
    out.push_back(NodeId(i));
  return out;
}

TEST(Planner, RowsAreDistinctAndLoadIsBounded) {
  for (size_t n = 1; n <= 20; ++n) {
    const size_t r = std::min<size_t>(3, n);
    const ShardTable table = plan(ids(n), 256, r);
    std::map<NodeId, size_t> load;
    for (const auto& row : table.replicas) {
      EXPECT_EQ(std::set<NodeId>(row.begin(), row.end()).size(), r);
      for (NodeId node : row)
        ++load[node];
    }
    const size_t mean = 256 * r / n;
    for (const auto& [node, count] : load)
      EXPECT_LE(count, mean * 105 / 100 + 2) << n << " nodes";
    EXPECT_EQ(load.size(), n);
  }
}

TEST(Planner, OrderOfTheConfigDoesNotMatter) {
  EXPECT_EQ(plan({NodeId(3), NodeId(1), NodeId(2)}, 64, 2), plan(ids(3), 64, 2));
}

TEST(Planner, FirstReplicasSpread) {
  std::map<NodeId, size_t> first;
  for (const auto& row : plan(ids(3), 256, 3).replicas)
    ++first[row[0]];
  for (const auto& [node, count] : first)
    EXPECT_GT(count, 60u);
}

TEST(Planner, TableIsFrozen) {
  // Nodes compute the table apart from each other: changing the hash splits clusters at start.
  const ShardTable table = plan(ids(3), 4, 2);
  std::string shown;
  for (const auto& row : table.replicas)
    shown += row[0].to_string() + row[1].to_string() + " ";
  EXPECT_EQ(shown, "32 31 13 21 ");
}

TEST(ShardTable, RoundTripsAndRefusesDamage) {
  const ShardTable table = plan(ids(5), 16, 3);
  const std::string bytes = table.encode();
  EXPECT_EQ(ShardTable::decode(bytes).value(), table);
  for (size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_FALSE(ShardTable::decode(bytes.substr(0, cut)).ok());
  EXPECT_FALSE(ShardTable::decode(bytes + "x").ok());
}

}  // namespace
}  // namespace drumlin::placement
