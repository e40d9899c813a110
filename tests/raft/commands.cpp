#include "commands.h"

#include <functional>
#include <limits>
#include <sstream>

namespace drumlin::raft::test {
namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument(what);
}

size_t number(const std::string& word) {
  if (word.empty() || word.find_first_not_of("0123456789") != std::string::npos) {
    refuse("not a number: " + word);
  }
  return std::stoull(word);
}

// The words after the command.
class Words {
 public:
  explicit Words(std::istream& in) {
    for (std::string word; in >> word;)
      words_.push_back(word);
  }
  bool empty() const { return at_ == words_.size(); }
  std::string word() {
    if (empty()) refuse("a word is missing");
    return words_[at_++];
  }
  bool take(const std::string& word) {
    if (empty() || words_[at_] != word) return false;
    ++at_;
    return true;
  }
  // KEY=VALUE, anywhere after the present place.
  size_t option(const std::string& key, size_t otherwise) {
    for (size_t i = at_; i < words_.size(); ++i) {
      if (words_[i].rfind(key + "=", 0) != 0) continue;
      const size_t value = number(words_[i].substr(key.size() + 1));
      words_.erase(words_.begin() + static_cast<std::ptrdiff_t>(i));
      return value;
    }
    return otherwise;
  }
  size_t count(size_t otherwise) { return empty() ? otherwise : number(word()); }
  NodeId node(const Cluster& cluster) { return node(cluster, word()); }
  static NodeId node(const Cluster& cluster, const std::string& word) {
    const size_t id = number(word);
    if (id == 0 || id > cluster.ids().size()) refuse("no node " + word);
    return NodeId(id);
  }
  std::set<NodeId> nodes(const Cluster& cluster) {
    if (empty()) return {cluster.ids().begin(), cluster.ids().end()};
    std::set<NodeId> out;
    while (!empty())
      out.insert(node(cluster));
    return out;
  }
  struct Link {
    NodeId from;
    NodeId to;
    size_t which = kAll;  // from 0
  };
  Link link(const Cluster& cluster) {
    const std::string ends = word();
    const size_t arrow = ends.find("->");
    if (arrow == std::string::npos) refuse("not a link: " + ends);
    Link out{node(cluster, ends.substr(0, arrow)), node(cluster, ends.substr(arrow + 2))};
    if (!empty() && words_[at_][0] == '#') {
      const std::string which = word();
      out.which = number(which.substr(1)) - 1;
    }
    return out;
  }

 private:
  std::vector<std::string> words_;
  size_t at_ = 0;
};

std::string status(const Cluster& cluster, NodeId id) {
  const Cluster::Node& node = cluster.node(id);
  std::string out = id.to_string() + ": ";
  if (!node.raft) return out + "down\n";
  const Raft& raft = *node.raft;
  out += to_string(raft.role()) + ", term " + raft.term().to_string();
  if (raft.leader() != NodeId()) out += ", leader " + raft.leader().to_string();
  if (raft.vote() != NodeId()) out += ", vote " + raft.vote().to_string();
  out += ", log " + raft.last_index().to_string() + "@" + raft.log().last_term().to_string();
  if (raft.durable() != raft.last_index()) out += ", durable " + raft.durable().to_string();
  return out + ", commit " + raft.commit().to_string() + "\n";
}

std::string progress(const Cluster& cluster, NodeId id) {
  if (!cluster.is_up(id)) return "";
  std::string out;
  for (const auto& [peer, p] : cluster.node(id).raft->progress()) {
    out += peer.to_string() + ": " + (p.state == Progress::State::kProbe ? "probe" : "replicate") +
           ", match " + p.match.to_string() + ", next " + p.next.to_string();
    if (!p.in_flight.empty()) {
      out += ", in flight " + std::to_string(p.in_flight.size()) + " messages";
    }
    if (p.fetching) out += ", fetching";
    out += "\n";
  }
  return out;
}

std::string network(const Cluster& cluster) {
  std::string out;
  for (const Message& m : cluster.network())
    out += to_string(m) + "\n";
  return out;
}

void campaign(Cluster& cluster, NodeId id) {
  if (!cluster.is_up(id)) return;
  const auto follows = [&] { return cluster.node(id).raft->role() == Role::kFollower; };
  const size_t most = cluster.options().knobs.election_ticks_max;
  for (size_t i = 0; i < most && follows(); ++i)
    cluster.tick(id);
}

void persist(Cluster& cluster, Words& words) {
  const NodeId id = words.node(cluster);
  const bool state = words.take("state");
  const bool log = words.take("log");
  const size_t count = words.count(kAll);
  for (size_t i = 0; i < count && !log && cluster.persist_state(id); ++i) {
  }
  for (size_t i = 0; i < count && !state && cluster.persist_log(id); ++i) {
  }
}

void crash(Cluster& cluster, Words& words) {
  const NodeId id = words.node(cluster);
  const size_t states = words.option("state", 0);
  const size_t appends = words.option("log", 0);
  cluster.crash(id, states, appends, words.option("part", 0));
}

void deliver(Cluster& cluster, Words& words) {
  const Words::Link link = words.link(cluster);
  if (link.which != kAll) {
    cluster.deliver(link.from, link.to, link.which);
    return;
  }
  for (size_t n = cluster.under_way(link.from, link.to); n > 0; --n) {
    cluster.deliver(link.from, link.to);
  }
}

