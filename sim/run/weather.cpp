#include "sim/run/weather.h"

#include <algorithm>

namespace drumlin::sim {
namespace {

std::chrono::milliseconds ms(int64_t n) {
  return std::chrono::milliseconds(n);
}

constexpr size_t kRead = 0;
constexpr size_t kWrite = 1;
constexpr size_t kSync = 2;
constexpr Duration kResidualClock = 8min;  // with a client's 5 it stays below what S3 allows: 15

bool is_client(const Host& host) {
  return host.tag >= 1000;
}

}  // namespace

Weather::Weather(World& world, const Plan& plan, Cluster& cluster)
    : world_(world), plan_(plan), cluster_(cluster), clocks_(world.stream("clocks")) {
  for (uint32_t n = 1; n <= cluster.nodes(); ++n) {
    cluster.machine(n).disk().set_fault_hook(
        [this, n](const IoCall& call) { return meet_trap(n, call); });
  }
}

bool Weather::strike(const Fault& fault) {
  if (strike_network(fault)) return true;
  if (fault.a < 1 || fault.a > cluster_.nodes()) return false;
  Machine& machine = cluster_.machine(fault.a);
  return strike_machine(fault, machine) || strike_disk(fault, machine);
}

void Weather::in(int64_t after_ms, std::function<void()> action) {
  world_.at(world_.now() + ms(after_ms), [this, season = season_, act = std::move(action)] {
    if (season == season_) act();
  });
}

bool Weather::strike_machine(const Fault& fault, Machine& machine) {
  switch (fault.kind) {
    case FaultKind::kPause:
      machine.pause(ms(fault.b));
      return true;
    case FaultKind::kSlowCpu: {
      machine.set_event_cost(std::chrono::microseconds(fault.b));
      uint32_t& slow = overlapping_[{fault.a, fault.kind}];
      ++slow;
      in(fault.c, [&slow, &machine] {
        if (--slow == 0) machine.set_event_cost(Duration(0));
      });
      return true;
    }
    case FaultKind::kClock:
      machine.set_clock(ms(fault.b), static_cast<int32_t>(fault.c));
      return true;
    case FaultKind::kRefuse:
      machine.refuse_until(world_.now() + ms(fault.b));
      return true;
    default:
      return false;
  }
}

bool Weather::strike_disk(const Fault& fault, Machine& machine) {
  switch (fault.kind) {
    case FaultKind::kReadError:
      set_trap(fault.a, kRead, fault.b);
      return true;
    case FaultKind::kWriteError:
      set_trap(fault.a, kWrite, fault.b);
      return true;
    case FaultKind::kSyncError:
      set_trap(fault.a, kSync, fault.b);
      return true;
    case FaultKind::kFull: {
      machine.disk().limit_free(static_cast<uint64_t>(fault.b) << 10);
      uint32_t& full = overlapping_[{fault.a, fault.kind}];
      ++full;
      in(fault.c, [&full, &machine] {
        if (--full == 0) machine.disk().limit_free(SimDisk::kNoLimit);
      });
      return true;
    }
    case FaultKind::kSlowDisk: {
      machine.disk().set_slowdown(static_cast<uint32_t>(std::clamp<int64_t>(fault.b, 1, 1000)));
      uint32_t& slow = overlapping_[{fault.a, fault.kind}];
      ++slow;
      in(fault.c, [&slow, &machine] {
        if (--slow == 0) machine.disk().set_slowdown(1);
      });
      return true;
    }
    case FaultKind::kStall:
      machine.disk().stall_until(world_.now() + ms(fault.b));
      return true;
    case FaultKind::kRot:
      rot(machine, fault.a, static_cast<uint64_t>(fault.b));
      return true;
    default:
      return false;
  }
}

void Weather::set_trap(uint32_t node, size_t kind, int64_t calls) {
  traps_[node].left[kind] = static_cast<uint64_t>(std::max<int64_t>(1, calls));
}

Status Weather::meet_trap(uint32_t node, const IoCall& call) {
  const auto trap = traps_.find(node);
  if (trap == traps_.end()) return {};
  size_t kind = 0;
  const char* family = nullptr;
  switch (call.kind) {
    case IoKind::kRead:
      kind = kRead;
      family = "read_error";
      break;
    case IoKind::kWrite:
    case IoKind::kTruncate:
    case IoKind::kPreallocate:
      kind = kWrite;
      family = "write_error";
      break;
    case IoKind::kSync:
    case IoKind::kSyncDir:
      kind = kSync;
      family = "sync_error";
      break;
    default:
      return {};
  }
  uint64_t& left = trap->second.left[kind];
  if (left == 0 || --left > 0) return {};
  world_.counters().both(family);
  return {Code::kIo, "input/output error"};
}

// Of what is at rest: the newest log file is left alone, for damage to its last batch passes for a torn tail
// (wal/wal.h), which is known and no news.
void Weather::rot(Machine& machine, uint32_t node, uint64_t which) {
  SimDisk& disk = machine.disk();
  std::vector<std::pair<std::string, uint64_t>> files;
  for (const std::string directory : {"", "wal"}) {
    auto entries = disk.list(directory);
    if (!entries.ok()) continue;
    if (directory == "wal" && !entries->empty()) entries->pop_back();
    for (const DirEntry& entry : *entries) {
      if (entry.is_directory || entry.size_bytes == 0) continue;
      files.emplace_back(directory.empty() ? entry.name : directory + "/" + entry.name,
                         entry.size_bytes);
    }
  }
  world_.counters().injected("rot");
  if (files.empty()) return;
  Rng rng = world_.stream("rot/" + std::to_string(node) + "/" + std::to_string(which));
  const auto& [path, size] = rng.pick(files);
  const uint64_t offset = rng.below(size);
  if (!disk.flip_bit(path, offset, static_cast<unsigned>(rng.below(8)))) return;
  world_.counters().effective("rot");
  world_.event(nullptr, "rot", node, offset, path);
  cluster_.damaged(node);
}

SimNetwork::Hosts Weather::clients() const {
  SimNetwork::Hosts out;
  for (uint32_t c = 1; c <= plan_.clients + 1; ++c)
    out.push_back("10.0.1." + std::to_string(c));
  return out;
}

bool Weather::strike_network(const Fault& fault) {
  SimNetwork& network = world_.network();
  const auto ip = [&](int64_t node) -> SimNetwork::Hosts {
    if (node < 1 || node > cluster_.nodes()) return {};
    return {cluster_.machine(static_cast<uint32_t>(node)).ip()};
  };
  switch (fault.kind) {
    case FaultKind::kCutClients:
      world_.counters().injected("client_cut");
      if (network.cut(ip(fault.a), clients()) > 0) world_.counters().effective("client_cut");
      return true;
    case FaultKind::kHalfOpen:
      network.vanish(ip(fault.a), fault.b == 0 ? clients() : ip(fault.b));
      return true;
    case FaultKind::kClog:
      world_.counters().injected("clog");
      blow(fault, fault.c);
      return true;
    case FaultKind::kLatency: {
      world_.counters().injected("latency");
      in(fault.b, [this, events = world_.events()] {
        // Heartbeats alone are dozens of packets a second; a world without any has nobody to slow down.
        if (world_.events() > events) world_.counters().effective("latency");
      });
      blow(fault, fault.b);
      return true;
    }
    case FaultKind::kReset:
    case FaultKind::kCorrupt:
    case FaultKind::kPartialIo:
      blow(fault, fault.b);
      return true;
    default:
      return false;
  }
}

void Weather::blow(const Fault& fault, int64_t for_ms) {
  const uint64_t number = next_wind_++;
  winds_.emplace(number, fault);
  apply_winds();
  in(for_ms, [this, number] {
    winds_.erase(number);
    apply_winds();
  });
}

void Weather::apply_winds() {
  world_.network().set_link_rule(
      [winds = winds_](const Host& from, const Host& to, LinkModel model) {
        const bool peers = !is_client(from) && !is_client(to);
        for (const auto& [number, wind] : winds) {
          switch (wind.kind) {
            case FaultKind::kLatency:
              model.latency_min += ms(wind.a);
              model.latency_max += ms(wind.a);
              break;
            case FaultKind::kReset:
              model.reset_per_million = std::max(model.reset_per_million, wind.a);
              break;
            case FaultKind::kCorrupt:
              // Between a client and a node only what it signs would notice.
              if (peers) model.corrupt_per_million = std::max(model.corrupt_per_million, wind.a);
              break;
            case FaultKind::kPartialIo:
              model.partial_per_1024 = std::max(model.partial_per_1024, wind.a);
              break;
            case FaultKind::kClog:
              if (from.tag != wind.a && to.tag != wind.a) break;
              model.clogged = true;
              model.bytes_per_second =
                  std::min(model.bytes_per_second, static_cast<uint64_t>(wind.b) << 10);
              break;
            default:
              break;
          }
        }
        return model;
      });
}

void Weather::clear() {
  ++season_;
  traps_.clear();
  winds_.clear();
  overlapping_.clear();
  world_.network().set_link_rule(nullptr);
  const bool clocks = std::any_of(plan_.faults.begin(), plan_.faults.end(), [](const Fault& fault) {
    return fault.kind == FaultKind::kClock;
  });
  for (uint32_t n = 1; n <= cluster_.nodes(); ++n) {
    Machine& machine = cluster_.machine(n);
    machine.disk().limit_free(SimDisk::kNoLimit);
    machine.disk().set_slowdown(1);
    machine.disk().end_stall();
    machine.set_event_cost(Duration(0));
    machine.refuse_until(world_.now());
    const Duration off = clocks_.duration_between(Duration(0), 2 * kResidualClock) - kResidualClock;
    machine.set_clock(clocks ? off : Duration(0), 0);
  }
}

}  // namespace drumlin::sim
