// The engine of kv/rocksdb, the very code of the daemon, on a simulated machine: its files on the
// simulated disk, its clock virtual, its threads jobs (env.h), all in the simulator's one thread. The same
// seed gives the same calls and the same bytes.
//
// A kv call runs to its end without yielding; what its disk calls take is charged after it
// (Process::charge): to the offload job that made it, else to the whole process. The store may vanish
// at any disk call, when the process is killed or the power goes: from then on every call fails, and
// the destructor of the Kv frees all of it.
//
// Hooks into librocksdb are needed (hooks.h); the executable must call self_test() first.
#pragma once

#include <memory>

#include "base/status.h"
#include "kv/rocksdb/rocksdb.h"
#include "runtime/disk.h"
#include "runtime/runtime.h"

namespace drumlin::sim {

// As kv::open_rocksdb: in an offload job, with its errors. `options.path` is a directory of the disk;
// `options.env` must be null. The Kv must go before the process does. REQUIRES: a runtime of the
// simulator, of a machine.
Result<std::unique_ptr<kv::Kv>> open_rocksdb(Runtime& runtime, kv::RocksOptions options);
// The same on another view of the disk, for tests that lie.
Result<std::unique_ptr<kv::Kv>> open_rocksdb(Runtime& runtime, BlockingDisk& disk,
                                             kv::RocksOptions options);

// Opens a store in a world of its own and looks whether each hook was met and nothing came from
// elsewhere. kUnsupported: this RocksDB is not the one that the hooks are made for, or it is linked
// without them. Takes some milliseconds.
Status self_test();

}  // namespace drumlin::sim
