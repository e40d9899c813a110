#include "naive_model.h"

#include <algorithm>
#include <sstream>

namespace drumlin::raft::test {
namespace {

template <typename... Parts>
void require(bool holds, const Parts&... parts) {
  if (holds) return;
  std::ostringstream out;
  out << "model: ";
  (out << ... << parts);
  throw Violation(out.str());
}

size_t equal_prefix(const std::vector<Entry>& a, const std::vector<Entry>& b) {
  size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n])
    ++n;
  return n;
}

bool is_pre_vote(MessageType type) {
  return type == MessageType::kPreVote || type == MessageType::kPreVoteReply;
}

bool from_leader(MessageType type) {
  return type == MessageType::kAppend || type == MessageType::kHeartbeat;
}

std::string join(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines)
    out += "\n    " + line;
  return out.empty() ? " nothing" : out;
}

}  // namespace

NaiveModel::NaiveModel(Cluster& cluster) : cluster_(cluster) {
  cluster.watch(*this);
}

// Certain is what is there now and would be there after any crash: the disk as it is, and as it is
// after each of the writes under way.
size_t NaiveModel::durable(const Node& node) {
  std::vector<Entry> image = node.disk;
  size_t certain = equal_prefix(node.log, image);
  for (const std::vector<Entry>& write : node.writes) {
    write_to(image, write);
    certain = std::min(certain, equal_prefix(node.log, image));
  }
  return certain;
}

Term NaiveModel::term_at(const Node& node, size_t index) {
  return index == 0 ? Term() : node.log[index - 1].term;
}

bool NaiveModel::up_to_date(const Node& node, const Message& m) {
  const Term last = term_at(node, node.log.size());
  return m.log_term > last || (m.log_term == last && m.index.value() >= node.log.size());
}

void NaiveModel::say(NodeId id, Message m) {
  Node& node = nodes_[id];
  m.from = id;
  if (!is_pre_vote(m.type)) {
    m.term = node.state.term;
    if (node.on_disk != node.state) {
      std::erase_if(node.withheld, [&](const Message& older) {
        return older.to == m.to && older.type == m.type && older.reject == m.reject;
      });
      node.withheld.push_back(m);
      return;
    }
  }
  node.must_say.push_back(to_string(m));
}

void NaiveModel::say_to_all(NodeId id, MessageType type, Term term) {
  const Node& node = nodes_[id];
  for (const NodeId peer : cluster_.ids()) {
    if (peer == id) continue;
    Message m;
    m.type = type;
    m.to = peer;
    m.term = term;
    m.index = LogIndex(node.log.size());
    m.log_term = term_at(node, node.log.size());
    say(id, m);
  }
}

void NaiveModel::enter(Node& node, Term term) {
  node.state = HardState{term, NodeId()};
  node.withheld.clear();
  node.verified = 0;
}

void NaiveModel::follow(NodeId id, NodeId leader) {
  Node& node = nodes_[id];
  node.role = Role::kFollower;
  node.leader = leader;
  node.silence = 0;
}

void NaiveModel::acknowledge(NodeId id) {
  const Node& node = nodes_[id];
  Message m;
  m.type = MessageType::kAppendReply;
  m.to = node.leader;
  m.index = LogIndex(std::min(durable(node), node.verified));
  say(id, m);
}

void NaiveModel::append(NodeId id, EntryKind kind, const Blob& data) {
  Node& node = nodes_[id];
  node.log.push_back(Entry{node.state.term, LogIndex(node.log.size() + 1), kind, data});
  node.must_write.push_back(node.log.back());
}

void NaiveModel::ticked(NodeId id) {
  nodes_[id].ticking = true;
}

// Whether an election began is the core's choice, within the bounds.
void NaiveModel::end_tick(NodeId id, bool campaigns) {
  Node& node = nodes_[id];
  if (!node.ticking) return;
  node.ticking = false;
  if (node.role == Role::kLeader) {
    require(!campaigns, id, " leads and campaigns");
    if (++node.ticks_of_quorum < knobs().election_ticks_max) return;
    node.ticks_of_quorum = 0;
    const size_t active = node.heard.size() + 1;
    node.heard.clear();
    if (active < majority()) follow(id, NodeId());
    return;
  }
  ++node.silence;
  const bool alone = cluster_.ids().size() == 1;
  require(!campaigns || alone || node.silence >= knobs().election_ticks_min, id,
          " campaigns too early");
  require(campaigns || node.silence < knobs().election_ticks_max, id, " campaigns too late");
  if (campaigns) campaign(id);
}

