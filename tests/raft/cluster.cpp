#include "cluster.h"

#include <algorithm>
#include <utility>

namespace drumlin::raft::test {
namespace {

std::string show(const HardState& state) {
  return "term " + state.term.to_string() + " vote " + state.vote.to_string();
}

std::string show(const Output::Append& append) {
  return test::show(append.entries) + " (#" + std::to_string(append.id) + ")";
}

}  // namespace

void write_to(std::vector<Entry>& log, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    DRUMLIN_CHECK(entry.index.value() >= 1 && entry.index.value() <= log.size() + 1);
    log.resize(entry.index.value() - 1);
    log.push_back(entry);
  }
}

bool holds(const std::vector<Entry>& log, LogIndex index, Term term) {
  if (index == LogIndex()) return true;
  return index.value() <= log.size() && log[index.value() - 1].term == term;
}

std::string show(const std::vector<Entry>& entries) {
  std::string out;
  for (const Entry& entry : entries) {
    if (!out.empty()) out += ' ';
    out += entry.index.to_string() + "@" + entry.term.to_string();
  }
  return out.empty() ? "nothing" : out;
}

std::vector<Entry> Disk::written() const {
  std::vector<Entry> out = log;
  for (const Output::Append& append : appends_under_way)
    write_to(out, append.entries);
  return out;
}

Cluster::Cluster(Options options) : options_(std::move(options)) {
  for (uint64_t i = 1; i <= options_.nodes; ++i)
    ids_.push_back(NodeId(i));
  for (const NodeId id : ids_) {
    nodes_[id];
    restart(id);
  }
  events_.clear();
}

void Cluster::watch(Watcher& watcher) {
  watchers_.push_back(&watcher);
  for (const NodeId id : ids_) {
    watcher.restarted(id);
    watcher.settled(id);
  }
}

void Cluster::restart(NodeId id) {
  Node& node = nodes_.at(id);
  if (node.raft) return;
  Raft::Config config = options_.knobs;
  config.self = id;
  config.voters = ids_;
  config.rng = Rng(id.value() * 1000 + node.starts++);
  Log log(options_.cache_bytes);
  for (const Entry& entry : node.disk.records)
    DRUMLIN_CHECK_OK(log.restore(entry));
  cause(id.to_string() + " starts: " + show(node.disk.state) + ", log " +
        test::show(node.disk.log) + ", applied " + node.disk.applied.to_string());
  node.raft =
      std::make_unique<Raft>(std::move(config), node.disk.state, std::move(log), node.disk.applied);
  tell([&](Watcher& w) { w.restarted(id); });
  settle(id);
}

void Cluster::tick(NodeId id) {
  if (!is_up(id)) return;
  cause(id.to_string() + " ticks");
  raft(id).tick();
  tell([&](Watcher& w) { w.ticked(id); });
  settle(id);
  if (events_.back() == id.to_string() + " ticks") events_.pop_back();
}

void Cluster::propose(NodeId id, std::string data) {
  if (!is_up(id)) return;
  const Blob blob(std::move(data));
  cause(id.to_string() + " proposes " + std::to_string(blob.size()) + " bytes");
  const Result<Proposed> result = raft(id).propose(blob);
  if (!result.ok()) effect(std::string(code_name(result.code())));
  tell([&](Watcher& w) { w.proposed(id, blob, result); });
  settle(id);
}

void Cluster::read(NodeId id, uint64_t read) {
  if (!is_up(id)) return;
  cause(id.to_string() + " reads " + std::to_string(read));
  const Status status = raft(id).read_index(read);
  if (!status.ok()) effect(std::string(code_name(status.code())));
  tell([&](Watcher& w) { w.read_asked(id, read, status); });
  settle(id);
}

bool Cluster::persist_state(NodeId id) {
  Disk& disk = nodes_.at(id).disk;
  if (!is_up(id) || disk.states_under_way.empty()) return false;
  disk.state = disk.states_under_way.front();
  disk.states_under_way.pop_front();
  cause(id.to_string() + " persisted " + show(disk.state));
  raft(id).hard_state_persisted(disk.state);
  tell([&](Watcher& w) { w.state_persisted(id, disk.state); });
  settle(id);
  return true;
}

bool Cluster::persist_log(NodeId id) {
  Disk& disk = nodes_.at(id).disk;
  if (!is_up(id) || disk.appends_under_way.empty()) return false;
  const Output::Append append = std::move(disk.appends_under_way.front());
  disk.appends_under_way.pop_front();
  disk.records.insert(disk.records.end(), append.entries.begin(), append.entries.end());
  write_to(disk.log, append.entries);
  cause(id.to_string() + " persisted " + show(append));
  raft(id).log_persisted(append.id);
  tell([&](Watcher& w) { w.log_persisted(id, append); });
  settle(id);
  return true;
}

