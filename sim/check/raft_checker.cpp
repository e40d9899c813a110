#include "sim/check/raft_checker.h"

#include <fmt/format.h>

#include <algorithm>

namespace drumlin::sim {

std::string RaftChecker::place(NodeId node, GroupId group, LogIndex index) {
  return fmt::format("node {}, shard {}, index {}", node.value(), group.value(), index.value());
}

const std::map<LogIndex, RaftChecker::Applied>& RaftChecker::history(GroupId group) const {
  static const std::map<LogIndex, Applied> kNone;
  const auto it = groups_.find(group);
  return it == groups_.end() ? kNone : it->second.applied;
}

LogIndex RaftChecker::committed(GroupId group) const {
  const auto it = groups_.find(group);
  if (it == groups_.end() || it->second.committed.empty()) return {};
  return it->second.committed.rbegin()->first;
}

void RaftChecker::recovered(NodeId node, GroupId group, const raft::HardState& state,
                            const raft::Log& log) {
  Replica& replica = groups_[group].replicas[node];
  verdict_.evaluated("recovery");
  const raft::HardState& known = replica.durable_state;
  if (state.term < known.term ||
      (state.term == known.term && known.vote != NodeId() && state.vote != known.vote)) {
    verdict_.safety(
        "recovery",
        fmt::format("node {}, shard {}: term {} vote {} was on the disk, term {} vote {} "
                    "came back",
                    node.value(), group.value(), known.term.value(), known.vote.value(),
                    state.term.value(), state.vote.value()));
  }
  // The log may begin after what is committed, and only there: that is what stands in for the rest.
  const auto& committed = groups_[group].committed;
  const auto start = committed.find(log.start());
  if (log.start() != LogIndex() &&
      (start == committed.end() || start->second != log.term_at(log.start()))) {
    verdict_.safety("recovery", place(node, group, log.start()) +
                                    ": the log begins after what nobody committed");
  }
  for (auto it = replica.stable.lower_bound(log.start()); it != replica.stable.end(); ++it) {
    const auto& [index, term] = *it;
    if (index > log.last_index() || log.term_at(index) != term) {
      verdict_.safety("recovery",
                      place(node, group, index) + ": was durable and did not come back");
      break;
    }
  }
  // What came back is what the disk holds. It is durable: the log's opening has synced it.
  replica.log.clear();
  replica.log.insert(committed.begin(), committed.lower_bound(log.start()));
  for (LogIndex i = std::max(log.start(), LogIndex(1)); i <= log.last_index(); ++i)
    replica.log[i] = log.term_at(i);
  replica.stable = replica.log;
  replica.durable_state = state;
  replica.commit = LogIndex();
}

void RaftChecker::sending(NodeId node, GroupId group, const raft::Message& message) {
  const Replica& replica = groups_[group].replicas[node];
  if (message.reject) return;
  if (message.type == raft::MessageType::kVoteReply) {
    verdict_.evaluated("gate");
    const raft::HardState& state = replica.durable_state;
    if (state.term < message.term || (state.term == message.term && state.vote != message.to)) {
      verdict_.safety(
          "gate",
          fmt::format("node {}, shard {}: granted its vote of term {} to node {} "
                      "before the disk had it",
                      node.value(), group.value(), message.term.value(), message.to.value()));
    }
  } else if (message.type == raft::MessageType::kAppendReply && message.index > LogIndex()) {
    verdict_.evaluated("gate");
    // Everything up to the acknowledged index is stable, with the terms that the log has now.
    const auto entry = replica.stable.find(message.index);
    const auto logged = replica.log.find(message.index);
    if (entry == replica.stable.end() || logged == replica.log.end() ||
        entry->second != logged->second) {
      verdict_.safety("gate", place(node, group, message.index) +
                                  ": acknowledged to the leader before the disk had it");
    }
  }
}

void RaftChecker::became_leader(NodeId node, GroupId id, Term term, LogIndex last) {
  Group& group = groups_[id];
  verdict_.evaluated("election");
  const auto [it, fresh] = group.leaders.emplace(term, node);
  if (!fresh && it->second != node) {
    verdict_.safety("election",
                    fmt::format("shard {}, term {}: both node {} and node {} lead", id.value(),
                                term.value(), it->second.value(), node.value()));
  }
  size_t votes = 0;
  for (const NodeId voter : voters_.at(id)) {
    const raft::HardState& state = group.replicas[voter].durable_state;
    if (state.term > term || (state.term == term && state.vote == node)) ++votes;
  }
  if (votes * 2 <= voters_.at(id).size()) {
    verdict_.safety(
        "election",
        fmt::format("shard {}, term {}: node {} leads with {} of {} votes on disk", id.value(),
                    term.value(), node.value(), votes, voters_.at(id).size()));
  }
  verdict_.evaluated("completeness");
  const Replica& replica = group.replicas[node];
  for (auto c = group.committed.rbegin(); c != group.committed.rend(); ++c) {
    if (group.committed_by[c->first] >= term) continue;
    const auto entry = replica.log.find(c->first);
    if (c->first > last || entry == replica.log.end() || entry->second != c->second) {
      verdict_.safety(
          "completeness",
          place(node, id, c->first) + fmt::format(": committed in term {}, missing in the log of "
                                                  "the leader of term {}",
                                                  c->second.value(), term.value()));
      return;
    }
  }
}

void RaftChecker::appended(NodeId node, GroupId group, std::span<const raft::Entry> entries) {
  Replica& replica = groups_[group].replicas[node];
  for (const raft::Entry& entry : entries) {
    replica.log.erase(replica.log.lower_bound(entry.index), replica.log.end());
    replica.log[entry.index] = entry.term;
    // The old record at this place may win or lose against the new one in a crash.
    replica.stable.erase(replica.stable.lower_bound(entry.index), replica.stable.end());
  }
}

void RaftChecker::durable(NodeId node, GroupId group, LogIndex index, Term term) {
  Replica& replica = groups_[group].replicas[node];
  const auto entry = replica.log.find(index);
  if (entry == replica.log.end() || entry->second != term) return;  // replaced since
  verdict_.evaluated("durability");
  if (!on_platter_(node, group, index)) {
    verdict_.safety("durability",
                    place(node, group, index) + ": called durable, but a power cut would lose it");
    return;
  }
  const LogIndex from = replica.stable.empty() ? LogIndex() : replica.stable.rbegin()->first;
  for (auto it = replica.log.upper_bound(from); it != replica.log.end() && it->first <= index;
       ++it) {
    replica.stable[it->first] = it->second;
  }
}

void RaftChecker::voted(NodeId node, GroupId group, Term term, NodeId vote) {
  Replica& replica = groups_[group].replicas[node];
  raft::HardState& state = replica.durable_state;
  verdict_.evaluated("vote");
  if (term < state.term || (term == state.term && state.vote != NodeId() && vote != state.vote)) {
    verdict_.safety("vote", fmt::format("node {}, shard {}: term {} vote {} after term {} vote {}",
                                        node.value(), group.value(), term.value(), vote.value(),
                                        state.term.value(), state.vote.value()));
  }
  state = {term, vote};
}

void RaftChecker::committed(NodeId node, GroupId id, LogIndex index, Term term, Term leading) {
  Group& group = groups_[id];
  Replica& replica = group.replicas[node];
  if (leading != Term() && term != leading) {
    verdict_.safety("commit", place(node, id, index) +
                                  fmt::format(": of term {}, counted by the leader of term {}",
                                              term.value(), leading.value()));
  }
  if (index < replica.commit) {
    verdict_.safety("commit",
                    place(node, id, index) +
                        fmt::format(": the commit index was {} before", replica.commit.value()));
  }
  for (auto it = replica.log.upper_bound(replica.commit);
       it != replica.log.end() && it->first <= index; ++it) {
    verdict_.evaluated("commit");
    const auto [known, fresh] = group.committed.emplace(it->first, it->second);
    if (!fresh && known->second != it->second) {
      verdict_.safety("commit", place(node, id, it->first) +
                                    fmt::format(": committed with term {}, elsewhere with term {}",
                                                it->second.value(), known->second.value()));
    }
    // A leader commits by counting an entry of its own term: this one.
    if (fresh) group.committed_by[it->first] = term;
    if (fresh) check_majority(node, id, group, it->first, it->second);
  }
  if (replica.log.find(index) == replica.log.end()) {
    verdict_.safety("commit", place(node, id, index) + ": committed, but not in the node's log");
  }
  replica.commit = index;
}

void RaftChecker::check_majority(NodeId node, GroupId id, Group& group, LogIndex index, Term term) {
  const std::vector<NodeId>& voters = voters_.at(id);
  size_t holders = 0;
  for (const NodeId voter : voters) {
    const Replica& replica = group.replicas[voter];
    const auto entry = replica.stable.find(index);
    if (entry != replica.stable.end() && entry->second == term) ++holders;
  }
  verdict_.evaluated("durability");
  if (holders * 2 <= voters.size()) {
    verdict_.safety("durability",
                    place(node, id, index) + fmt::format(": committed while {} of {} disks hold it",
                                                         holders, voters.size()));
  }
}

void RaftChecker::applied(NodeId node, GroupId id, LogIndex index, Term term,
                          std::string_view command, std::string_view reply) {
  Group& group = groups_[id];
  verdict_.evaluated("apply");
  const auto committed = group.committed.find(index);
  if (committed == group.committed.end() || committed->second != term) {
    verdict_.safety("apply",
                    place(node, id, index) + ": applied, but never committed with this term");
  }
  const auto& stable = group.replicas[node].stable;
  const auto own = stable.find(index);
  if (own == stable.end() || own->second != term) {
    verdict_.safety("apply",
                    place(node, id, index) + ": applied before the node's own disk had it");
  }
  const auto it = group.applied.find(index);
  if (it == group.applied.end()) {
    group.applied.emplace(index, Applied{term, std::string(command), std::string(reply)});
  } else if (it->second.command != command || it->second.reply != reply) {
    verdict_.safety("apply", place(node, id, index) + ": two nodes applied it differently");
  }
}

// Its content is checked by the digests of the replicas, and by what is applied on top of it.
void RaftChecker::installed(NodeId node, GroupId id, LogIndex index, Term term) {
  Group& group = groups_[id];
  Replica& replica = group.replicas[node];
  verdict_.evaluated("snapshot");
  const auto committed = group.committed.find(index);
  if (committed == group.committed.end() || committed->second != term) {
    verdict_.safety("snapshot",
                    place(node, id, index) + ": a snapshot of what nobody committed was installed");
    return;
  }
  const auto own = replica.log.find(index);
  if (own == replica.log.end() || own->second != term) {
    replica.log.clear();
    replica.stable.clear();
  }
  const auto end = std::next(committed);
  for (auto it = group.committed.begin(); it != end; ++it) {
    replica.log[it->first] = it->second;
    replica.stable[it->first] = it->second;
  }
}

void RaftChecker::acknowledged(NodeId node, GroupId id, LogIndex index, Term term,
                               std::string_view reply) {
  const Group& group = groups_[id];
  verdict_.evaluated("acknowledge");
  const auto applied = group.applied.find(index);
  if (applied == group.applied.end() || applied->second.term != term ||
      applied->second.reply != reply) {
    verdict_.safety("acknowledge", place(node, id, index) +
                                       ": a proposer was told what is not this entry's reply");
  }
}

void RaftChecker::read_served(NodeId node, GroupId id, LogIndex read_index, LogIndex applied) {
  verdict_.evaluated("read");
  if (applied < read_index) {
    verdict_.safety("read", place(node, id, read_index) + ": served a read before it was applied");
  }
}

}  // namespace drumlin::sim
