#include "router/shard_client.h"

#include <algorithm>

namespace drumlin::router {
namespace {

// One attempt at a node that does not answer must not eat the whole deadline: a node that is cut off says
// nothing, and another leads after an election timeout. How much longer answers take just now, and later
// attempts are given, is in patience.h. Asking twice costs an entry in the log, no more: the number of the
// command is the same.
constexpr Duration kAttemptMin = 600ms;
constexpr Duration kAttemptMax = 5s;
constexpr Duration kPauseMin = 10ms;
constexpr Duration kPauseMax = 80ms;  // what an election may cost on top of its own time

}  // namespace

// Which node to ask next, and how long to pause before it.
class ShardClient::Search {
 public:
  Search(ShardClient& client, uint32_t shard) : client_(client), shard_(shard) {}

  NodeId next() {
    if (client_.runtime_.buggify("router.forget_leader")) client_.leaders_[shard_] = NodeId();
    const NodeId known = client_.leaders_[shard_];
    if (known != NodeId()) return known;
    const NodeId local = client_.local_.leader(shard_);
    if (local != NodeId() && tried_local_hint_ != local) {
      tried_local_hint_ = local;
      return local;
    }
    const auto& replicas = client_.replicas_of_[shard_];
    return replicas[turn_++ % replicas.size()];
  }

  // Learns from an answer. True if the next attempt should wait a little first.
  bool failed(NodeId asked, const Status& why) {
    const NodeId hint = known_replica(replica::leader_in(why));
    if (hint != NodeId() && hint != asked && hint != last_hint_) {
      client_.leaders_[shard_] = hint;
      last_hint_ = hint;
      return false;
    }
    client_.leaders_[shard_] = NodeId();
    tried_local_hint_ = asked;
    last_hint_ = NodeId();
    ++failures_;
    return true;
  }

  Duration attempt_time(const Patience& patience) const {
    return client_.runtime_.buggify("router.short_attempt", patience.attempt(failures_), 1ms,
                                    100ms);
  }

  Duration pause() {
    const Duration most = std::min(kPauseMax, kPauseMin * (1 << std::min<size_t>(failures_, 5)));
    return client_.jitter_.duration_between(most / 2, most);
  }

