// kv/rocksdb: what only an engine on a disk can do wrong.
#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <deque>
#include <filesystem>
#include <fstream>

#include "engines.h"
#include "kv/rocksdb/rocksdb.h"

namespace drumlin::kv::test {
namespace {

namespace fs = std::filesystem;

// RocksDB's jobs wait here until the test runs them.
class ManualEnv final : public rocksdb::EnvWrapper {
 public:
  ManualEnv() : rocksdb::EnvWrapper(rocksdb::Env::Default()) {}

  void Schedule(void (*function)(void*), void* arg, Priority /*priority*/, void* tag,
                void (*unschedule)(void*)) override {
    jobs_.push_back({function, arg, tag, unschedule});
  }
  int UnSchedule(void* tag, Priority /*priority*/) override {
    int dropped = 0;
    for (auto it = jobs_.begin(); it != jobs_.end();) {
      if (it->tag != tag) {
        ++it;
        continue;
      }
      const Job job = *it;
      it = jobs_.erase(it);
      if (job.unschedule != nullptr) job.unschedule(job.arg);
      ++dropped;
    }
    return dropped;
  }
  void run_jobs() {
    while (!jobs_.empty()) {
      const Job job = jobs_.front();
      jobs_.pop_front();
      job.function(job.arg);
    }
  }

 private:
  struct Job {
    void (*function)(void*);
    void* arg;
    void* tag;
    void (*unschedule)(void*);
  };
  std::deque<Job> jobs_;
};

// Makes no tables while `failure` is not OK.
class FailingFiles final : public rocksdb::FileSystemWrapper {
 public:
  FailingFiles() : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FailingFiles"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& file,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* context) override {
    if (!failure.ok() && name.ends_with(".sst")) return failure;
    return rocksdb::FileSystemWrapper::NewWritableFile(name, file, out, context);
  }
  rocksdb::IOStatus failure;
};

class RocksDb : public testing::Test {
 protected:
  std::unique_ptr<Kv> open() {
    auto out = open_rocksdb(options);
    EXPECT_TRUE(out.ok()) << out.status().to_string();
    return out.ok() ? std::move(*out) : nullptr;
  }
  Status refusal() {
    auto out = open_rocksdb(options);
    EXPECT_FALSE(out.ok());
    if (!out.ok()) {
      EXPECT_NE(out.status().message().find(options.path), std::string::npos);
    }
    return out.ok() ? Status() : out.status();
  }
  std::string file(const std::string& ending) {
    for (const auto& entry : fs::directory_iterator(options.path)) {
      if (entry.path().string().ends_with(ending)) return entry.path().string();
    }
    ADD_FAILURE() << "no file " << ending;
    return {};
  }
  void store(int keys) {
    const auto kv = open();
    for (int i = 0; i < keys; ++i) {
      ASSERT_TRUE(kv->write(put("key" + std::to_string(1000 + i), std::string(1000, 'v')),
                            Access::kBlocking)
                      .ok());
    }
    ASSERT_TRUE(kv->flush().ok());
  }

  TempDir dir;
  ManualEnv env;
  RocksOptions options{dir.path() + "/kv", 1 << 20, 1 << 20, 100, nullptr};  // no flush but ours
};

TEST_F(RocksDb, WhatIsOnTheDiskOnlyWouldBlock) {
  store(100);
  const auto kv = open();
  EXPECT_EQ(kv->get("key1000").code(), Code::kWouldBlock);
  const auto cursor = kv->cursor("", "");
  EXPECT_FALSE(cursor->valid());
  EXPECT_EQ(cursor->status().code(), Code::kWouldBlock);
  EXPECT_EQ(kv->snapshot(Access::kNonBlocking)->get("key1000").code(), Code::kWouldBlock);

  const auto view = kv->snapshot(Access::kBlocking);
  EXPECT_EQ(*view->get("key1000"), std::string(1000, 'v'));
  EXPECT_EQ(contents(*view).size(), 100u);

  // Now it is in the cache.
  EXPECT_EQ(*kv->get("key1000"), std::string(1000, 'v'));
  EXPECT_EQ(contents(*kv->snapshot(Access::kNonBlocking)).size(), 100u);
  // New writes never need the disk.
  ASSERT_TRUE(kv->write(put("new", "x"), Access::kNonBlocking).ok());
  EXPECT_EQ(*kv->get("new"), "x");
}

TEST_F(RocksDb, AFlushDoesNotTakeAwayWhatCouldBeReadAtOnce) {
  const auto kv = open();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(kv->write(put(std::to_string(i), std::string(1000, 'v')), Access::kBlocking).ok());
  }
  ASSERT_TRUE(kv->flush().ok());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(*kv->get(std::to_string(i)), std::string(1000, 'v'));
  }
}

