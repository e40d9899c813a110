// RocksDB's FileSystem over BlockingDisk: the simulated disk, with its faults and its power cuts.
//
// Paths are the disk's, "." is its root. Nothing here waits or yields. Locks last as long as the object:
// as long as one store, of which a machine has one at a time.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>

#include "runtime/disk.h"

namespace drumlin::sim {

// `disk` must outlive it and all its files.
std::shared_ptr<rocksdb::FileSystem> make_file_system(BlockingDisk& disk);

}  // namespace drumlin::sim
