// The write-ahead log on the real disk: append, write, sync, told. The directory is made where the
// benchmark runs, so run it where the log will lie.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "host/host.h"
#include "wal/wal.h"

namespace drumlin::bench {
namespace {

void measure(benchmark::State& state, Runtime& runtime) {
  observe::Log log(runtime.clock(), NodeId(1), observe::Level::kError, host::stderr_log_sink());
  observe::Metrics metrics;
  const auto visitor = [](const wal::Record&, const wal::Location&) { return Status(); };
  auto opened =
      wal::Wal::open(runtime, observe::Observer{log, metrics}, wal::Wal::Options{}, visitor);
  DRUMLIN_CHECK(opened.ok(), opened.status().to_string());
  wal::Wal& wal = **opened;
  const auto records = static_cast<uint64_t>(state.range(0));
  const Blob data(std::string(static_cast<size_t>(state.range(1)), 'd'));
  uint64_t index = 0;
  for (auto _ : state) {
    ++index;
    Lsn last;
    for (uint64_t group = 1; group <= records; ++group)
      last = wal.append({wal::Record{GroupId(group), 2, Term(1), LogIndex(index), data}});
    DRUMLIN_CHECK(wal.wait_durable(last, kNever).ok());
  }
  state.SetBytesProcessed(static_cast<int64_t>(index * records * data.size()));
  DRUMLIN_CHECK(wal.close().ok());
}

void append(benchmark::State& state) {
  char name[] = "./bench-wal-XXXXXX";
  DRUMLIN_CHECK(::mkdtemp(name) != nullptr);
  host::Host::Options options;
  options.data_dir = name;
  auto host = host::Host::create(options);
  DRUMLIN_CHECK(host.ok(), host.status().to_string());
  (*host)->run([&](Runtime& runtime, Cancellation&) {
    measure(state, runtime);
    return 0;
  });
  host->reset();
  std::filesystem::remove_all(name);
}
// Wall time: most of it is the disk's, and the CPU time is another thread's.
BENCHMARK(append)
    ->Name("wal/append_and_sync")
    ->ArgNames({"records", "bytes"})
    ->Args({1, 4096})
    ->Args({16, 4096})
    ->Args({64, 4096})
    ->Args({1, 65536})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace drumlin::bench
