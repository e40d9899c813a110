// NaiveModel: Raft once more, as plainly as it can be said, run in lockstep with the cores. It sees
// every input and says what each node must then be: term, vote, role, leader, log, what is durable,
// commit; what it must write and answer. Logs are vectors, every rule is recomputed from scratch,
// and nothing is shared with src/raft but the names of things.
//
// It leaves free what Raft leaves free: when within its bounds an election begins, and what a
// leader sends and how far ahead. Those messages are only checked for truth.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/raft/cluster.h"

namespace drumlin::raft::test {

class NaiveModel : public Watcher {
 public:
  explicit NaiveModel(Cluster& cluster);

  void ticked(NodeId id) override;
  void stepped(NodeId id, const Message& m) override;
  void proposed(NodeId id, const Blob& data, const Result<Proposed>& result) override;
  void read_asked(NodeId id, uint64_t read, const Status& status) override;
  void state_persisted(NodeId id, const HardState& state) override;
  void log_persisted(NodeId id, const Output::Append& append) override;
  void crashed(NodeId id) override;
  void restarted(NodeId id) override;
  void output(NodeId id, const Output& output) override;
  void settled(NodeId id) override;

 private:
  struct Node {
    HardState state;  // term and vote, as believed
    HardState on_disk;
    Role role = Role::kFollower;
    NodeId leader;
    std::vector<Entry> log;
    std::vector<Entry> disk;
    std::deque<std::vector<Entry>> writes;  // under way to the disk
    size_t commit = 0;
    size_t verified = 0;   // equal to the present leader's log
    uint32_t silence = 0;  // ticks since the election timer began
    std::map<NodeId, bool> votes;
    std::map<NodeId, size_t> match;
    std::set<NodeId> heard;
    uint32_t ticks_of_quorum = 0;
    bool ticking = false;           // a tick whose outcome is not known yet
    std::vector<Message> withheld;  // until the disk knows the term and the vote

    // In the present step: what must come out, and what has.
    std::vector<std::string> must_say;
    std::vector<std::string> said;
    std::vector<Entry> must_write;
    std::vector<Entry> written;
    HardState state_before;
    bool state_written = false;
  };

  size_t majority() const { return cluster_.ids().size() / 2 + 1; }
  const Raft::Config& knobs() const { return cluster_.options().knobs; }
  static size_t durable(const Node& node);
  static Term term_at(const Node& node, size_t index);
  static bool up_to_date(const Node& node, const Message& m);

  void say(NodeId id, Message m);
  void say_to_all(NodeId id, MessageType type, Term term);
  void enter(Node& node, Term term);
  void follow(NodeId id, NodeId leader);
  void acknowledge(NodeId id);
  void append(NodeId id, EntryKind kind, const Blob& data);
  void end_tick(NodeId id, bool campaigns);
  void campaign(NodeId id);
  void stand(NodeId id);
  void lead(NodeId id);
  void count(NodeId id);
  void vote_asked(NodeId id, const Message& m);
  void vote_answered(NodeId id, const Message& m);
  void append_asked(NodeId id, const Message& m);
  void commit_as_leader(NodeId id);
  void check_sent(NodeId id, const Message& m);
  void compare(NodeId id);

  Cluster& cluster_;
  std::map<NodeId, Node> nodes_;
};

}  // namespace drumlin::raft::test
