// Recovery: reads the log at start. Tells a torn tail, which it cuts, from corruption, which it
// refuses.
//
// The rule. D = the highest durable LSN that any intact batch header states, also one that lies
// after damage (batches begin at multiples of 8, and a header has a checksum of its own, so they
// can be found). A bad batch whose first LSN is <= D was durable once: corruption. One beyond D in
// the last file is a write that never completed: it is cut. In any other file it is corruption,
// since a file has a successor only once it is synced whole. Nothing but zeros at the end of the last
// file is no write at all, but space taken ahead: the log goes on in it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "observe/observer.h"
#include "runtime/runtime.h"
#include "wal/files.h"
#include "wal/index.h"
#include "wal/wal.h"

namespace drumlin::wal {

// The end of the log as found; all of it is durable.
struct Recovered {
  std::unique_ptr<File> tail;  // the last file
  uint64_t tail_bytes = 0;
  uint64_t tail_size = 0;  // of the file, if it is larger: zeros from tail_bytes on
  Lsn last;                // highest LSN in the log
  Lsn claimed;             // D
  Lsn base{1};             // the highest that any batch states
  bool uncovered = false;  // nothing states yet that the last records are durable
  uint64_t bytes = 0;      // of all batches
};

class Recovery {
 public:
  Recovery(Runtime& runtime, observe::Observer observer, const Wal::Options& options, Files& files,
           Index& index, const Wal::Visitor& visitor)
      : runtime_(runtime),
        observer_(observer),
        options_(options),
        files_(files),
        index_(index),
        visitor_(visitor) {}
  // Fills files and index; makes the first file of a new log. Yields.
  Result<Recovered> run();

 private:
  class Window;
  // A batch as read: `why` says what is wrong with it, empty if nothing is.
  struct Attempt {
    BatchHeader header;
    std::string_view bytes;
    std::string why;
  };
  Status read_file(Lsn first, bool is_last);
  Result<FileHeader> read_header(Window& window, Lsn first);
  Status read_batches(Window& window, uint32_t position, bool is_last);
  // Errors are the disk's, or final; damage is in the answer.
  Result<Attempt> read_batch(Window& window, uint32_t position, uint64_t offset);
  Status accept(const Attempt& batch, uint32_t position, uint64_t offset);
  // The bad batch at the offset is the end of the log: sets end_.tail_size. kCorrupt if it is not.
  Status cut(Window& window, uint32_t position, uint64_t offset, const std::string& why);
  // The highest durable LSN that a batch header at or after the offset states, if it follows
  // next().
  Result<Lsn> claimed_after(Window& window, uint32_t position, uint64_t offset);
  Result<bool> only_zeros(Window& window, uint64_t offset);
  Status make_first();
  Status check_base();
  Lsn next() const { return end_.last + 1; }

  Runtime& runtime_;
  observe::Observer observer_;
  const Wal::Options& options_;
  Files& files_;
  Index& index_;
  const Wal::Visitor& visitor_;
  Recovered end_;
  uint64_t epoch_ = 0;  // of the last batch
};

}  // namespace drumlin::wal