void NaiveModel::campaign(NodeId id) {
  Node& node = nodes_[id];
  node.role = Role::kPreCandidate;
  node.leader = NodeId();
  node.silence = 0;
  node.votes = {{id, true}};
  say_to_all(id, MessageType::kPreVote, node.state.term + 1);
  count(id);
}

void NaiveModel::stand(NodeId id) {
  Node& node = nodes_[id];
  enter(node, node.state.term + 1);
  node.state.vote = id;
  node.role = Role::kCandidate;
  node.leader = NodeId();
  node.silence = 0;
  node.votes.clear();
  say_to_all(id, MessageType::kVote, node.state.term);
}

void NaiveModel::lead(NodeId id) {
  Node& node = nodes_[id];
  node.role = Role::kLeader;
  node.leader = id;
  node.match.clear();
  node.heard.clear();
  node.ticks_of_quorum = 0;
  append(id, EntryKind::kNoop, Blob());
}

void NaiveModel::count(NodeId id) {
  Node& node = nodes_[id];
  size_t yes = 0;
  for (const auto& [voter, granted] : node.votes)
    yes += granted ? 1 : 0;
  const size_t no = node.votes.size() - yes;
  if (yes >= majority()) {
    node.role == Role::kPreCandidate ? stand(id) : lead(id);
  } else if (cluster_.ids().size() - no < majority()) {
    follow(id, NodeId());
  }
}

void NaiveModel::state_persisted(NodeId id, const HardState& state) {
  Node& node = nodes_[id];
  node.on_disk = state;
  if (state != node.state) return;
  for (const Message& m : std::exchange(node.withheld, {}))
    node.must_say.push_back(to_string(m));
  if (node.role == Role::kCandidate) {
    node.votes.emplace(id, true);
    count(id);
  }
}

void NaiveModel::log_persisted(NodeId id, const Output::Append& append) {
  Node& node = nodes_[id];
  require(!node.writes.empty() && node.writes.front() == append.entries, id, ": a strange write");
  const size_t before = durable(node);
  write_to(node.disk, node.writes.front());
  node.writes.pop_front();
  if (durable(node) == before) return;
  if (node.role == Role::kLeader) {
    commit_as_leader(id);
  } else if (node.leader != NodeId()) {
    acknowledge(id);
  }
}

void NaiveModel::proposed(NodeId id, const Blob& data, const Result<Proposed>& result) {
  Node& node = nodes_[id];
  size_t waiting = 0;
  // All that is in memory and not committed, of whatever term. Only a restart leaves entries out.
  for (size_t i = node.commit; i < node.log.size(); ++i) {
    const bool cached = cluster_.node(id).raft->log().is_cached(LogIndex(i + 1));
    if (cached) waiting += node.log[i].data.size();
  }
  const bool full = waiting > 0 && waiting + data.size() > knobs().max_uncommitted_bytes;
  const Code expected = node.role != Role::kLeader ? Code::kNotLeader
                        : full                     ? Code::kExhausted
                                                   : Code::kOk;
  require(result.ok() ? expected == Code::kOk : result.is(expected), id, ": a proposal gets ",
          code_name(result.ok() ? Code::kOk : result.code()), ", not ", code_name(expected));
  if (expected != Code::kOk) return;
  append(id, EntryKind::kCommand, data);
  require(result->term == node.state.term && result->index.value() == node.log.size(), id,
          ": a proposal at a strange place");
}

void NaiveModel::read_asked(NodeId id, uint64_t, const Status& status) {
  require(status.ok() == (nodes_[id].role == Role::kLeader), id, ": who takes reads?");
}

void NaiveModel::crashed(NodeId id) {
  nodes_.erase(id);
}

