// Wal: the one write-ahead log of a node, shared by all of its Raft groups, so that everything
// waiting shares one sync (group commit).
//
// append() queues and returns at once; a writer fiber takes all that is queued, writes it as one
// batch, syncs once and tells. An LSN is the number of a record, from 1, in the order of append()
// calls; a record counts once durable() has reached its LSN.
//
// Invariants
//   - At most one batch is written and not yet synced. Hence only the last batch of the log can be
//     torn; anything before it that does not match its checksum was damaged after it had been durable.
//   - A file's successor is created only when the file is synced whole and without zeros at its end,
//     and its own header is durable before the first batch goes in.
//   - When nothing more comes, a marker states that all of the log is durable: from then on damage anywhere
//     is known as damage.
//   - A failed write or sync halts the node: it is never retried (Rebello et al., ATC'20).
//
// Torn is not corrupt. Each batch says how far the log was durable when it was written. open() cuts
// a bad batch at the end of the log if nothing says that it was ever durable, and refuses the log
// if something does (kCorrupt, with file and offset): an acknowledged entry is never dropped
// silently. What a cut leaves is synced before it counts. The bytes are described in wal/format.h.
//
// The log is shortened at its front by whole files: cut() says which entries are not needed any more,
// reclaim() removes the oldest files that hold none that are. Every batch says from where on there must
// be files, so one that is missing is noticed. Where each group's log begins is for its user to say, in
// records (with index 0) that reclaim() writes first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/strong_id.h"
#include "base/time.h"
#include "observe/observer.h"
#include "runtime/runtime.h"
#include "wal/record.h"

namespace drumlin::wal {

class Wal {
 public:
  struct Options {
    std::string directory = "wal";
    // A batch that would take a file past this begins a new one. A batch larger than it gets its
    // own.
    uint64_t segment_bytes = 64 << 20;
    // The last file is filled with zeros ahead of the log, ever further as it grows but never by more
    // than this, so that most syncs find the space there: a file that grows with every batch costs
    // the file system a transaction of its own each time. 0: never.
    uint64_t grow_bytes = 0;
    // What one write takes from the queue; one append() call larger than it is a batch of its own.
    size_t max_batch_bytes = 4 << 20;
    // overloaded() from here on, for each Source. append() itself never refuses: admission is the
    // caller's.
    size_t queue_bytes = 64 << 20;
    // Boot counter of the node (superblock); written into batches. A log of a later boot is
    // refused.
    uint64_t epoch = 0;
    // So long after the last sync a marker states that all of it is durable. Until then damage to the last
    // batch would pass for a torn tail.
    Duration idle_marker = 500ms;
    // The log must be there (the node has been formatted): an empty directory is kCorrupt.
    bool must_exist = false;
  };
  // Gets each record of the log once, in order, replaced ones included. May yield. An error ends
  // open().
  using Visitor = std::function<Status(const Record&, const Location&)>;

  // Who brings records. Each has a queue_bytes of its own: what leaders elsewhere send must not keep out
  // what this node proposes, nor the other way round.
  enum class Source : uint8_t { kOwn, kPeer };

  // Reads the log, cuts a torn tail, makes what is left durable, starts the writer. Memory: one
  // batch and the index (12 bytes a record). Yields. kCorrupt ("wal corrupt: <file> at offset <n>:
  // <why>"), kUnsupported for another format version, errors of the disk and of the visitor.
  static Result<std::unique_ptr<Wal>> open(Runtime& runtime, observe::Observer observer,
                                           Options options, const Visitor& visitor);
  // Drops what is not written yet. Does not yield.
  ~Wal();
  Wal(const Wal&) = delete;
  Wal& operator=(const Wal&) = delete;

  // Queues the records; never yields. The records of one call lie in one batch. A record at or
  // before its group's last index replaces the suffix from there; one further than the next index
  // (a snapshot took the place of what is between) starts the group's log anew. Returns the LSN
  // that durable() must reach.
  Lsn append(std::vector<Record> records, Source source = Source::kOwn);

  // The highest LSN that is on stable storage. After open(): all that was found.
  Lsn durable() const;
  // Called on the writer fiber after each sync with the new durable(). Must not yield.
  void set_on_durable(std::function<void(Lsn)> callback);
  // kTimeout at the deadline, kCancelled if the log closes first.
  Status wait_durable(Lsn lsn, Instant deadline);

  // Since when the write or sync that is under way has been so; empty if there is none. Does not yield.
  std::optional<Instant> writing_since() const;

  bool overloaded(Source source = Source::kOwn) const;
  size_t queued_bytes() const;  // queued or being written, of all sources
  // Bytes of the log over its life, file headers left out, the queue included. Only grows.
  uint64_t bytes_appended() const;

  // The records [first, last] of a group, in order, as far as they are there and their data fits
  // max_bytes; at least one. Checksums are verified. Yields unless all are still queued. kNotFound
  // if `first` is not there, kCorrupt with file and offset.
  Result<std::vector<Record>> read(GroupId group, LogIndex first, LogIndex last, size_t max_bytes);

  // Empty if there is no such record, or it is not written yet. Does not yield.
  std::optional<Location> locate(GroupId group, LogIndex index) const;
  // The last index of a group's log, queued ones included; 0 if none. Does not yield.
  LogIndex last_index(GroupId group) const;

  // Of each group that has entries in files older than the newest `keep_bytes` of the log: the last index
  // of these. Does not yield.
  std::map<GroupId, LogIndex> older_than(uint64_t keep_bytes) const;
  // The group's entries up to and with `last` are gone: read() does not find them. Does not yield.
  void cut(GroupId group, LogIndex last);
  // If there are old files in which no entry is left: appends `marks`, at least one, and once these are
  // durable removes the files. One call at a time. Yields. Errors are the disk's; kCancelled if the log
  // closes first. After one it is undecided how many files are gone.
  Status reclaim(std::vector<Record> marks);
  uint64_t retained_bytes() const;  // of the log as it is now, the queue included

  // Writes what is queued, leaves a note that all of it is durable, stops the writer. Yields.
  // Nothing may be appended once it has been called. Idempotent.
  Status close();

 private:
  struct State;
  explicit Wal(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with the writer fiber, which may outlive this object
};

}  // namespace drumlin::wal