bool Cluster::fetch(NodeId id, bool fails) {
  Node& node = nodes_.at(id);
  if (!is_up(id) || node.fetches.empty()) return false;
  const Output::Fetch wanted = node.fetches.front();
  node.fetches.pop_front();
  std::vector<Entry> entries;
  size_t bytes = 0;
  const std::vector<Entry> log = node.disk.written();
  for (LogIndex i = wanted.first; i <= wanted.last && i.value() <= log.size() && !fails; ++i) {
    const Entry& entry = log[i.value() - 1];
    bytes += entry.data.size();
    if (!entries.empty() && bytes > wanted.max_bytes) break;
    entries.push_back(entry);
  }
  cause(id.to_string() + " fetched " + test::show(entries));
  node.raft->fetched(wanted, std::move(entries));
  settle(id);
  return true;
}

bool Cluster::apply(NodeId id) {
  Node& node = nodes_.at(id);
  if (!is_up(id)) return false;
  const LogIndex to = std::min(node.raft->commit(), node.raft->durable());
  if (to <= node.disk.applied) return false;
  node.disk.applied = to;
  node.raft->applied(to);
  settle(id);
  return true;
}

void Cluster::crash(NodeId id, size_t states, size_t appends, size_t part) {
  Node& node = nodes_.at(id);
  if (!node.raft) return;
  Disk& disk = node.disk;
  states = std::min(states, disk.states_under_way.size());
  appends = std::min(appends, disk.appends_under_way.size());
  cause(id.to_string() + " crashes");
  if (states > 0) {
    disk.state = disk.states_under_way[states - 1];
    effect("on its disk: " + show(disk.state));
  }
  for (size_t i = 0; i < appends; ++i) {
    std::vector<Entry> entries = disk.appends_under_way[i].entries;
    if (i + 1 == appends && part > 0 && part < entries.size()) entries.resize(part);
    disk.records.insert(disk.records.end(), entries.begin(), entries.end());
    write_to(disk.log, entries);
    effect("on its disk: " + test::show(entries));
  }
  disk.states_under_way.clear();
  disk.appends_under_way.clear();
  node.fetches.clear();
  node.raft.reset();
  tell([&](Watcher& w) { w.crashed(id); });
}

std::vector<Message>::iterator Cluster::find(NodeId from, NodeId to, size_t which) {
  return std::find_if(network_.begin(), network_.end(), [&](const Message& m) {
    return m.from == from && m.to == to && which-- == 0;
  });
}

size_t Cluster::under_way(NodeId from, NodeId to) const {
  return static_cast<size_t>(std::count_if(network_.begin(), network_.end(), [&](const Message& m) {
    return m.from == from && m.to == to;
  }));
}

bool Cluster::deliver(NodeId from, NodeId to, size_t which) {
  const auto it = find(from, to, which);
  if (it == network_.end() || is_cut(from, to)) return false;
  const Message message = std::move(*it);
  network_.erase(it);
  if (!is_up(to)) return true;
  cause(to.to_string() + " gets " + to_string(message));
  raft(to).step(message);
  tell([&](Watcher& w) { w.stepped(to, message); });
  settle(to);
  return true;
}

bool Cluster::drop(NodeId from, NodeId to, size_t which) {
  const auto it = find(from, to, which);
  if (it == network_.end()) return false;
  cause("lost: " + to_string(*it));
  network_.erase(it);
  return true;
}

bool Cluster::duplicate(NodeId from, NodeId to, size_t which) {
  const auto it = find(from, to, which);
  if (it == network_.end()) return false;
  network_.push_back(Message(*it));
  return true;
}

bool Cluster::send_part(NodeId from, NodeId to, size_t after, size_t count) {
  if (!leads(from) || from == to || is_cut(from, to)) return false;
  const std::vector<Entry> log = nodes_.at(from).disk.written();
  after = std::min(after, log.size());
  count = std::min(count, log.size() - after);
  Message m;
  m.type = MessageType::kAppend;
  m.from = from;
  m.to = to;
  m.term = raft(from).term();
  m.index = LogIndex(after);
  m.log_term = after == 0 ? Term() : log[after - 1].term;
  m.commit = raft(from).commit();
  const auto first = log.begin() + static_cast<std::ptrdiff_t>(after);
  m.entries.assign(first, first + static_cast<std::ptrdiff_t>(count));
  network_.push_back(std::move(m));
  return true;
}

