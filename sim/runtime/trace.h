// Trace: the fingerprint of a run. Every event is folded into one 64-bit hash; two runs are the
// same run exactly if their hashes are. The last events stay readable in a ring; with recording on,
// all do, so that a comparer can name the first one that differs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "observe/observer.h"

namespace drumlin::sim {

class Trace {
 public:
  struct Options {
    size_t ring = 256;
    bool record = false;
  };
  struct Entry {
    Instant at{};
    uint32_t machine =
        0;  // Host::tag(): a NodeId's value, 1000 + n for the n-th client, 0 the world
    std::string_view kind;
    uint64_t a = 0;
    uint64_t b = 0;
    uint64_t content = 0;  // digest of the bytes that were moved, if any
    uint64_t hash = 0;     // of the run up to and including this event
    std::string text;      // cut to kRingText bytes in the ring
  };
  static constexpr size_t kRingText = 40;

  explicit Trace(Options options);

  // `kind` must be a literal (kept by view). `text` is hashed whole. `content`: a digest of the bytes that
  // the event moves (a disk write, arriving data), so that runs which differ in a byte differ here.
  // Allocates only when recording.
  void event(Instant at, uint32_t machine, std::string_view kind, uint64_t a = 0, uint64_t b = 0,
             std::string_view text = {}, uint64_t content = 0);

  uint64_t hash() const { return hash_; }
  uint64_t count() const { return count_; }
  std::vector<Entry> last() const;                                  // oldest first
  const std::vector<Entry>& recorded() const { return recorded_; }  // empty unless recording

  // Index of the first event at which two recorded runs part; none if they are the same.
  static std::optional<size_t> first_difference(const Trace& one, const Trace& other);
  // "12.345678901s node 2 disk.write a=4096 b=17 wal/000001.log".
  static std::string to_string(const Entry& entry);

 private:
  struct Slot {
    Instant at{};
    std::string_view kind;
    uint64_t a = 0;
    uint64_t b = 0;
    uint64_t content = 0;
    uint64_t hash = 0;
    uint32_t machine = 0;
    uint32_t text_bytes = 0;
    std::array<char, kRingText> text{};
  };
  Options options_;
  uint64_t hash_ = 0;
  uint64_t count_ = 0;
  std::vector<Slot> ring_;
  std::vector<Entry> recorded_;
};

// A machine's way into the trace, for observe::Observer.
class MachineTrace final : public observe::TraceSink {
 public:
  MachineTrace(Trace& trace, const Instant& now, uint32_t machine)
      : trace_(trace), now_(now), machine_(machine) {}
  void trace(std::string_view kind, uint64_t a, uint64_t b, std::string_view text) override {
    trace_.event(now_, machine_, kind, a, b, text);
  }

 private:
  Trace& trace_;
  const Instant& now_;
  uint32_t machine_;
};

}  // namespace drumlin::sim
