#include "sim/runtime/network.h"

#include <algorithm>

#include "base/check.h"
#include "sim/runtime/connection.h"
#include "sim/runtime/net_stack.h"
#include "sim/runtime/process.h"
#include "sim/runtime/world.h"

namespace drumlin::sim {
namespace {

constexpr uint16_t kFirstEphemeral = 32768;

// A host talks to itself at once and without faults.
LinkModel loopback(const LinkModel& like) {
  LinkModel model;
  model.latency_min = 5us;
  model.latency_max = 10us;
  model.jitter = 10us;
  model.spike_per_million = 0;
  model.bytes_per_second = 4'000'000'000;
  model.partial_per_1024 = like.partial_per_1024;
  return model;
}

}  // namespace

SimNetwork::SimNetwork(World& world, const NetworkModel& model) : world_(world), model_(model) {}

SimNetwork::~SimNetwork() {
  while (!connections_.empty()) {
    const size_t left = connections_.size();
    connections_.begin()->second->drop_self();
    DRUMLIN_CHECK_LT(connections_.size(), left);
  }
}

template <typename Do>
void SimNetwork::for_links(const Hosts& from, const Hosts& to, const Do& action) {
  for (const std::string& a : from) {
    for (const std::string& b : to) {
      const Host& source = must_find(a);
      const Host& target = must_find(b);
      if (&source != &target) action(source, target, link(source, target));
    }
  }
}

template <typename Do>
void SimNetwork::for_connections(const Do& action) {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto keep = (it++)->second->shared_from_this();
    action(*keep);
  }
}

// -- Faults

size_t SimNetwork::begin_block() {
  world_.counters().injected("partition");
  blocks_felt_.push_back(false);
  return blocks_felt_.size() - 1;
}

void SimNetwork::block(const Hosts& from, const Hosts& to, size_t number) {
  for_links(from, to, [&](const Host& source, const Host& target, Link& link) {
    link.blocked_by.push_back(number);
    ++blocks_;
    world_.event(nullptr, "net.block", source.tag, target.tag);
  });
}

void SimNetwork::block(const Hosts& from, const Hosts& to) {
  block(from, to, begin_block());
}

void SimNetwork::partition(const Hosts& one, const Hosts& other) {
  const size_t number = begin_block();
  block(one, other, number);
  block(other, one, number);
}

void SimNetwork::unblock(const Hosts& from, const Hosts& to) {
  for_links(from, to, [&](const Host& source, const Host& target, Link& link) {
    if (link.blocked_by.empty()) return;
    link.blocked_by.pop_back();
    --blocks_;
    world_.event(nullptr, "net.unblock", source.tag, target.tag);
  });
  release_held();
}

void SimNetwork::heal() {
  world_.event(nullptr, "net.heal", blocks_);
  for (auto& row : links_) {
    for (auto& link : row) {
      if (link != nullptr) link->blocked_by.clear();
    }
  }
  blocks_ = 0;
  release_held();
}

bool SimNetwork::blocked(const Host& from, const Host& to) const {
  const auto& row = links_[from.index];
  return to.index < row.size() && row[to.index] != nullptr && !row[to.index]->blocked_by.empty();
}

void SimNetwork::felt(Link& link) {
  for (const size_t number : link.blocked_by) {
    if (blocks_felt_[number]) continue;
    blocks_felt_[number] = true;
    world_.counters().effective("partition");
  }
}

size_t SimNetwork::cut(const Hosts& one, const Hosts& other) {
  size_t count = 0;
  for_connections([&](Connection& connection) {
    bool hit = false;
    for_links(one, other,
              [&](const Host& a, const Host& b, Link&) { hit = hit || connection.between(a, b); });
    if (!hit || !connection.established()) return;
    ++count;
    world_.event(nullptr, "net.cut", connection.id());
    connection.reset_both();
  });
  world_.counters().injected("connection_loss");
  if (count > 0) world_.counters().effective("connection_loss");
  return count;
}

void SimNetwork::set_model(const Host& from, const Host& to, Link& link, const LinkModel& model) {
  link.model = model;
  // Of a stream of its own: the same place between the two, whatever they are.
  link.base = world_.stream("link/" + from.ip + "/" + to.ip)
                  .duration_between(model.latency_min, model.latency_max);
}

void SimNetwork::set_link(const std::string& from, const std::string& to, const LinkModel& model) {
  const Host& source = must_find(from);
  const Host& target = must_find(to);
  set_model(source, target, link(source, target), model);
}

void SimNetwork::set_all_links(const LinkModel& model) {
  model_.link = model;
  for (const auto& from : hosts_) {
    for (const auto& to : hosts_) {
      if (from != to) set_model(*from, *to, link(*from, *to), model);
    }
  }
}