void NaiveModel::restarted(NodeId id) {
  const Disk& disk = cluster_.node(id).disk;
  Node& node = nodes_[id] = Node();
  node.log = node.disk = disk.log;
  node.commit = disk.applied.value();
  node.on_disk = node.state = node.state_before = disk.state;
  const Term last = term_at(node, node.log.size());
  if (last > node.state.term) node.state = HardState{last, NodeId()};
}

void NaiveModel::vote_asked(NodeId id, const Message& m) {
  Node& node = nodes_[id];
  const bool hears_a_leader =
      node.role == Role::kLeader ||
      (node.leader != NodeId() && node.silence < knobs().election_ticks_min);
  if (m.term > node.state.term && hears_a_leader) return;
  Message reply;
  reply.to = m.from;
  if (m.type == MessageType::kPreVote) {
    reply.type = MessageType::kPreVoteReply;
    reply.reject = m.term <= node.state.term || !up_to_date(node, m);
    reply.term = reply.reject ? node.state.term : m.term;
  } else {
    reply.type = MessageType::kVoteReply;
    if (m.term > node.state.term) {
      enter(node, m.term);
      follow(id, NodeId());
    }
    const bool free = node.state.vote == NodeId() || node.state.vote == m.from;
    reply.reject = m.term < node.state.term || !free || !up_to_date(node, m);
    if (!reply.reject) {
      node.state.vote = m.from;
      node.silence = 0;
    }
  }
  say(id, reply);
}

void NaiveModel::vote_answered(NodeId id, const Message& m) {
  Node& node = nodes_[id];
  if (m.type == MessageType::kPreVoteReply) {
    if (node.role != Role::kPreCandidate) return;
    if (!m.reject && m.term != node.state.term + 1) return;
  } else if (node.role != Role::kCandidate) {
    return;
  }
  node.votes.emplace(m.from, !m.reject);
  count(id);
}

void NaiveModel::append_asked(NodeId id, const Message& m) {
  Node& node = nodes_[id];
  const size_t before = m.index.value();
  if (before > node.commit && (before > node.log.size() || term_at(node, before) != m.log_term)) {
    Message reply;
    reply.type = MessageType::kAppendReply;
    reply.to = m.from;
    reply.reject = true;
    reply.index = m.index;
    size_t hint = std::min(before, node.log.size());
    while (hint > 0 && term_at(node, hint) > m.log_term)
      --hint;
    reply.hint_index = LogIndex(hint);
    reply.hint_term = term_at(node, hint);
    say(id, reply);
    return;
  }
  bool all_known = true;
  for (const Entry& entry : m.entries) {
    const size_t at = entry.index.value();
    if (at <= node.commit || (at <= node.log.size() && node.log[at - 1].term == entry.term))
      continue;
    write_to(node.log, {entry});
    node.must_write.push_back(entry);
    all_known = false;
  }
  node.verified = std::max({node.verified, before + m.entries.size(), node.commit});
  node.commit = std::max(node.commit, std::min<size_t>(m.commit.value(), node.verified));
  if (all_known) acknowledge(id);
}

void NaiveModel::stepped(NodeId id, const Message& m) {
  Node& node = nodes_[id];
  if (m.type == MessageType::kVote || m.type == MessageType::kPreVote) {
    vote_asked(id, m);
    return;
  }
  const bool granted_pre_vote = m.type == MessageType::kPreVoteReply && !m.reject;
  if (m.term > node.state.term && !granted_pre_vote) {
    enter(node, m.term);
    follow(id, NodeId());
  }
  if (m.term < node.state.term) {
    if (!from_leader(m.type)) return;
    Message reply;
    reply.type = MessageType::kAppendReply;
    reply.to = m.from;
    reply.reject = true;
    reply.index = m.index;
    say(id, reply);
    return;
  }
  if (from_leader(m.type)) follow(id, m.from);
  if (m.type == MessageType::kPreVoteReply || m.type == MessageType::kVoteReply) {
    vote_answered(id, m);
  } else if (m.type == MessageType::kAppend) {
    append_asked(id, m);
  } else if (m.type == MessageType::kHeartbeat) {
    node.commit = std::max(node.commit, std::min<size_t>(m.commit.value(), node.log.size()));
    Message reply;
    reply.type = MessageType::kHeartbeatReply;
    reply.to = m.from;
    reply.round = m.round;
    say(id, reply);
  } else if (node.role == Role::kLeader) {
    node.heard.insert(m.from);
    if (m.type == MessageType::kAppendReply && !m.reject) {
      require(m.index.value() <= node.log.size(), id, ": acknowledged beyond its log");
      node.match[m.from] = std::max<size_t>(node.match[m.from], m.index.value());
      commit_as_leader(id);
    }
  }
}

