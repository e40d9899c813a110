// What the tests of the log share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "machine.h"
#include "wal/format.h"
#include "wal/wal.h"

namespace drumlin::wal::test {

inline Record entry(uint64_t group, uint64_t index, uint64_t term, std::string data) {
  return Record{GroupId(group), 1, Term(term), LogIndex(index), Blob(std::move(data))};
}

inline std::string first_file() {
  return "wal/wal-0000000000000001.log";
}

// One boot of a node with a log. Destroy it before looking for leaks: it kills its fibers.
struct Boot {
  explicit Boot(const Image& image = {}, Wal::Options wal_options = {})
      : machine(image), options(std::move(wal_options)) {
    no_idle_marker();
  }
  explicit Boot(std::shared_ptr<FakeDisk> disk, Wal::Options wal_options = {})
      : machine(std::move(disk)), options(std::move(wal_options)) {
    no_idle_marker();
  }
  ~Boot() { wal.reset(); }

  // False if the machine died in it.
  bool open() {
    return machine.run([this] {
      Result<std::unique_ptr<Wal>> opened =
          Wal::open(machine, machine.observer(), options,
                    [this](const Record& record, const Location& location) -> Status {
                      found.push_back(record);
                      places.push_back(location);
                      return {};
                    });
      status = opened.status();
      if (opened.ok()) wal = std::move(*opened);
    });
  }
  bool append(std::vector<Record> records) {
    return machine.run([&] {
      const Lsn lsn = wal->append(std::move(records));
      EXPECT_TRUE(wal->wait_durable(lsn, kNever).ok());
    });
  }
  Result<std::vector<Record>> read(uint64_t group, uint64_t first, uint64_t last,
                                   size_t max_bytes = SIZE_MAX / 2) {
    Result<std::vector<Record>> records = Status(Code::kIo, "the machine died");
    machine.run(
        [&] { records = wal->read(GroupId(group), LogIndex(first), LogIndex(last), max_bytes); });
    return records;
  }
  bool close() {
    return machine.run([this] { EXPECT_TRUE(wal->close().ok()); });
  }
  // Time runs on to the last timer here: a log would always be found at rest.
  void no_idle_marker() { options.idle_marker = Duration::max(); }
  const Image image() { return machine.disk().image(); }

  Machine machine;
  Wal::Options options;
  std::vector<Record> found;
  std::vector<Location> places;
  Status status;
  std::unique_ptr<Wal> wal;
};

}  // namespace drumlin::wal::test