 private:
  // A hint is another node's word: only who holds the shard can lead it.
  NodeId known_replica(NodeId node) const {
    const auto& replicas = client_.replicas_of_[shard_];
    return std::find(replicas.begin(), replicas.end(), node) == replicas.end() ? NodeId() : node;
  }
  ShardClient& client_;
  uint32_t shard_;
  size_t turn_ = 0;
  size_t failures_ = 0;
  NodeId tried_local_hint_;
  NodeId last_hint_;
};

ShardClient::ShardClient(Runtime& runtime, observe::Observer observer, Origin origin,
                         const std::vector<std::vector<NodeId>>& replicas_of,
                         replica::ReplicaSet& local, std::map<NodeId, rpc::Peer*> peers)
    : runtime_(runtime),
      observer_(observer),
      origin_(origin),
      replicas_of_(replicas_of),
      local_(local),
      peers_(std::move(peers)),
      leaders_(replicas_of.size()),
      numbers_(replicas_of.size()),
      jitter_(runtime.random().stream("router")),
      retries_(observer.metrics.counter("drumlin_router_retries_total",
                                        "Attempts beyond the first of reads and writes")) {}

Patience& ShardClient::patience_of(NodeId node, bool write) {
  return patience_.try_emplace({node, write}, kAttemptMin, kAttemptMax).first->second;
}

// The one loop around every attempt. An outcome that is unknown stays so until an attempt is
// answered.
template <typename T, typename Attempt>
Result<T> ShardClient::search(uint32_t shard, Instant deadline, bool write, Attempt&& attempt) {
  Search search(*this, shard);
  bool uncertain = false;
  Status last(Code::kUnavailable, "no leader was found in time");
  while (!stopping_.cancelled() && runtime_.clock().now() < deadline) {
    const NodeId node = search.next();
    Patience& patience = patience_of(node, write);
    const Instant began = runtime_.clock().now();
    // Our own replica says so itself when it no longer leads.
    const Instant limit =
        node == origin_.node
            ? deadline
            : std::min(deadline, after(runtime_.clock(), search.attempt_time(patience)));
    Result<T> answer = attempt(node, limit);
    if (answer.ok()) patience.answered(runtime_.clock().now() - began);
    // As if it had been lost on its way: asking again must do no harm.
    if (answer.ok() && runtime_.buggify("router.lose_answer")) {
      answer = Status(write ? Code::kOutcomeUnknown : Code::kTimeout, "buggify");
    }
    if (answer.ok()) {
      leaders_[shard] = node;
      return answer;
    }
    last = answer.status();
    switch (last.code()) {
      case Code::kNotLeader:
      case Code::kUnavailable:
      case Code::kTimeout:
      case Code::kClosed:
      case Code::kCancelled:
        break;
      case Code::kOutcomeUnknown:
        uncertain = true;
        runtime_.probe("router.asked_again_after_unknown");
        break;
      case Code::kExhausted:
        if (!uncertain) return last;
        break;
      default:
        if (!uncertain) return last;
        return Status(Code::kOutcomeUnknown, last.message());
    }
    retries_.Increment();
    if (search.failed(node, last)) {
      const Instant until = std::min(deadline, after(runtime_.clock(), search.pause()));
      if (!runtime_.sleep_until(until, &stopping_).ok()) break;
    }
  }
  if (write && uncertain) return Status(Code::kOutcomeUnknown, last.message());
  return Status(Code::kUnavailable,
                "shard " + std::to_string(shard) + ": " +
                    (last.is(Code::kNotLeader) ? std::string("it has no leader") : last.message()));
}

Result<shard::Reply> ShardClient::write(uint32_t shard, shard::Command command, Instant deadline) {
  Numbers& numbers = numbers_[shard];
  const uint64_t number = numbers.next++;
  struct Outstanding {
    Outstanding(Numbers& n, uint64_t value) : numbers(n), number(value) {
      numbers.outstanding.insert(value);
    }
    ~Outstanding() { numbers.outstanding.erase(number); }
    Numbers& numbers;
    uint64_t number;
  };
  const Outstanding outstanding(numbers, number);
  command.session = {origin_.node.value(), origin_.boot, number, numbers.low_water()};
  const std::string bytes = shard::encode(command);
  const auto attempt = [&](NodeId node, Instant limit) -> Result<shard::Reply> {
    const auto answer = propose_at(node, shard, bytes, limit);
    // It is the answer that was too large for a frame: the write was carried out.
    if (answer.is(Code::kTooLarge)) return Status(Code::kOutcomeUnknown, answer.status().message());
    if (!answer.ok()) return answer.status();
    auto reply = shard::decode_reply(*answer);
    if (!reply.ok()) return Status(Code::kOutcomeUnknown, reply.status().message());
    // Not this attempt; but an earlier one may yet arrive when the session has room again.
    if (reply->code == Code::kExhausted && reply->detail == shard::Detail::kSession) {
      return Status(Code::kExhausted, reply->message);
    }
    return reply;
  };
  return search<shard::Reply>(shard, deadline, /*write=*/true, attempt);
}

Result<replica::QueryReply> ShardClient::read(replica::QueryRequest request, Instant deadline) {
  return search<replica::QueryReply>(
      request.shard, deadline, /*write=*/false,
      [&](NodeId node, Instant limit) { return query_at(node, request, limit); });
}

Result<std::string> ShardClient::propose_at(NodeId node, uint32_t shard, const std::string& command,
                                            Instant deadline) {
  if (node == origin_.node) return local_.propose(shard, command, deadline);
  // The command has the object's body: no copy of it may live on while the call waits.
  const auto encoded = [&] {
    return replica::encode(
        replica::ProposeRequest{shard, command, deadline - runtime_.clock().now()});
  };
  return peers_.at(node)->call(replica::kPropose, encoded(), deadline);
}

Result<replica::QueryReply> ShardClient::query_at(NodeId node, const replica::QueryRequest& request,
                                                  Instant deadline) {
  if (node == origin_.node) return local_.query(request, deadline);
  replica::QueryRequest timed = request;
  timed.timeout = deadline - runtime_.clock().now();
  DRUMLIN_ASSIGN(const std::string reply,
                 peers_.at(node)->call(replica::kQuery, replica::encode(timed), deadline));
  return replica::decode_query_reply(reply);
}

}  // namespace drumlin::router
