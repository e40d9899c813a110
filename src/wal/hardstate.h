// HardStateStore: term and vote of every Raft group, in two files that are never written at the
// same time. Not part of the WAL: a torn tail is cut there, and a synced vote must never be cut
// away.
//
// A change is written to hardstate.a, synced, written to hardstate.b, synced, and only then told.
// So one good copy of each slot survives any crash and any damage to one file. Changes of many
// groups share the two syncs. Both files are complete from the moment they exist (made aside,
// synced, renamed).
//
// File (little-endian), slots of 64 bytes. Slot 0 is the file's header, slot 1 + g belongs to group
// g:
//   header  0 "DrHF"  4 crc32c of [8, 64)  8 u32 version = 1  12 u32 groups  16 zeros
//   slot    0 "DrHS"  4 crc32c of [8, 64)  8 u32 group  12 u32 zero  16 u64 term  24 u64 vote
//          32 u64 sequence (counts the slot's changes)  40 zeros
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/strong_id.h"
#include "observe/observer.h"
#include "runtime/runtime.h"

namespace drumlin::wal {

class HardStateStore {
 public:
  struct Options {
    std::string path = "hardstate";  // + ".a" and ".b", in the node's data directory
    // The files must be there (the node has been formatted): both missing is kCorrupt.
    bool must_exist = false;
  };
  struct Slot {
    Term term;
    NodeId vote;  // 0: none in this term
    bool operator==(const Slot&) const = default;
  };

  // Makes the files on first use, all slots zero; makes both equal otherwise. `groups` is fixed for
  // the life of the files; ids are 0 .. groups - 1. Yields. kCorrupt if a group's slot is bad in
  // both files, kUnsupported for another version, kFailedPrecondition for another number of groups.
  static Result<std::unique_ptr<HardStateStore>> open(Runtime& runtime, observe::Observer observer,
                                                      Options options, uint32_t groups);
  // Drops what is not written yet. Does not yield.
  ~HardStateStore();
  HardStateStore(const HardStateStore&) = delete;
  HardStateStore& operator=(const HardStateStore&) = delete;

  // The durable value. Does not yield.
  Slot get(GroupId group) const;
  // Queues; never yields. Supersedes an earlier put that is not being written yet (whose callback
  // then never comes).
  void put(GroupId group, Slot slot);
  // Called on the writer fiber, in group order, once a slot is durable in both files. Must not
  // yield.
  void set_on_durable(std::function<void(GroupId, Slot)> callback);

  // Writes what is queued and stops the writer. Yields. Nothing may be put once it has been called.
  Status close();

 private:
  struct State;
  explicit HardStateStore(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with the writer fiber, which may outlive this object
};

}  // namespace drumlin::wal
