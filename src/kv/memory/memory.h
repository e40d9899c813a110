// The engine in memory: what the simulator runs on, and a node without a disk for its kv. Nothing
// survives the process; the write-ahead log brings everything back.
//
// A balanced binary tree (AVL: no chance in it) whose nodes are shared with the snapshots and
// cursors that are open. Taking one is O(1); a write then copies the nodes on its path, once,
// instead of changing what somebody sees. With none taken since, it changes them in place. Values
// are never copied.
//
// Threads: get, cursor, snapshot and write of the Kv belong to one thread, the reactor: an engine
// that never answers kWouldBlock gives no reason to move them into an offload job. flush touches
// nothing, and a snapshot may be read and destroyed in a job while the reactor goes on writing. A
// snapshot or cursor may outlive the Kv.
#pragma once

#include <memory>

#include "kv/api/kv.h"

namespace drumlin::kv {

std::unique_ptr<Kv> make_memory();

}  // namespace drumlin::kv
