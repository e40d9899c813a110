#include "sim/runtime/connection.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "sim/runtime/net_stack.h"
#include "sim/runtime/process.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {
namespace {

constexpr size_t kMaxPacket = 64 * 1024;

}  // namespace

Connection::Connection(SimNetwork& network, Process& client, uint16_t client_port, Host& server,
                       uint16_t server_port)
    : network_(network), id_(network.add(this)) {
  ends_[kClient].host = &client.host();
  ends_[kClient].port = client_port;
  ends_[kClient].process = &client;
  ends_[kServer].host = &server;
  ends_[kServer].port = server_port;
  for (const size_t from : {kClient, kServer}) {
    Way& way = ways_[from];
    const Host& here = *ends_[from].host;
    const Host& there = *ends_[1 - from].host;
    way.connection = this;
    way.from = from;
    way.link = &network_.link(here, there);
    const std::string name =
        "net/" + here.ip + "/" + there.ip + "/" + std::to_string(way.link->connections++);
    way.wire = world().stream(name + "/wire");
    way.faults = world().stream(name + "/faults");
    way.reads = world().stream(name + "/reads");
  }
}

Connection::~Connection() {
  network_.forget(id_);
}

bool Connection::passes(size_t from) const {
  return !vanished_ && ways_[from].link->blocked_by.empty() && ends_[1 - from].host->up;
}

void Connection::establish(uint64_t listener) {
  listener_ = listener;
  ends_[kClient].state = State::kOpen;
  send(kClient, Kind::kOpen);
}

void Connection::attach(Process& process) {
  ends_[kServer].process = &process;
  ends_[kServer].state = State::kOpen;
}

// -- Streams

size_t Connection::partial(Way& way, Rng& rng, size_t n) const {
  // Both draws always, so that the odds shift nothing.
  const bool less = rng.chance(way.link->model.partial_per_1024, 1024);
  const uint64_t part = rng.between(1, n);
  if (less && part < n) network_.world().counters().both("partial_io");
  return less ? part : n;
}

Result<size_t> Connection::read_some(size_t end, Process& process, std::span<char> into) {
  DRUMLIN_CHECK(!into.empty());
  End& mine = ends_[end];
  Way& way = ways_[1 - end];
  for (;;) {
    process.require_alive();
    if (mine.state == State::kClosed) return {Code::kCancelled, "closed"};
    if (way.arrived > way.bytes.begin()) break;
    if (mine.state == State::kReset) return {Code::kClosed, "connection reset"};
    if (mine.saw_end) return size_t{0};
    if (mine.read_deadline != kNever && mine.read_deadline <= world().now())
      return {Code::kTimeout, "read"};
    DRUMLIN_CHECK(mine.reader == nullptr, "two fibers read one stream");
    const auto keep = shared_from_this();
    Parked parked(world(), *mine.host);
    ParkedIn in(mine.reader, parked);
    (void)parked.wait(mine.read_deadline);
  }
  const uint64_t unread = way.arrived - way.bytes.begin();
  const size_t n = partial(way, way.reads, std::min<uint64_t>(unread, into.size()));
  way.bytes.take(into.first(n));
  if (way.stalled) {
    // The window opens when it is worth a packet, and the sender hears of it.
    const uint64_t left = unread - n;
    if (left == 0 || left <= network_.model().receive_buffer / 2) {
      way.stalled = false;
      world().arm(way, world().now() + ways_[end].link->base + way.link->base);
    }
  }
  return n;
}

