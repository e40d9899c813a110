// The fiber face of the disk: the calls of files.h on a pool of threads.
#pragma once

#include "host/data_dir.h"
#include "host/files.h"
#include "host/pool.h"
#include "runtime/disk.h"

namespace drumlin::host {

class PosixDisk final : public Disk {
 public:
  PosixDisk(DataDir dir, Pool& pool)
      : dir_(std::move(dir)), blocking_(dir_.root.get()), pool_(pool) {}
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Status rename(std::string_view from, std::string_view to) override;
  Status remove(std::string_view path) override;
  Status create_dir(std::string_view path) override;
  Status sync_dir(std::string_view path) override;
  Result<std::vector<DirEntry>> list(std::string_view path) override;
  Result<uint64_t> free_bytes() override;
  BlockingDisk& blocking() override { return blocking_; }
  std::string root() const override { return dir_.path; }

 private:
  DataDir dir_;
  BlockingPosixDisk blocking_;
  Pool& pool_;
};

}  // namespace drumlin::host
