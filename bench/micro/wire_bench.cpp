// What travels between nodes, and what lies in the log: commands, batches of Raft messages, frames.
#include <benchmark/benchmark.h>

#include <deque>

#include "base/check.h"
#include "replica/wire.h"
#include "rpc/frame.h"
#include "shard/command.h"

namespace drumlin::bench {
namespace {

shard::Command put_command(std::string_view body) {
  shard::Put put;
  put.bucket = "bucket";
  put.incarnation = 7;
  put.epoch = 1;
  put.key = "key-00000001";
  put.attributes.etag = "0123456789abcdef0123456789abcdef";
  put.attributes.headers = {{"Content-Type", "application/octet-stream"}};
  put.body = body;
  shard::Command command;
  command.session = {1, 2, 3, 2};
  command.payload = std::move(put);
  return command;
}

void encode_command(benchmark::State& state) {
  const std::string body(static_cast<size_t>(state.range(0)), 'b');
  const shard::Command command = put_command(body);
  for (auto _ : state)
    benchmark::DoNotOptimize(shard::encode(command));
}
BENCHMARK(encode_command)->Name("command/encode")->Arg(0)->Arg(4096)->Arg(65536);

void decode_command(benchmark::State& state) {
  const std::string body(static_cast<size_t>(state.range(0)), 'b');
  const std::string bytes = shard::encode(put_command(body));
  for (auto _ : state)
    DRUMLIN_CHECK(shard::decode_command(bytes).ok());
}
BENCHMARK(decode_command)->Name("command/decode")->Arg(0)->Arg(4096)->Arg(65536);

// `messages` appends of one entry each, or heartbeats if the entry has no bytes.
std::vector<replica::GroupMessage> batch_of(size_t messages, size_t entry_bytes) {
  std::vector<replica::GroupMessage> out(messages);
  for (size_t i = 0; i < messages; ++i) {
    raft::Message& m = out[i].message;
    out[i].group = GroupId(i);
    m.from = NodeId(1);
    m.to = NodeId(2);
    m.term = Term(3);
    m.commit = LogIndex(1000);
    if (entry_bytes == 0) continue;
    m.type = raft::MessageType::kAppend;
    m.index = LogIndex(1000);
    m.entries.push_back(
        {Term(3), LogIndex(1001), raft::EntryKind::kCommand, Blob(std::string(entry_bytes, 'e'))});
  }
  return out;
}

void encode_batch(benchmark::State& state) {
  const auto batch =
      batch_of(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  for (auto _ : state)
    benchmark::DoNotOptimize(replica::encode_batch(batch));
}
BENCHMARK(encode_batch)
    ->Name("raft_batch/encode")
    ->Args({85, 0})
    ->Args({1, 4096})
    ->Args({16, 4096});

void decode_batch(benchmark::State& state) {
  const std::string bytes = replica::encode_batch(
      batch_of(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1))));
  for (auto _ : state)
    DRUMLIN_CHECK(replica::decode_batch(bytes, NodeId(1), NodeId(2)).ok());
}
BENCHMARK(decode_batch)
    ->Name("raft_batch/decode")
    ->Args({85, 0})
    ->Args({1, 4096})
    ->Args({16, 4096});

// What is written can be read again.
class Loopback final : public Stream {
 public:
  Result<size_t> read_some(std::span<char> into) override {
    const size_t n = std::min(into.size(), bytes_.size() - read_);
    std::copy_n(bytes_.data() + read_, n, into.data());
    read_ += n;
    if (read_ == bytes_.size()) {
      bytes_.clear();
      read_ = 0;
    }
    return n;
  }
  Result<size_t> write_some(std::span<const std::string_view> pieces) override {
    size_t n = 0;
    for (std::string_view piece : pieces) {
      bytes_.append(piece);
      n += piece.size();
    }
    return n;
  }
  void set_read_deadline(Instant /*deadline*/) override {}
  void set_write_deadline(Instant /*deadline*/) override {}
  void shutdown_write() override {}
  void close() override {}
  Endpoint peer() const override { return {}; }

 private:
  std::string bytes_;
  size_t read_ = 0;
};

// Written with checksum and MAC, read and checked again.
void frame_round_trip(benchmark::State& state) {
  const std::string key = state.range(1) != 0 ? std::string(32, 'k') : std::string();
  rpc::FrameStream frames(std::make_unique<Loopback>(), key, key);
  std::vector<rpc::Frame> out(1);
  out[0].payload.assign(static_cast<size_t>(state.range(0)), 'p');
  for (auto _ : state) {
    DRUMLIN_CHECK(frames.write(out).ok());
    DRUMLIN_CHECK(frames.read().ok());
  }
}
BENCHMARK(frame_round_trip)
    ->Name("frame/round_trip")
    ->ArgNames({"bytes", "mac"})
    ->Args({64, 0})
    ->Args({64, 1})
    ->Args({4096, 0})
    ->Args({4096, 1})
    ->Args({65536, 1});

}  // namespace
}  // namespace drumlin::bench