Result<size_t> Connection::write_some(size_t end, Process& process,
                                      std::span<const std::string_view> pieces) {
  End& mine = ends_[end];
  Way& way = ways_[end];
  const size_t buffer = network_.model().send_buffer;
  for (;;) {
    process.require_alive();
    if (mine.state == State::kClosed || mine.ended) return {Code::kCancelled, "closed"};
    if (mine.state == State::kReset) return {Code::kClosed, "connection reset"};
    if (way.bytes.end() - way.acknowledged < buffer) break;
    if (mine.write_deadline != kNever && mine.write_deadline <= world().now())
      return {Code::kTimeout, "write"};
    DRUMLIN_CHECK(mine.writer == nullptr, "two fibers write one stream");
    const auto keep = shared_from_this();
    Parked parked(world(), *mine.host);
    ParkedIn in(mine.writer, parked);
    (void)parked.wait(mine.write_deadline);
  }
  size_t total = 0;
  for (const std::string_view piece : pieces)
    total += piece.size();
  DRUMLIN_CHECK_GT(total, size_t{0});
  const size_t space = buffer - (way.bytes.end() - way.acknowledged);
  const size_t n = partial(way, way.wire, std::min(total, space));
  size_t left = n;
  size_t in_packet = 0;
  for (std::string_view piece : pieces) {
    piece = piece.substr(0, left);
    left -= piece.size();
    while (!piece.empty()) {
      const std::string_view part = piece.substr(0, kMaxPacket - in_packet);
      way.bytes.append(part);
      piece.remove_prefix(part.size());
      in_packet += part.size();
      if (in_packet < kMaxPacket) continue;
      send(end, Kind::kData);
      in_packet = 0;
    }
  }
  if (in_packet > 0) send(end, Kind::kData);
  return n;
}

void Connection::set_read_deadline(size_t end, Instant deadline) {
  ends_[end].read_deadline = deadline;
  if (ends_[end].reader != nullptr) ends_[end].reader->set_deadline(deadline);
}

void Connection::set_write_deadline(size_t end, Instant deadline) {
  ends_[end].write_deadline = deadline;
  if (ends_[end].writer != nullptr) ends_[end].writer->set_deadline(deadline);
}

void Connection::shutdown_write(size_t end) {
  End& mine = ends_[end];
  if (mine.state != State::kOpen || mine.ended) return;
  mine.ended = true;
  send(end, Kind::kEnd);
  wake(end);
}

void Connection::close(size_t end) {
  End& mine = ends_[end];
  if (mine.state == State::kClosed || mine.state == State::kGone) return;
  Way& incoming = ways_[1 - end];
  if (mine.state == State::kOpen) {
    if (incoming.arrived > incoming.bytes.begin()) {
      send_reset(end);  // as TCP does: whoever closes on unread bytes has lost them
    } else if (!mine.ended) {
      send(end, Kind::kEnd);
    }
    if (end == kClient && ends_[kServer].state == State::kOpening) self_ = shared_from_this();
  }
  mine.state = State::kClosed;
  mine.process = nullptr;
  wake(end);
  if (incoming.stalled) {  // what waits for room will be answered
    incoming.stalled = false;
    world().arm(incoming, world().now());
  }
}

// -- Packets

