// SimNetwork: the wires between hosts and what goes wrong on them. A process sees it through
// runtime/network.h (net_stack.h); connections are in connection.h.
//
// Connections behave as TCP does. Bytes keep their order, are split and merged at will, and arrive
// after a latency drawn per packet; buffers are finite. What a partition blocks is retransmitted:
// held until it heals, while the connection stays. A killed process resets its connections; a
// machine without power says nothing, and once it is back, resets whoever still talks to its past.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "sim/runtime/event.h"

namespace drumlin::sim {

class Connection;
class Process;
class SimListener;
class World;

// One direction between two hosts.
struct LinkModel {
  Duration latency_min = 50us;  // each link draws its own base between the two
  Duration latency_max = 300us;
  Duration jitter = 100us;
  uint32_t spike_per_million =
      500;  // packets late by up to `spike_max` (a loss and its retransmission)
  Duration spike_max = 40ms;
  uint64_t bytes_per_second = 1'000'000'000;
  bool clogged = false;              // a fault has narrowed it
  uint32_t partial_per_1024 = 64;    // reads and writes that move less than they could
  uint32_t reset_per_million = 0;    // packets that end their connection
  uint32_t corrupt_per_million = 0;  // packets with one bit flipped
};

struct NetworkModel {
  LinkModel link;
  size_t send_buffer = 256 * 1024;
  size_t receive_buffer = 256 * 1024;
  size_t backlog = 128;
  Duration retransmit_max = 200ms;  // after a heal, or a boot, held bytes arrive within this
  Duration connect_retry = 1s;      // doubles
  Duration connect_give_up = 127s;  // without a deadline
};

class SimNetwork {
 public:
  using Hosts = std::vector<std::string>;  // ip addresses

  SimNetwork(World& world, const NetworkModel& model);
  ~SimNetwork();

  // -- Faults. Addresses must exist.

  // Nothing passes from `from` to `to`. Calls add up; a host always reaches itself.
  void block(const Hosts& from, const Hosts& to);
  // Both ways.
  void partition(const Hosts& one, const Hosts& other);
  void unblock(const Hosts& from, const Hosts& to);  // undoes one block() of each pair
  void heal();                                       // undoes all
  bool blocked(const Host& from, const Host& to) const;
  bool partitioned() const { return blocks_ > 0; }
  // Resets every connection between the two sets, at both ends and now. Returns how many.
  size_t cut(const Hosts& one, const Hosts& other);
  // From now on, both for connections that exist and new ones.
  void set_link(const std::string& from, const std::string& to, const LinkModel& model);
  void set_all_links(const LinkModel& model);
  // The same by a rule of the two hosts, in which `model` is what the world began with.
  using LinkRule = std::function<LinkModel(const Host& from, const Host& to, LinkModel model)>;
  void set_link_rule(LinkRule rule);
  // Every connection between the two sets goes silent: nothing passes any more, nobody is told. What a
  // middlebox does that has forgotten a connection. Returns how many.
  size_t vanish(const Hosts& one, const Hosts& other);

  size_t connections() const { return connections_.size(); }

  // -- For the runtime.
  Host& add_host(std::string ip, uint32_t tag, std::string name);
  Host* find(std::string_view ip) const;
  struct Link {
    LinkModel model;
    Duration base{};
    std::vector<size_t> blocked_by;  // calls of block(), by number
    Instant free_at{};               // when the last packet has left
    uint64_t connections = 0;        // made so far: names their random streams
  };
  Link& link(const Host& from, const Host& to);
  // Of a packet sent now, without what its bytes take.
  Duration latency(Link& link, Rng& rng);
  // A packet met this link's block.
  void felt(Link& link);
  const NetworkModel& model() const { return model_; }
  World& world() { return world_; }
  uint64_t add(Connection* connection);
  void forget(uint64_t id) { connections_.erase(id); }
  // The process is gone: its ports are free, its connections reset.
  void abandon(const Process& process);
  // So is its kernel: what was connected to the host is just not there any more.
  void host_down(const Host& host);
  // The host has power again: whoever retransmits to it will be heard.
  void host_up(const Host& host);
  uint16_t ephemeral_port(const Host& host);
  uint64_t next_listener() { return ++listeners_made_; }
  // Null if nothing listens there. `local`: the caller is on the same host.
  SimListener* listener(const Host& host, uint16_t port, bool local) const;
  bool add_listener(const Host& host, uint16_t port, SimListener* listener);
  void remove_listener(const Host& host, uint16_t port) { listeners_.erase({host.index, port}); }

 private:
  template <typename Do>
  void for_links(const Hosts& from, const Hosts& to, const Do& action);
  template <typename Do>
  void for_connections(const Do& action);
  void block(const Hosts& from, const Hosts& to, size_t number);
  size_t begin_block();
  Host& must_find(const std::string& ip) const;
  void set_model(const Host& from, const Host& to, Link& link, const LinkModel& model);
  void release_held();

  LinkModel model_for(const Host& from, const Host& to) const;

  World& world_;
  NetworkModel model_;
  LinkRule rule_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<std::string, Host*, std::less<>> by_ip_;
  std::vector<std::vector<std::unique_ptr<Link>>> links_;  // [from][to], made when first used
  std::map<uint64_t, Connection*> connections_;            // in order of making
  std::map<std::pair<uint32_t, uint16_t>, SimListener*> listeners_;
  std::vector<uint16_t> next_port_;  // per host
  uint64_t next_connection_ = 1;
  uint64_t listeners_made_ = 0;
  uint64_t blocks_ = 0;            // pairs blocked, calls added up
  std::vector<bool> blocks_felt_;  // by number of the call
};

}  // namespace drumlin::sim