void Cluster::cut(NodeId a, NodeId b) {
  if (a != b) cuts_.insert({std::min(a, b), std::max(a, b)});
}

void Cluster::set_slow(NodeId id, bool slow) {
  if (slow) {
    slow_.insert(id);
  } else {
    slow_.erase(id);
  }
}

bool Cluster::finish_disk(NodeId id) {
  bool any = false;
  while (!slow_.contains(id) && persist_state(id))
    any = true;
  while (!slow_.contains(id) && persist_log(id))
    any = true;
  while (fetch(id))
    any = true;
  return apply(id) || any;
}

void Cluster::stabilize(const std::set<NodeId>& nodes) {
  for (bool any = true; any;) {
    any = false;
    for (const NodeId id : nodes)
      any = finish_disk(id) || any;
    for (const NodeId from : nodes) {
      for (const NodeId to : nodes) {
        while (deliver(from, to))
          any = true;
      }
    }
  }
}

void Cluster::campaign(NodeId id) {
  const Role before = node(id).raft->role();
  const Term term = node(id).raft->term();
  for (size_t i = 0; i < options_.knobs.election_ticks_max; ++i) {
    tick(id);
    if (node(id).raft->role() != before || node(id).raft->term() != term) return;
  }
}

void Cluster::deliver_votes(NodeId from, NodeId to) {
  for (size_t i = 0; i < under_way(from, to) && !is_cut(from, to);) {
    const MessageType type = find(from, to, i)->type;
    const bool vote = type == MessageType::kPreVote || type == MessageType::kPreVoteReply ||
                      type == MessageType::kVote || type == MessageType::kVoteReply;
    if (vote && !leads(to)) {
      deliver(from, to, i);
    } else {
      ++i;
    }
  }
}

void Cluster::elect(NodeId id, const std::set<NodeId>& voters) {
  if (!is_up(id) || leads(id)) return;
  for (const NodeId voter : voters)
    tick(voter, options_.knobs.election_ticks_min);
  for (size_t attempt = 0; attempt < 4 && !leads(id); ++attempt) {
    campaign(id);
    // Pre-votes and votes; the first attempt may only teach it the present term.
    for (size_t round = 0; round < 2 && !leads(id); ++round) {
      while (persist_state(id)) {
      }
      for (const NodeId voter : voters) {
        deliver_votes(id, voter);
        while (persist_state(voter)) {
        }
        deliver_votes(voter, id);
      }
    }
  }
}

Term Cluster::newest_term() const {
  Term newest;
  for (const auto& [id, node] : nodes_) {
    if (node.raft) newest = std::max(newest, node.raft->term());
  }
  return newest;
}

std::vector<std::string> Cluster::take_events() {
  return std::exchange(events_, {});
}

void Cluster::settle(NodeId id) {
  while (raft(id).has_output())
    take(id, raft(id).take_output());
  tell([&](Watcher& w) { w.settled(id); });
}

void Cluster::take(NodeId id, Output output) {
  Node& node = nodes_.at(id);
  if (output.role_changed) effect(to_string(node.raft->role()));
  if (output.commit_changed) effect("commit " + node.raft->commit().to_string());
  if (output.hard_state) effect("writes " + show(*output.hard_state));
  for (const Output::Append& append : output.appends)
    effect("writes " + show(append));
  for (const Message& m : output.messages) {
    effect("sends " + to_string(m) + (is_cut(m.from, m.to) ? " (lost)" : ""));
  }
  for (const Output::Fetch& f : output.fetches) {
    effect("fetches " + f.first.to_string() + ".." + f.last.to_string() + " for " +
           f.peer.to_string());
  }
  for (const Output::ReadReady& r : output.reads_ready) {
    effect("read " + std::to_string(r.id) + " at " + r.index.to_string());
  }
  for (const uint64_t r : output.reads_failed)
    effect("read " + std::to_string(r) + " fails");
  tell([&](Watcher& w) { w.output(id, output); });

  if (output.hard_state) node.disk.states_under_way.push_back(*output.hard_state);
  for (Output::Append& append : output.appends) {
    node.disk.appends_under_way.push_back(std::move(append));
  }
  for (Message& m : output.messages) {
    if (!is_cut(m.from, m.to)) network_.push_back(std::move(m));
  }
  for (const Output::Fetch& f : output.fetches)
    node.fetches.push_back(f);
}

}  // namespace drumlin::raft::test