LinkModel SimNetwork::model_for(const Host& from, const Host& to) const {
  if (&from == &to) return loopback(model_.link);
  return rule_ ? rule_(from, to, model_.link) : model_.link;
}

void SimNetwork::set_link_rule(LinkRule rule) {
  rule_ = std::move(rule);
  for (size_t from = 0; from < links_.size(); ++from) {
    for (size_t to = 0; to < links_[from].size(); ++to) {
      if (links_[from][to] == nullptr) continue;
      set_model(*hosts_[from], *hosts_[to], *links_[from][to],
                model_for(*hosts_[from], *hosts_[to]));
    }
  }
}

size_t SimNetwork::vanish(const Hosts& one, const Hosts& other) {
  size_t count = 0;
  for_connections([&](Connection& connection) {
    bool hit = false;
    for_links(one, other,
              [&](const Host& a, const Host& b, Link&) { hit = hit || connection.between(a, b); });
    if (!hit || !connection.established()) return;
    ++count;
    world_.event(nullptr, "net.vanish", connection.id());
    connection.vanish();
  });
  world_.counters().injected("half_open");
  return count;
}

void SimNetwork::release_held() {
  for_connections([](Connection& connection) { connection.release(); });
}

// -- Hosts and links

Host& SimNetwork::add_host(std::string ip, uint32_t tag, std::string name) {
  auto host = std::make_unique<Host>();
  host->index = static_cast<uint32_t>(hosts_.size());
  host->tag = tag;
  host->ip = std::move(ip);
  host->name = std::move(name);
  const bool added = by_ip_.emplace(host->ip, host.get()).second;
  DRUMLIN_CHECK(added, host->ip, " is taken");
  hosts_.push_back(std::move(host));
  links_.emplace_back();
  next_port_.push_back(kFirstEphemeral);
  return *hosts_.back();
}

Host* SimNetwork::find(std::string_view ip) const {
  const auto it = by_ip_.find(ip);
  return it == by_ip_.end() ? nullptr : it->second;
}

Host& SimNetwork::must_find(const std::string& ip) const {
  Host* host = find(ip);
  DRUMLIN_CHECK(host != nullptr, "no host ", ip);
  return *host;
}

SimNetwork::Link& SimNetwork::link(const Host& from, const Host& to) {
  auto& row = links_[from.index];
  if (to.index >= row.size()) row.resize(to.index + 1);
  auto& link = row[to.index];
  if (link == nullptr) {
    link = std::make_unique<Link>();
    set_model(from, to, *link, model_for(from, to));
  }
  return *link;
}

Duration SimNetwork::latency(Link& link, Rng& rng) {
  const LinkModel& model = link.model;
  Duration d = link.base + rng.duration_between(Duration(0), model.jitter);
  if (rng.chance(model.spike_per_million, 1'000'000)) {
    d += rng.duration_between(Duration(0), model.spike_max);
    world_.counters().both("latency_spike");
  }
  return d;
}

// -- For the runtime

uint64_t SimNetwork::add(Connection* connection) {
  const uint64_t id = next_connection_++;
  connections_.emplace_hint(connections_.end(), id, connection);
  return id;
}

void SimNetwork::abandon(const Process& process) {
  std::erase_if(listeners_,
                [&](const auto& entry) { return &entry.second->process() == &process; });
  for_connections([&](Connection& connection) {
    for (const size_t end : {Connection::kClient, Connection::kServer}) {
      if (connection.belongs_to(end, process)) connection.abandon(end);
    }
  });
}

void SimNetwork::host_down(const Host& host) {
  for_connections([&](Connection& connection) { connection.host_down(host); });
}

void SimNetwork::host_up(const Host&) {
  release_held();
}

uint16_t SimNetwork::ephemeral_port(const Host& host) {
  uint16_t& next = next_port_[host.index];
  const uint16_t first = next;
  do {
    const uint16_t port = next;
    next = next == UINT16_MAX ? kFirstEphemeral : static_cast<uint16_t>(next + 1);
    if (!listeners_.contains({host.index, port})) return port;
  } while (next != first);
  DRUMLIN_UNREACHABLE("every port of ", host.name, " listens");
}

SimListener* SimNetwork::listener(const Host& host, uint16_t port, bool local) const {
  const auto it = listeners_.find({host.index, port});
  if (it == listeners_.end()) return nullptr;
  return local || !it->second->local_only() ? it->second : nullptr;
}

bool SimNetwork::add_listener(const Host& host, uint16_t port, SimListener* listener) {
  return listeners_.emplace(std::pair(host.index, port), listener).second;
}

}  // namespace drumlin::sim