void NaiveModel::commit_as_leader(NodeId id) {
  Node& node = nodes_[id];
  for (size_t n = node.log.size(); n > node.commit; --n) {
    if (term_at(node, n) != node.state.term) return;  // and those before it even less
    size_t have = durable(node) >= n ? 1 : 0;
    for (const auto& [peer, match] : node.match)
      have += match >= n ? 1 : 0;
    if (have >= majority()) {
      node.commit = n;
      return;
    }
  }
}

void NaiveModel::check_sent(NodeId id, const Message& m) {
  Node& node = nodes_[id];
  require(node.role == Role::kLeader && m.term == node.state.term, id, " does not lead and sends ",
          to_string(m));
  if (m.type == MessageType::kHeartbeat) {
    require(m.commit.value() == std::min(node.commit, node.match[m.to]),
            "the commit index of a heartbeat: ", to_string(m));
    return;
  }
  require(m.commit.value() == node.commit, "the commit index of an append: ", to_string(m));
  require(m.index.value() + m.entries.size() <= node.log.size() &&
              term_at(node, m.index.value()) == m.log_term,
          "not of its log: ", to_string(m));
  for (const Entry& entry : m.entries) {
    require(node.log[entry.index.value() - 1] == entry, "not of its log: ", to_string(m));
  }
}

void NaiveModel::output(NodeId id, const Output& output) {
  Node& node = nodes_[id];
  const bool campaigns =
      node.ticking && (output.hard_state.has_value() ||
                       std::any_of(output.messages.begin(), output.messages.end(),
                                   [](const auto& m) { return m.type == MessageType::kPreVote; }));
  end_tick(id, campaigns);
  for (const Message& m : output.messages) {
    if (from_leader(m.type)) {
      check_sent(id, m);
    } else {
      node.said.push_back(to_string(m));
    }
  }
  for (const Output::Append& append : output.appends) {
    node.written.insert(node.written.end(), append.entries.begin(), append.entries.end());
    node.writes.push_back(append.entries);
  }
  if (output.hard_state) {
    require(*output.hard_state == node.state, id, " writes a strange term and vote");
    node.state_written = true;
  }
}

void NaiveModel::settled(NodeId id) {
  end_tick(id, false);
  Node& node = nodes_[id];
  require(node.said == node.must_say, id, " must say", join(node.must_say), "\n  and says",
          join(node.said));
  require(node.written == node.must_write, id, " must write ", show(node.must_write),
          " and writes ", show(node.written));
  require(node.state_written || node.state == node.state_before, id,
          " does not write its term and vote");
  compare(id);
  node.said.clear();
  node.must_say.clear();
  node.written.clear();
  node.must_write.clear();
  node.state_before = node.state;
  node.state_written = false;
}

void NaiveModel::compare(NodeId id) {
  const Node& node = nodes_[id];
  const Raft& raft = *cluster_.node(id).raft;
  const auto same = [&](const char* what, const auto& expected, const auto& actual) {
    require(expected == actual, id, ": ", what, " is ", actual, ", must be ", expected);
  };
  same("role", to_string(node.role), to_string(raft.role()));
  same("term", node.state.term, raft.term());
  same("vote", node.state.vote, raft.vote());
  same("leader", node.leader, raft.leader());
  same("commit", node.commit, raft.commit().value());
  same("last index", node.log.size(), raft.last_index().value());
  same("durable", durable(node), raft.durable().value());
  for (size_t i = 1; i <= node.log.size(); ++i) {
    same("term of an entry", term_at(node, i), raft.log().term_at(LogIndex(i)));
  }
}

}  // namespace drumlin::raft::test
