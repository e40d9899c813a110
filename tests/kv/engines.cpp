#include "engines.h"

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>

#include "kv/memory/memory.h"
#include "kv/rocksdb/rocksdb.h"

namespace drumlin::kv::test {

TempDir::TempDir() {
  // In memory if there is such a place: no test here cuts the power, so syncs would only take time.
  const std::filesystem::path memory = "/dev/shm";
  const auto place =
      std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
  path_ = (place / "drumlin-kv-XXXXXX").string();
  DRUMLIN_CHECK(mkdtemp(path_.data()) != nullptr, path_);
}

TempDir::~TempDir() {
  std::filesystem::remove_all(path_);
}

void Engine::open() {
  if (!persistent()) {
    kv_ = make_memory();
    return;
  }
  RocksOptions options;
  options.path = dir_.path() + "/kv";
  options.cache_bytes = 1 << 20;
  options.write_buffer_bytes = 64 * 1024;  // so that it flushes by itself
  auto opened = open_rocksdb(options);
  DRUMLIN_CHECK_OK(opened.status());
  kv_ = std::move(*opened);
}

Result<std::optional<std::string>> get(const Kv& kv, std::string_view key) {
  auto out = kv.get(key);
  if (!out.is(Code::kWouldBlock)) return out;
  return kv.snapshot(Access::kBlocking)->get(key);
}

Model contents(const View& view, std::string_view lower, std::string_view upper) {
  Model out;
  const auto cursor = view.cursor(lower, upper);
  std::string before;
  for (; cursor->valid(); cursor->next()) {
    const std::string key(cursor->key());
    EXPECT_TRUE(out.empty() || before < key) << "keys do not ascend";
    out.emplace(key, cursor->value());
    before = key;
  }
  EXPECT_TRUE(cursor->status().ok()) << cursor->status().to_string();
  return out;
}

Model contents(const Kv& kv) {
  return contents(*kv.snapshot(Access::kBlocking));
}

Batch put(std::string_view key, std::string value) {
  Batch batch;
  batch.put(key, std::move(value));
  return batch;
}

Batch removal(std::string_view key) {
  Batch batch;
  batch.remove(key);
  return batch;
}

}  // namespace drumlin::kv::test
