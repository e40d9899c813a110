// A page of a bucket: the partitions' parts merged.
#include <benchmark/benchmark.h>

#include "base/check.h"
#include "router/merge.h"
#include "shard/query.h"

namespace drumlin::bench {
namespace {

constexpr size_t kPartitions = 16;
constexpr size_t kLimit = 1000;

std::vector<std::vector<shard::ListedKey>> parts_of(size_t keys) {
  std::vector<std::vector<shard::ListedKey>> parts(kPartitions);
  for (size_t i = 0; i < keys; ++i) {
    shard::ListedKey item;
    item.key = "some/prefix/key-" + std::to_string(1000000 + i);
    item.etag = "0123456789abcdef0123456789abcdef";
    parts[i * 7 % kPartitions].push_back(std::move(item));
  }
  return parts;
}

void merge_page(benchmark::State& state) {
  const auto parts = parts_of(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    auto copy = parts;
    state.ResumeTiming();
    router::Page page(kPartitions, kLimit, false);
    for (size_t i = 0; i < kPartitions; ++i)
      page.add(i, std::move(copy[i]), false);
    DRUMLIN_CHECK(!page.wants());
    DRUMLIN_CHECK_EQ(std::move(page).take().items.size(), kLimit);
  }
}
BENCHMARK(merge_page)->Name("listing/merge")->Arg(1001)->Arg(16016);

void decode_part(benchmark::State& state) {
  shard::ListPartitionReply reply;
  reply.items = std::move(parts_of(16016)[0]);
  const std::string bytes = shard::encode(reply);
  for (auto _ : state)
    DRUMLIN_CHECK(shard::decode_list_partition_reply(bytes).ok());
}
BENCHMARK(decode_part)->Name("listing/decode_part");

}  // namespace
}  // namespace drumlin::bench
