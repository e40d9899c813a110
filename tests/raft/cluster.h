// Cluster: Raft cores with disks and a network that do nothing by themselves. Whoever drives it (a
// transcript, a campaign) says which message arrives, which write completes, who loses power. What
// happens is written down line by line; watchers see every input and output and throw Violation.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "raft/raft.h"

namespace drumlin::raft::test {

// A promise of Raft does not hold.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Replaces the suffix of `log` from the first entry's index on, as a write-ahead log does.
void write_to(std::vector<Entry>& log, const std::vector<Entry>& entries);
bool holds(const std::vector<Entry>& log, LogIndex index, Term term);  // true for index 0
std::string show(const std::vector<Entry>& entries);                   // "3@1 4@2"

struct Disk {
  HardState state;             // durable, like all up to the blank line
  std::vector<Entry> records;  // in the order written; one may replace earlier ones
  std::vector<Entry> log;      // what the records amount to
  LogIndex applied;

  std::deque<HardState> states_under_way;
  std::deque<Output::Append> appends_under_way;

  std::vector<Entry> written() const;  // the log once all that is under way is done
};

class Cluster;

// Sees what goes into each core, and after it what came out.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void ticked(NodeId) {}
  virtual void stepped(NodeId, const Message&) {}
  virtual void proposed(NodeId, const Blob&, const Result<Proposed>&) {}
  virtual void read_asked(NodeId, uint64_t, const Status&) {}
  virtual void state_persisted(NodeId, const HardState&) {}
  virtual void log_persisted(NodeId, const Output::Append&) {}
  virtual void crashed(NodeId) {}
  virtual void restarted(NodeId) {}
  virtual void output(NodeId, const Output&) {}
  virtual void settled(NodeId) {}  // after each of the above and its outputs
};

class Cluster {
 public:
  struct Options {
    size_t nodes = 3;
    Raft::Config knobs;  // self, voters and rng are set for each node
    size_t cache_bytes = 1u << 20;
  };
  struct Node {
    std::unique_ptr<Raft> raft;  // none: it is down
    Disk disk;
    std::deque<Output::Fetch> fetches;
    uint64_t starts = 0;
  };

  explicit Cluster(Options options);
  // In the order of registration. Not owned; must outlive the cluster.
  void watch(Watcher& watcher);

  // Inputs of one core. A node that is down does nothing.
  void tick(NodeId id);
  void tick(NodeId id, size_t times) {
    for (size_t i = 0; i < times; ++i)
      tick(id);
  }
  void propose(NodeId id, std::string data);
  void read(NodeId id, uint64_t read);
  bool persist_state(NodeId id);  // the oldest under way; false: there is none
  bool persist_log(NodeId id);    // likewise
  bool fetch(NodeId id, bool fails = false);
  bool apply(NodeId id);  // what is committed and durable
  // Of what was under way, the oldest `states` and `appends` reach the disk. A last append may be
  // cut short: only `part` of its entries if that is not 0.
  void crash(NodeId id, size_t states = 0, size_t appends = 0, size_t part = 0);
  void restart(NodeId id);

  // The network. `which` counts from 0 among those under way from one node to the other.
  size_t under_way(NodeId from, NodeId to) const;
  bool deliver(NodeId from, NodeId to, size_t which = 0);
  bool drop(NodeId from, NodeId to, size_t which = 0);
  bool duplicate(NodeId from, NodeId to, size_t which = 0);
  // Any part of its log that a leader might send: `count` entries after `after`. Raft does not say
  // which are sent when, and a follower must bear them all. False if it does not lead.
  bool send_part(NodeId from, NodeId to, size_t after, size_t count);
  void cut(NodeId a, NodeId b);  // what they send each other from now on is lost
  void heal() { cuts_.clear(); }
  bool is_cut(NodeId a, NodeId b) const { return cuts_.contains({std::min(a, b), std::max(a, b)}); }

  // Lets writes complete and messages arrive among `nodes` until nothing is left. The disk of a
  // slow node only completes what it is told to.
  void stabilize(const std::set<NodeId>& nodes);
  void set_slow(NodeId id, bool slow);
  // Lets the leases of `voters` run out and `id` campaign; delivers what they say about votes, and
  // nothing else, until it leads. Its first append is then under way.
  void elect(NodeId id, const std::set<NodeId>& voters);

  const Options& options() const { return options_; }
  const std::vector<NodeId>& ids() const { return ids_; }
  const Node& node(NodeId id) const { return nodes_.at(id); }
  bool is_up(NodeId id) const { return nodes_.at(id).raft != nullptr; }
  const std::vector<Message>& network() const { return network_; }
  // The highest term of any node that is up.
  Term newest_term() const;
  std::vector<std::string> take_events();

 private:
  Raft& raft(NodeId id) { return *nodes_.at(id).raft; }
  std::vector<Message>::iterator find(NodeId from, NodeId to, size_t which);
  bool finish_disk(NodeId id);
  bool leads(NodeId id) const { return is_up(id) && node(id).raft->role() == Role::kLeader; }
  void campaign(NodeId id);
  void deliver_votes(NodeId from, NodeId to);
  void cause(std::string line) { events_.push_back(std::move(line)); }
  void effect(const std::string& line) { events_.push_back("  " + line); }
  void settle(NodeId id);
  void take(NodeId id, Output output);
  template <typename Call>
  void tell(Call call) {
    for (Watcher* watcher : watchers_)
      call(*watcher);
  }

  Options options_;
  std::vector<NodeId> ids_;
  std::map<NodeId, Node> nodes_;
  std::vector<Message> network_;  // in the order sent
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::set<NodeId> slow_;
  std::vector<Watcher*> watchers_;
  std::vector<std::string> events_;
};

}  // namespace drumlin::raft::test
