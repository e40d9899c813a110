// Progress: what a leader knows of one follower, and how much it dares to send ahead.
//
//   probe      where the logs agree is not known: one append at a time
//   replicate  known: entries are sent ahead of their acknowledgement, up to a window of messages
//              and bytes
//   snapshot   it needs entries that the leader's log does not have any more: nothing is sent until
//              a snapshot has arrived there, or failed to
#pragma once

#include <cstdint>
#include <deque>

#include "base/strong_id.h"

namespace drumlin::raft {

struct Progress {
  enum class State : uint8_t { kProbe, kReplicate, kSnapshot };

  State state = State::kProbe;
  LogIndex match;  // durable there and equal
  LogIndex next;   // to be sent next
  bool probe_sent = false;
  bool fetching = false;         // entries from `next` on are being read back
  bool recently_active = false;  // answered since the last check of the quorum
  uint64_t round = 0;            // of read confirmation, answered last

  // Sent and not acknowledged.
  struct InFlight {
    LogIndex last;
    size_t bytes;
  };
  std::deque<InFlight> in_flight;
  size_t in_flight_bytes = 0;

  void become_probe(LogIndex from) {
    state = State::kProbe;
    next = from;
    probe_sent = false;
    in_flight.clear();
    in_flight_bytes = 0;
  }
  void become_replicate() {
    state = State::kReplicate;
    next = match + 1;
    probe_sent = false;
    in_flight.clear();
    in_flight_bytes = 0;
  }
  void become_snapshot() {
    become_probe(match + 1);
    state = State::kSnapshot;
  }
  void sent(LogIndex last, size_t bytes) {
    in_flight.push_back({last, bytes});
    in_flight_bytes += bytes;
    next = last + 1;
  }
  void acknowledged(LogIndex index) {
    while (!in_flight.empty() && in_flight.front().last <= index) {
      in_flight_bytes -= in_flight.front().bytes;
      in_flight.pop_front();
    }
  }
};

}  // namespace drumlin::raft
