// host: both faces of the disk on a real file system, and the lock of the data directory.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/host/fixture.h"

namespace drumlin::host::test {
namespace {

template <typename Files>
std::vector<std::string> names(Files& disk, std::string_view path) {
  std::vector<std::string> out;
  const auto entries = disk.list(path);
  EXPECT_TRUE(entries.ok()) << entries.status().to_string();
  if (!entries.ok()) return out;
  for (const DirEntry& entry : *entries) {
    out.push_back(entry.name + (entry.is_directory ? "/" : ":" + std::to_string(entry.size_bytes)));
  }
  return out;
}

using Names = std::vector<std::string>;

template <typename Calls>
std::string read(Calls& file, uint64_t offset, size_t n) {
  std::string out(n, '?');
  const auto got = file.read_at(offset, out);
  EXPECT_TRUE(got.ok()) << got.status().to_string();
  out.resize(got.ok() ? *got : 0);
  return out;
}

template <typename Files>
void check_file(Files& disk) {
  EXPECT_EQ(disk.open("log", OpenMode::kRead).code(), Code::kNotFound);
  EXPECT_EQ(disk.open("log", OpenMode::kReadWrite).code(), Code::kNotFound);
  auto opened = disk.open("log", OpenMode::kCreateNew);
  ASSERT_TRUE(opened.ok()) << opened.status().to_string();
  auto& file = **opened;
  EXPECT_EQ(disk.open("log", OpenMode::kCreateNew).code(), Code::kAlreadyExists);

  EXPECT_TRUE(file.write_at(0, "hello").ok());
  EXPECT_TRUE(file.write_at(8, "world").ok());
  EXPECT_EQ(read(file, 0, 100), std::string("hello\0\0\0world", 13)) << "a gap reads as zeros";
  EXPECT_EQ(read(file, 3, 4), std::string("lo\0\0", 4));
  EXPECT_EQ(read(file, 13, 10), "") << "at the end";
  EXPECT_EQ(read(file, 99, 10), "") << "beyond the end";
  EXPECT_TRUE(file.write_at(1, "EL").ok());
  EXPECT_EQ(read(file, 0, 5), "hELlo");
  EXPECT_EQ(file.size().value(), 13u);
  EXPECT_TRUE(file.sync().ok());

  EXPECT_TRUE(file.truncate(3).ok());
  EXPECT_EQ(read(file, 0, 100), "hEL");
  EXPECT_TRUE(file.preallocate(6).ok());
  EXPECT_EQ(read(file, 0, 100), std::string("hEL\0\0\0", 6));
  EXPECT_TRUE(file.preallocate(2).ok());
  EXPECT_TRUE(file.preallocate(0).ok());
  EXPECT_EQ(file.size().value(), 6u) << "never shrinks";

  const std::string large(3'000'001, 'x');
  EXPECT_TRUE(file.write_at(0, large).ok());
  EXPECT_TRUE(read(file, 0, large.size() + 1) == large);
  opened = disk.open("log", OpenMode::kRead);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ((*opened)->size().value(), large.size());
  EXPECT_EQ((*opened)->write_at(0, "x").code(), Code::kIo) << "opened for reading";
  EXPECT_TRUE(disk.open("log", OpenMode::kCreate).ok());
  EXPECT_EQ((*opened)->size().value(), large.size()) << "kCreate keeps what is there";
}

template <typename Files>
void check_directories(Files& disk) {
  EXPECT_TRUE(disk.create_dir("d").ok());
  EXPECT_TRUE(disk.create_dir("d").ok()) << "OK if it is there";
  EXPECT_EQ(disk.create_dir("missing/d").code(), Code::kNotFound);
  for (const char* name : {"d/b", "d/a", "d/c"}) {
    const auto file = disk.open(name, OpenMode::kCreate);
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE((*file)->write_at(0, name).ok());
  }
  EXPECT_TRUE(disk.create_dir("d/aa").ok());
  EXPECT_EQ(names(disk, "d"), (Names{"a:3", "aa/", "b:3", "c:3"}));
  EXPECT_EQ(names(disk, ""), (Names{"d/", "log:3000001"})) << "the lock is not ours to see";
  EXPECT_EQ(disk.create_dir("d/a").code(), Code::kAlreadyExists) << "a file";
  EXPECT_EQ(disk.open("d/aa", OpenMode::kRead).code(), Code::kIo) << "a directory";

  EXPECT_TRUE(disk.rename("d/a", "d/b").ok()) << "replaces";
  EXPECT_EQ(disk.rename("d/a", "d/b").code(), Code::kNotFound);
  auto renamed = disk.open("d/b", OpenMode::kRead);
  ASSERT_TRUE(renamed.ok());
  EXPECT_EQ(read(**renamed, 0, 9), "d/a");
  EXPECT_EQ(disk.remove("d").code(), Code::kAlreadyExists) << "not empty";
  EXPECT_TRUE(disk.remove("d/aa").ok());
  EXPECT_TRUE(disk.remove("d/c").ok());
  EXPECT_EQ(disk.remove("d/c").code(), Code::kNotFound);
  EXPECT_EQ(names(disk, "d"), (Names{"b:3"}));
  EXPECT_EQ(read(**renamed, 0, 9), "d/a");
  EXPECT_TRUE(disk.sync_dir("d").ok());
  EXPECT_TRUE(disk.sync_dir("").ok());
  EXPECT_EQ(disk.sync_dir("missing").code(), Code::kNotFound);
  EXPECT_EQ(disk.list("missing").code(), Code::kNotFound);
  EXPECT_GT(disk.free_bytes().value(), 0u);
}

template <typename Files>
void check_errors(Files& disk) {
  for (const char* path :
       {"/etc/passwd", "../x", "d/../../x", ".", "d/.", "d//x", "d/", "/", "LOCK"}) {
    EXPECT_EQ(disk.open(path, OpenMode::kCreate).code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(disk.remove(path).code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(disk.rename(path, "x").code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(disk.rename("d/b", path).code(), Code::kInvalidArgument) << path;
  }
  const auto missing = disk.open("d/nothing", OpenMode::kRead);
  EXPECT_EQ(missing.status().to_string(), "not_found: open d/nothing: No such file or directory");

  auto full = disk.open("full", OpenMode::kReadWrite);  // a link to /dev/full
  ASSERT_TRUE(full.ok()) << full.status().to_string();
  EXPECT_EQ((*full)->write_at(0, "x").to_string(), "no_space: write full: No space left on device");
  EXPECT_EQ((*full)->sync().code(), Code::kIo) << "what a device says that cannot be synced";
}

class DiskTest : public ::testing::Test {
 public:
  void with_disk(const std::function<void(Runtime&)>& body) { on_host(body, dir / "data"); }

  template <typename Files>
  void check_all(Files& disk) {
    check_file(disk);
    check_directories(disk);
    ASSERT_EQ(::symlink("/dev/full", (dir / "data/full").c_str()), 0);
    check_errors(disk);
  }

  TempDir dir;
};

TEST_F(DiskTest, FiberFace) {
  with_disk([&](Runtime& runtime) { check_all(runtime.disk()); });
}

TEST_F(DiskTest, BlockingFace) {
  with_disk(
      [&](Runtime& runtime) { runtime.offload([&] { check_all(runtime.disk().blocking()); }); });
}

TEST_F(DiskTest, TheFacesSeeTheSameFiles) {
  with_disk([](Runtime& runtime) {
    auto file = runtime.disk().open("f", OpenMode::kCreate);
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE((*file)->write_at(0, "one").ok());
    runtime.offload([&] {
      auto same = runtime.disk().blocking().open("f", OpenMode::kReadWrite);
      ASSERT_TRUE(same.ok());
      EXPECT_EQ(read(**same, 0, 9), "one");
      EXPECT_TRUE((*same)->write_at(0, "two").ok());
    });
    EXPECT_EQ(read(**file, 0, 9), "two");
  });
}

TEST_F(DiskTest, ManyFibersAtOnce) {
  with_disk([](Runtime& runtime) {
    Fibers fibers(runtime);
    size_t right = 0;
    for (int id = 0; id < 50; ++id) {
      fibers.spawn([&, id] {
        const std::string name = "f" + std::to_string(id);
        auto file = runtime.disk().open(name, OpenMode::kCreateNew);
        ASSERT_TRUE(file.ok());
        for (uint64_t i = 0; i < 20; ++i) {
          ASSERT_TRUE(
              (*file)->write_at(i * 1000, std::string(1000, static_cast<char>('a' + i))).ok());
        }
        ASSERT_TRUE((*file)->sync().ok());
        for (uint64_t i = 0; i < 20; ++i) {
          if (read(**file, i * 1000, 1000) == std::string(1000, static_cast<char>('a' + i)))
            ++right;
        }
      });
    }
    fibers.wait();
    EXPECT_EQ(right, 50u * 20u);
    EXPECT_EQ(names(runtime.disk(), "").size(), 50u);
  });
}

// -- The data directory.

TEST(DataDir, IsMadeForThisUserAlone) {
  TempDir dir;
  on_host([&](Runtime& runtime) { EXPECT_EQ(runtime.disk().root(), dir / "a/b/c"); },
          dir / "a/b/c/");
  struct stat info {};
  ASSERT_EQ(::stat((dir / "a/b/c").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0700u);
  on_host([](Runtime& runtime) { EXPECT_TRUE(names(runtime.disk(), "").empty()); }, dir / "a/b/c");
}

TEST(DataDir, HasOneOwner) {
  TempDir dir;
  Host::Options options;
  options.data_dir = dir.path();
  {
    const auto owner = Host::create(options);
    ASSERT_TRUE(owner.ok());
    const auto second = Host::create(options);
    EXPECT_EQ(second.status().to_string(), "failed_precondition: data directory " + dir.path() +
                                               " is in use by another process");
  }
  EXPECT_TRUE(Host::create(options).ok()) << "given back";
}

TEST(DataDir, SaysWhyNot) {
  TempDir dir;
  { const auto made = make_host(dir / "data"); }
  Host::Options options;
  options.data_dir = dir / "data/LOCK";  // a file
  auto made = Host::create(options);
  EXPECT_EQ(made.status().message(),
            "data directory: open " + options.data_dir + ": Not a directory");
  options.data_dir = dir / "data/LOCK/below";
  made = Host::create(options);
  EXPECT_NE(made.status().message().find(options.data_dir), std::string::npos)
      << made.status().message();
}

TEST(DataDir, NeedsItsPermissions) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may do everything";
  TempDir dir;
  { const auto made = make_host(dir / "data"); }
  ASSERT_EQ(::chmod((dir / "data").c_str(), 0500), 0);
  Host::Options options;
  options.data_dir = dir / "data";
  auto made = Host::create(options);
  EXPECT_EQ(made.code(), Code::kPermissionDenied) << made.status().to_string();
  EXPECT_NE(made.status().message().find(options.data_dir), std::string::npos);
  options.data_dir = dir / "data/below";
  made = Host::create(options);
  EXPECT_EQ(made.code(), Code::kPermissionDenied) << made.status().to_string();
  ASSERT_EQ(::chmod((dir / "data").c_str(), 0700), 0);
}

}  // namespace
}  // namespace drumlin::host::test