TEST_F(RocksDb, AWriteThatWouldWaitForFlushesWritesNothing) {
  options.write_buffer_bytes = 64 * 1024;
  options.env = &env;
  const auto kv = open();
  Status status;
  int written = 0;
  for (; written < 10000 && status.ok(); ++written) {
    Batch batch = put("key" + std::to_string(written), std::string(4000, 'v'));
    batch.put("last", std::to_string(written));
    status = kv->write(batch, Access::kNonBlocking);
  }
  ASSERT_EQ(status.code(), Code::kWouldBlock) << status.to_string();
  const int refused = --written;
  EXPECT_EQ(*kv->get("last"), std::to_string(refused - 1));
  EXPECT_EQ(*kv->get("key" + std::to_string(refused)), std::nullopt);
  EXPECT_EQ(kv->write(put("x", "y"), Access::kNonBlocking).code(), Code::kWouldBlock);

  env.run_jobs();
  ASSERT_TRUE(kv->write(put("x", "y"), Access::kNonBlocking).ok());
  EXPECT_EQ(*get(*kv, "last"), std::to_string(refused - 1));
  EXPECT_EQ(*get(*kv, "x"), "y");
}

TEST_F(RocksDb, AFailedFlushIsToldAndStaysFailed) {
  const auto failures = [] {
    auto passing = rocksdb::IOStatus::IOError("the disk is on fire");
    auto full = rocksdb::IOStatus::NoSpace("the disk is full");
    passing.SetRetryable(true);  // as RocksDB says: these it would keep for itself
    full.SetRetryable(true);
    return std::vector{rocksdb::IOStatus::IOError("the disk is on fire"), passing, full};
  }();
  for (size_t i = 0; i < failures.size(); ++i) {
    const auto files = std::make_shared<FailingFiles>();
    const auto failing_env = rocksdb::NewCompositeEnv(files);
    options.path = dir.path() + "/" + std::to_string(i);
    options.env = failing_env.get();
    const auto kv = open();
    ASSERT_TRUE(kv->write(put("a", "1"), Access::kBlocking).ok());
    files->failure = failures[i];
    const Code code = failures[i].IsNoSpace() ? Code::kNoSpace : Code::kIo;
    const Status status = kv->flush();
    EXPECT_EQ(status.code(), code) << status.to_string();
    EXPECT_NE(status.message().find("the disk is"), std::string::npos) << status.to_string();
    EXPECT_EQ(kv->write(put("b", "2"), Access::kNonBlocking).code(), code);
    EXPECT_EQ(kv->write(put("b", "2"), Access::kBlocking).code(), code);
    EXPECT_EQ(kv->flush().code(), code);
    EXPECT_EQ(*kv->get("a"), "1");
    EXPECT_EQ(*kv->get("b"), std::nullopt);
  }
}

TEST_F(RocksDb, DamageIsFound) {
  store(100);
  {
    std::fstream table(file(".sst"), std::ios::in | std::ios::out | std::ios::binary);
    table.seekp(500);  // within the first value
    table.put('!');
  }
  const auto kv = open();
  const auto view = kv->snapshot(Access::kBlocking);
  EXPECT_EQ(view->get("key1000").code(), Code::kCorrupt);
  EXPECT_EQ(view->cursor("", "")->status().code(), Code::kCorrupt);
  EXPECT_EQ(*view->get("key1099"), std::string(1000, 'v'));
}

TEST_F(RocksDb, AMissingTableIsFound) {
  store(100);
  fs::remove(file(".sst"));
  EXPECT_FALSE(refusal().ok());
}

TEST_F(RocksDb, ALostCurrentIsNotANewStore) {
  store(10);
  fs::remove(options.path + "/CURRENT");
  EXPECT_EQ(refusal().code(), Code::kCorrupt);
  EXPECT_FALSE(file(".sst").empty());
}

TEST_F(RocksDb, AForeignDirectoryIsLeftAlone) {
  fs::create_directory(options.path);
  std::ofstream(options.path + "/thesis.tex") << "precious";
  const Status status = refusal();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.message().find("thesis.tex"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(options.path), fs::directory_iterator()), 1);
}

TEST_F(RocksDb, AnotherFormatIsNotTouched) {
  store(10);
  std::ofstream(options.path + "/drumlin-kv") << "drumlin kv 2\n";
  EXPECT_EQ(refusal().code(), Code::kUnsupported);
}

TEST_F(RocksDb, ACreationThatBrokeOffIsTakenUp) {
  fs::create_directory(options.path);
  std::ofstream(options.path + "/drumlin-kv.new") << "drum";
  store(10);
  const auto kv = open();
  EXPECT_EQ(contents(*kv).size(), 10u);
}

TEST_F(RocksDb, PathsThatCannotBe) {
  options.path = dir.path() + "/no/such/parent";
  EXPECT_EQ(refusal().code(), Code::kIo);
  options.path = dir.path() + "/file";
  std::ofstream(options.path) << "x";
  EXPECT_EQ(refusal().code(), Code::kIo);
}

TEST_F(RocksDb, OneProcessAtATime) {
  const auto kv = open();
  EXPECT_EQ(refusal().code(), Code::kIo);
}

TEST_F(RocksDb, ItLeavesNoLog) {
  store(10);
  EXPECT_FALSE(fs::exists(options.path + "/LOG"));
}

}  // namespace
}  // namespace drumlin::kv::test