void Connection::send(size_t from, Kind kind) {
  Way& way = ways_[from];
  SimNetwork::Link& link = *way.link;
  const LinkModel& model = link.model;
  Packet packet;
  packet.kind = kind;
  packet.end = way.bytes.end();
  const uint64_t begin = way.packets.empty() ? way.arrived : way.packets.back().end;
  const uint64_t length = packet.end - std::min(packet.end, begin);
  const Instant start = std::max(world().now(), link.free_at);
  link.free_at =
      start + Duration(static_cast<int64_t>(length * 1'000'000'000 / model.bytes_per_second));
  if (model.clogged && link.free_at - world().now() >= 1ms) world().counters().effective("clog");
  packet.at = std::max(link.free_at + network_.latency(link, way.wire), way.last_arrival);
  way.last_arrival = packet.at;
  if (model.corrupt_per_million > 0 && length > 0 &&
      way.faults.chance(model.corrupt_per_million, 1'000'000)) {
    const uint64_t where = begin + way.faults.below(length);
    const uint64_t bit = way.faults.below(8);
    char& c = way.bytes.at(where);
    c = static_cast<char>(static_cast<unsigned>(c) ^ (1u << bit));
    packet.corrupt = true;
    world().counters().injected("corrupt_packet");
  }
  if (model.reset_per_million > 0 && way.faults.chance(model.reset_per_million, 1'000'000)) {
    packet.breaks = true;
    world().counters().injected("connection_loss");
  }
  way.packets.push_back(packet);
  if (!way.armed() && !way.held && !way.stalled) world().arm(way, way.packets.front().at);
}

void Connection::arrive(size_t from) {
  Way& way = ways_[from];
  const auto last = self_;  // may be the last reference, dropped below
  while (!way.packets.empty() && way.packets.front().at <= world().now()) {
    if (!arrive_first(from)) break;
  }
  if (!way.packets.empty() && !way.armed() && !way.held && !way.stalled)
    world().arm(way, way.packets.front().at);
}

// False: nothing more can arrive now.
bool Connection::arrive_first(size_t from) {
  Way& way = ways_[from];
  End& to = ends_[1 - from];
  const Packet packet = way.packets.front();
  if (!passes(from)) {
    hold(from);
    return false;
  }
  if (packet.breaks) {
    world().counters().effective("connection_loss");
    world().event(to.host, "net.break", id_);
    reset_both();
    return false;
  }
  switch (packet.kind) {
    case Kind::kData:
      return arrive_data(from, packet);
    case Kind::kOpen:
      return arrive_open(from);
    case Kind::kEnd:
      way.packets.pop_front();
      world().event(to.host, "net.end", id_);
      if (to.state == State::kGone) {
        send_reset(1 - from);
      } else {
        to.saw_end = true;
        wake(1 - from);
      }
      return true;
    case Kind::kReset:
      way.packets.pop_front();
      world().event(to.host, "net.reset", id_);
      reset(1 - from);
      return false;
  }
  DRUMLIN_UNREACHABLE();
}

bool Connection::arrive_data(size_t from, const Packet& packet) {
  Way& way = ways_[from];
  End& to = ends_[1 - from];
  if (to.state != State::kOpen) {
    way.packets.pop_front();
    way.arrived = packet.end;
    way.bytes.drop_to(packet.end);
    world().event(to.host, "net.stray", id_, packet.end);
    send_reset(1 - from);
    return true;
  }
  const uint64_t unread = way.arrived - way.bytes.begin();
  const uint64_t room = network_.model().receive_buffer - unread;
  const uint64_t n = std::min(packet.end - way.arrived, room);
  const uint64_t content = way.bytes.digest(way.arrived, static_cast<size_t>(n));
  way.arrived += n;
  way.stalled = way.arrived < packet.end;
  if (!way.stalled) way.packets.pop_front();
  if (packet.corrupt && !way.stalled) world().counters().effective("corrupt_packet");
  world().event(to.host, "net.data", id_ * 2 + from, n, {}, content);
  acknowledge(from);
  if (to.reader != nullptr) to.reader->wake();
  return !way.stalled;
}

bool Connection::arrive_open(size_t from) {
  Way& way = ways_[from];
  Host& server = *ends_[kServer].host;
  const uint16_t port = ends_[kServer].port;
  SimListener* listener = network_.listener(server, port, &server == ends_[kClient].host);
  const bool there =
      ends_[kServer].state == State::kOpening && listener != nullptr && listener->id() == listener_;
  if (there && !listener->has_room()) {  // dropped, and sent again
    way.packets.front().at = world().now() + network_.model().connect_retry;
    way.last_arrival = std::max(way.last_arrival, way.packets.front().at);
    return false;
  }
  way.packets.pop_front();
  self_.reset();
  world().event(&server, there ? "net.open" : "net.refused", id_, port);
  if (there) {
    listener->arrived(shared_from_this());
  } else {
    ends_[kServer].state = State::kGone;
    send_reset(kServer);
  }
  return true;
}

void Connection::hold(size_t from) {
  Way& way = ways_[from];
  Host& receiver = *ends_[1 - from].host;
  if (vanished_ && !std::exchange(vanish_felt_, true)) world().counters().effective("half_open");
  if (receiver.up) network_.felt(*way.link);
  world().event(&receiver, "net.held", id_ * 2 + from);
  if (way.packets.front().kind == Kind::kReset) {
    forget_under_way(from);
  } else {
    way.held = true;
  }
}

void Connection::release() {
  for (Way& way : ways_) {
    if (way.held && passes(way.from)) {
      way.held = false;
      Packet& first = way.packets.front();
      first.at =
          world().now() + way.wire.duration_between(Duration(0), network_.model().retransmit_max);
      way.last_arrival = std::max(way.last_arrival, first.at);
      world().arm(way, first.at);
    }
    acknowledge(way.from);
  }
}

// The sender hears what has arrived, unless it cannot.
void Connection::acknowledge(size_t from) {
  Way& way = ways_[from];
  if (way.acknowledged == way.arrived) return;
  if (!passes(1 - from)) {
    if (ends_[from].host->up) network_.felt(*ways_[1 - from].link);
    return;
  }
  way.acknowledged = way.arrived;
  if (ends_[from].writer != nullptr) ends_[from].writer->wake();
}

void Connection::forget_under_way(size_t from) {
  Way& way = ways_[from];
  way.packets.clear();
  way.bytes.cut_to(way.arrived);
  way.acknowledged = std::min(way.acknowledged, way.bytes.end());
  way.held = way.stalled = false;
  way.disarm();
}

// The sender has forgotten what it sent: some of it is on the wire, the rest never will be.
void Connection::cut_under_way(size_t from) {
  Way& way = ways_[from];
  if (way.held || !passes(from) || way.stalled) {
    forget_under_way(from);
    return;
  }
  way.packets.keep_first(way.faults.between(0, way.packets.size()));
  if (way.packets.empty()) {
    forget_under_way(from);
  } else {
    way.bytes.cut_to(way.packets.back().end);
  }
}

void Connection::send_reset(size_t from) {
  Way& way = ways_[from];
  if (!way.packets.empty() && way.packets.back().kind == Kind::kReset) return;
  cut_under_way(from);
  send(from, Kind::kReset);
}

void Connection::reset(size_t end) {
  End& mine = ends_[end];
  if (mine.state != State::kOpen) return;
  mine.state = State::kReset;
  Way& incoming = ways_[1 - end];
  if (incoming.faults.chance(1, 2)) incoming.bytes.drop_to(incoming.arrived);
  forget_under_way(1 - end);
  forget_under_way(end);
  wake(end);
}

void Connection::reset_both() {
  reset(kClient);
  reset(kServer);
  forget_under_way(kClient);
  forget_under_way(kServer);
  self_.reset();
}

void Connection::abandon(size_t end) {
  End& mine = ends_[end];
  const bool tell = mine.state == State::kOpen;
  mine.state = State::kGone;
  mine.process = nullptr;
  Way& incoming = ways_[1 - end];
  incoming.bytes.drop_to(incoming.arrived);
  if (incoming.stalled) {
    incoming.stalled = false;
    world().arm(incoming, world().now());
  }
  if (tell) send_reset(end);
}

void Connection::host_down(const Host& host) {
  for (const size_t end : {kClient, kServer}) {
    if (ends_[end].host != &host) continue;
    ends_[end].state = State::kGone;
    ends_[end].process = nullptr;
    Way& incoming = ways_[1 - end];
    incoming.bytes.drop_to(incoming.arrived);
    if (incoming.stalled) {
      incoming.stalled = false;
      world().arm(incoming, world().now());
    }
    cut_under_way(end);
    if (end == kClient) self_.reset();
  }
}

bool Connection::between(const Host& a, const Host& b) const {
  const Host* client = ends_[kClient].host;
  const Host* server = ends_[kServer].host;
  return (client == &a && server == &b) || (client == &b && server == &a);
}

void Connection::wake(size_t end) {
  if (ends_[end].reader != nullptr) ends_[end].reader->wake();
  if (ends_[end].writer != nullptr) ends_[end].writer->wake();
}

}  // namespace drumlin::sim