void drop(Cluster& cluster, Words& words) {
  const Words::Link link = words.link(cluster);
  if (link.which != kAll) {
    cluster.drop(link.from, link.to, link.which);
    return;
  }
  while (cluster.drop(link.from, link.to)) {
  }
}

void duplicate(Cluster& cluster, Words& words) {
  const Words::Link link = words.link(cluster);
  cluster.duplicate(link.from, link.to, link.which == kAll ? 0 : link.which);
}

void propose(Cluster& cluster, Words& words) {
  const NodeId id = words.node(cluster);
  const size_t bytes = words.option("bytes", 0);
  cluster.propose(id, bytes > 0 ? std::string(bytes, 'x') : words.word());
}

void isolate(Cluster& cluster, NodeId id) {
  for (const NodeId peer : cluster.ids())
    cluster.cut(id, peer);
}

using Handler = std::function<void(Cluster&, Words&)>;

const std::map<std::string, Handler>& handlers() {
  static const std::map<std::string, Handler> all = {
      {"tick",
       [](Cluster& c, Words& w) {
         const NodeId id = w.node(c);
         for (size_t n = w.count(1); n > 0; --n)
           c.tick(id);
       }},
      {"campaign", [](Cluster& c, Words& w) { campaign(c, w.node(c)); }},
      {"propose", propose},
      {"read",
       [](Cluster& c, Words& w) {
         const NodeId id = w.node(c);
         c.read(id, number(w.word()));
       }},
      {"persist", persist},
      {"fetch",
       [](Cluster& c, Words& w) {
         const NodeId id = w.node(c);
         c.fetch(id, w.take("fail"));
       }},
      {"apply", [](Cluster& c, Words& w) { c.apply(w.node(c)); }},
      {"crash", crash},
      {"restart", [](Cluster& c, Words& w) { c.restart(w.node(c)); }},
      {"slow", [](Cluster& c, Words& w) { c.set_slow(w.node(c), true); }},
      {"fast", [](Cluster& c, Words& w) { c.set_slow(w.node(c), false); }},
      {"deliver", deliver},
      {"drop", drop},
      {"duplicate", duplicate},
      {"cut",
       [](Cluster& c, Words& w) {
         const NodeId a = w.node(c);
         c.cut(a, w.node(c));
       }},
      {"isolate", [](Cluster& c, Words& w) { isolate(c, w.node(c)); }},
      {"heal", [](Cluster& c, Words&) { c.heal(); }},
      {"send",
       [](Cluster& c, Words& w) {
         const Words::Link link = w.link(c);
         const size_t after = w.option("after", 0);
         c.send_part(link.from, link.to, after, w.option("count", 0));
       }},
      {"elect",
       [](Cluster& c, Words& w) {
         const NodeId id = w.node(c);
         c.elect(id, w.nodes(c));
       }},
      {"stabilize", [](Cluster& c, Words& w) { c.stabilize(w.nodes(c)); }},
  };
  return all;
}

std::string look(const Cluster& cluster, const std::string& command, Words& words, bool& known) {
  known = true;
  std::string out;
  if (command == "status") {
    for (const NodeId id : words.nodes(cluster))
      out += status(cluster, id);
  } else if (command == "log") {
    const NodeId id = words.node(cluster);
    out = id.to_string() + ": " + show(cluster.node(id).disk.written()) + ", on disk " +
          show(cluster.node(id).disk.log) + "\n";
  } else if (command == "progress") {
    out = progress(cluster, words.node(cluster));
  } else if (command == "network") {
    out = network(cluster);
  } else {
    known = false;
  }
  return out;
}

}  // namespace

Cluster::Options parse_cluster(const std::string& line) {
  std::istringstream in(line);
  std::string command;
  in >> command;
  if (command != "cluster") refuse("a transcript begins with: cluster N");
  Words words(in);
  Cluster::Options options;
  options.cache_bytes = words.option("cache-bytes", options.cache_bytes);
  Raft::Config& knobs = options.knobs;
  knobs.max_append_bytes = words.option("append-bytes", knobs.max_append_bytes);
  knobs.max_inflight_bytes = words.option("inflight-bytes", knobs.max_inflight_bytes);
  knobs.max_inflight_messages = words.option("inflight-messages", knobs.max_inflight_messages);
  knobs.max_uncommitted_bytes = words.option("uncommitted-bytes", knobs.max_uncommitted_bytes);
  options.nodes = words.count(3);
  if (!words.empty()) refuse("left over: " + words.word());
  return options;
}

std::string run_command(Cluster& cluster, const std::string& line) {
  std::istringstream in(line);
  std::string command;
  in >> command;
  const bool quietly = command == "quietly";
  if (quietly) in >> command;
  Words words(in);
  bool known = false;
  std::string out = look(cluster, command, words, known);
  if (!known) {
    const auto handler = handlers().find(command);
    if (handler == handlers().end()) refuse("unknown command: " + line);
    handler->second(cluster, words);
  }
  if (!words.empty()) refuse("left over: " + words.word());
  for (const std::string& event : cluster.take_events())
    out += event + "\n";
  return quietly ? "" : out;
}

}  // namespace drumlin::raft::test
