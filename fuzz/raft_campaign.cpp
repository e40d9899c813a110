// raft_campaign: Raft cores under random schedules, held against the invariants and a naive model
// after every step. RapidCheck makes the schedules and shrinks those that fail.
//
//   raft_campaign [--seed S] [--seconds T] [--batches N]
//   raft_campaign --run FILE       a schedule as printed, with all that happens
//
// Batch i is made from seed S + i alone, so `--seed S+i --batches 1` repeats a failing one exactly;
// T only says how many batches there are. A schedule is a list of commands of
// tests/raft/commands.h: paste it into a transcript.
#include <rapidcheck.h>
#include <rapidcheck/detail/TestListener.h>

#include <chrono>
#include <fstream>
#include <iostream>

#include "naive_model.h"
#include "tests/raft/commands.h"
#include "tests/raft/invariants.h"

namespace drumlin::raft::test {
namespace {

// A command before it is put into words: plain numbers, that RapidCheck can draw and shrink.
struct Op {
  uint32_t kind = 0;  // place in the weights
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t k = 0;
};

struct Schedule {
  std::string cluster;
  std::vector<std::string> commands;
};

void showValue(const Schedule& schedule, std::ostream& out) {
  out << "\n" << schedule.cluster << "\n";
  for (const std::string& command : schedule.commands)
    out << command << "\n";
}

enum class Kind {
  kDeliver,
  kDeliverOne,
  kTick,
  kPersist,
  kPersistOne,
  kPropose,
  kRead,
  kStabilize,
  kElect,
  kDrop,
  kDuplicate,
  kCrash,
  kRestart,
  kCut,
  kIsolate,
  kHeal,
  kApply,
  kFetch,
  kExpire,
  kSend,
};
constexpr size_t kKinds = 20;

// Swarm: a schedule of one mood does much of some things and nothing of others.
constexpr uint32_t kMoods[][kKinds] = {
    // In the order of Kind.
    {20, 6, 12, 10, 4, 8, 5, 2, 2, 2, 1, 2, 4, 1, 1, 2, 2, 2, 1, 2},   // some of all
    {22, 2, 14, 12, 0, 10, 8, 4, 0, 0, 0, 0, 0, 1, 1, 3, 2, 2, 0, 0},  // partitions
    {14, 20, 8, 8, 8, 10, 6, 0, 2, 6, 10, 0, 0, 0, 0, 0, 1, 2, 1, 6},  // a bad network
    {16, 4, 8, 6, 12, 10, 4, 2, 6, 1, 1, 8, 10, 0, 0, 0, 2, 2, 1, 0},  // crashes
    {10, 6, 4, 4, 8, 10, 4, 1, 14, 4, 2, 4, 6, 0, 2, 3, 1, 1, 4, 8},   // elections, divergence
};
constexpr size_t kMoodCount = std::size(kMoods);

Kind kind_of(const Op& op, size_t mood) {
  uint32_t total = 0;
  for (const uint32_t weight : kMoods[mood])
    total += weight;
  uint32_t at = op.kind % total;
  size_t kind = 0;
  while (at >= kMoods[mood][kind])
    at -= kMoods[mood][kind++];
  return static_cast<Kind>(kind);
}

std::string voters(size_t nodes, uint32_t bits) {
  std::string out;
  for (size_t i = 1; i <= nodes; ++i) {
    if ((bits >> i & 1) != 0) out += " " + std::to_string(i);
  }
  return out.empty() ? " 1" : out;
}

// `place` makes the ids of reads and the data of proposals distinct.
std::string words(const Op& op, size_t mood, size_t nodes, size_t place) {
  const std::string a = std::to_string(op.a % nodes + 1);
  const std::string b =
      std::to_string((op.a + 1 + op.b % std::max<size_t>(nodes - 1, 1)) % nodes + 1);
  const std::string link = a + "->" + b;
  const std::string which = " #" + std::to_string(op.k % 4 + 1);
  switch (kind_of(op, mood)) {
    case Kind::kDeliver:
      return "deliver " + link;
    case Kind::kDeliverOne:
      return "deliver " + link + which;
    case Kind::kTick:
      return "tick " + a + " " + std::to_string(op.k % 4 + 1);
    case Kind::kPersist:
      return "persist " + a;
    case Kind::kPersistOne:
      return "persist " + a + (op.k % 2 == 0 ? " log 1" : " state 1");
    case Kind::kPropose:
      return "propose " + a + " x" + std::to_string(place);
    case Kind::kRead:
      return "read " + a + " " + std::to_string(place);
    case Kind::kStabilize:
      return "stabilize" + voters(nodes, op.k);
    case Kind::kElect:
      return "elect " + a + voters(nodes, op.k & ~(1u << (op.a % nodes + 1)));
    case Kind::kDrop:
      return "drop " + link + which;
    case Kind::kDuplicate:
      return "duplicate " + link + which;
    case Kind::kCrash:
      return "crash " + a + " state=" + std::to_string(op.k % 3) +
             " log=" + std::to_string(op.b % 4) + " part=" + std::to_string(op.k / 3 % 3);
    case Kind::kRestart:
      return "restart " + a;
    case Kind::kCut:
      return "cut " + a + " " + b;
    case Kind::kIsolate:
      return "isolate " + a;
    case Kind::kHeal:
      return "heal";
    case Kind::kApply:
      return "apply " + a;
    case Kind::kFetch:
      return "fetch " + a + (op.k % 4 == 3 ? " fail" : "");
    case Kind::kSend:
      return "send " + link + " after=" + std::to_string(op.k % 8) +
             " count=" + std::to_string(op.k / 8 % 4);
    case Kind::kExpire:
      return "tick " + a + " 32";
  }
  DRUMLIN_UNREACHABLE("kind");
}

std::string cluster_line(size_t nodes, uint32_t knobs) {
  std::string out = "cluster " + std::to_string(nodes);
  if ((knobs & 1) != 0) out += " append-bytes=1";
  if ((knobs & 2) != 0) out += " inflight-messages=2";
  if ((knobs & 4) != 0) out += " cache-bytes=0";
  if ((knobs & 8) != 0) out += " uncommitted-bytes=8";
  if ((knobs & 16) != 0) out += " inflight-bytes=60";
  return out;
}

rc::Gen<Op> any_op() {
  return rc::gen::build<Op>(rc::gen::set(&Op::kind, rc::gen::inRange<uint32_t>(0, 1u << 20)),
                            rc::gen::set(&Op::a, rc::gen::inRange<uint32_t>(0, 60)),
                            rc::gen::set(&Op::b, rc::gen::inRange<uint32_t>(0, 60)),
                            rc::gen::set(&Op::k, rc::gen::inRange<uint32_t>(0, 64)));
}

rc::Gen<Schedule> any_schedule() {
  // An operation is not shrunk by itself: a schedule is, by leaving out operations.
  return rc::gen::map(
      rc::gen::tuple(
          rc::gen::noShrink(rc::gen::element<size_t>(1, 3, 3, 3, 5, 5)),
          rc::gen::inRange<uint32_t>(0, 32),
          rc::gen::noShrink(rc::gen::inRange<size_t>(0, kMoodCount)),
          rc::gen::scale(3, rc::gen::container<std::vector<Op>>(rc::gen::noShrink(any_op())))),
      [](const std::tuple<size_t, uint32_t, size_t, std::vector<Op>>& drawn) {
        const auto& [nodes, knobs, mood, ops] = drawn;
        Schedule out{cluster_line(nodes, knobs), {}};
        for (size_t i = 0; i < ops.size(); ++i) {
          out.commands.push_back(words(ops[i], mood, nodes, i));
        }
        return out;
      });
}

// What a campaign has seen: a campaign that never commits anything proves nothing.
struct Totals {
  uint64_t schedules = 0;
  uint64_t commands = 0;
  uint64_t committed = 0;
  uint64_t reads = 0;
};

class Run {
 public:
  explicit Run(const std::string& cluster)
      : cluster_(parse_cluster(cluster)), invariants_(cluster_), model_(cluster_) {}

  std::string command(const std::string& line) { return run_command(cluster_, line); }

  // With a working network and time, the cluster gets over whatever has happened to it.
  void recover() {
    command("heal");
    for (const NodeId id : cluster_.ids())
      command("restart " + id.to_string());
    for (int i = 0; i < 200 && !in_order(); ++i) {
      for (const NodeId id : cluster_.ids())
        cluster_.tick(id);
      command("stabilize");
    }
    if (!in_order())
      throw Violation("no leader whose log all have, 200 ticks after the last fault");
    serve();
  }
  uint64_t committed() const { return invariants_.committed().size(); }
  uint64_t reads() const { return invariants_.reads_served(); }

 private:
  NodeId leader() const {
    for (const NodeId id : cluster_.ids()) {
      const Raft& raft = *cluster_.node(id).raft;
      if (raft.role() == Role::kLeader && raft.term() == cluster_.newest_term()) return id;
    }
    return NodeId();
  }
  bool in_order() const {
    const NodeId id = leader();
    if (id == NodeId()) return false;
    const Raft& raft = *cluster_.node(id).raft;
    if (raft.commit() != raft.last_index()) return false;
    return std::all_of(cluster_.ids().begin(), cluster_.ids().end(), [&](NodeId peer) {
      const Raft& other = *cluster_.node(peer).raft;
      return other.durable() == raft.last_index() && other.commit() == raft.commit();
    });
  }
  void serve() {
    const NodeId id = leader();
    const uint64_t reads_before = reads();
    const uint64_t committed_before = committed();
    command("propose " + id.to_string() + " last");
    command("read " + id.to_string() + " 1000000");
    command("stabilize");
    // A round of reads may have been lost before all was well: the next heartbeat repeats it.
    cluster_.tick(id, cluster_.options().knobs.heartbeat_ticks);
    command("stabilize");
    if (committed() != committed_before + 1) throw Violation("a proposal is not committed");
    if (reads() <= reads_before) throw Violation("a read is not served");
    for (const auto& [peer, progress] : cluster_.node(id).raft->progress()) {
      if (progress.in_flight_bytes != 0 || progress.fetching) {
        throw Violation("the account of what is under way does not return to nothing");
      }
    }
  }

  Cluster cluster_;
  Invariants invariants_;
  NaiveModel model_;
};

void check(const Schedule& schedule, Totals& totals) {
  std::string at = schedule.cluster;
  try {
    Run run(schedule.cluster);
    for (const std::string& command : schedule.commands) {
      at = command;
      run.command(command);
    }
    at = "the recovery at the end";
    run.recover();
    ++totals.schedules;
    totals.commands += schedule.commands.size();
    totals.committed += run.committed();
    totals.reads += run.reads();
  } catch (const Violation& violation) {
    RC_FAIL(at + ": " + violation.what());
  }
}

class Silent : public rc::detail::TestListener {
 public:
  void onTestCaseFinished(const rc::detail::CaseDescription&) override {}
  void onShrinkTried(const rc::detail::CaseDescription&, bool) override {}
  void onTestFinished(const rc::detail::TestMetadata&, const rc::detail::TestResult&) override {}
};

constexpr int kSchedulesOfABatch = 100;

bool run_batch(uint64_t seed, Totals& totals) {
  rc::detail::TestParams params;
  params.seed = seed;
  params.maxSuccess = kSchedulesOfABatch;
  Silent silent;
  const auto result = rc::detail::checkProperty(
      rc::detail::toProperty([&] { check(*any_schedule(), totals); }), {}, params, silent, {});
  if (result.is<rc::detail::SuccessResult>()) return true;
  rc::detail::printResultMessage(result, std::cout);
  std::cout << "\nreplay: raft_campaign --seed " << seed << " --batches 1\n";
  return false;
}

int run_file(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line)) {
    std::cerr << "nothing to read: " << path << "\n";
    return 2;
  }
  try {
    Run run(line);
    while (std::getline(in, line)) {
      if (line.empty() || line[0] == '#') continue;
      std::cout << "> " << line << "\n" << run.command(line);
    }
    run.recover();
  } catch (const Violation& violation) {
    std::cout << "> " << line << "\nVIOLATION " << violation.what() << "\n";
    return 1;
  }
  std::cout << "no violation\n";
  return 0;
}

int run_campaign(uint64_t seed, uint64_t seconds, uint64_t batches) {
  using Watch = std::chrono::steady_clock;
  const Watch::time_point end = Watch::now() + std::chrono::seconds(seconds);
  std::cout << "raft_campaign --seed " << seed << std::endl;
  Totals totals;
  bool held = true;
  uint64_t i = 0;
  for (; held && (batches > 0 ? i < batches : i == 0 || Watch::now() < end); ++i) {
    held = run_batch(seed + i, totals);
  }
  std::cout << i << " batches, " << totals.schedules << " schedules, " << totals.commands
            << " commands, " << totals.committed << " entries committed, " << totals.reads
            << " reads: " << (held ? "held" : "FAILED") << "\n";
  return held ? 0 : 1;
}

int usage() {
  std::cerr << "raft_campaign [--seed S] [--seconds T] [--batches N] | --run FILE\n";
  return 2;
}

int run_main(const std::vector<std::string>& args) {
  std::map<std::string, uint64_t> options = {{"--seed", 1}, {"--seconds", 20}, {"--batches", 0}};
  if (args.size() % 2 != 0) return usage();
  for (size_t i = 0; i < args.size(); i += 2) {
    const std::string& value = args[i + 1];
    if (args[i] == "--run") return run_file(value);
    if (!options.contains(args[i])) return usage();
    if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos) return usage();
    options[args[i]] = std::stoull(value);
  }
  return run_campaign(options["--seed"], options["--seconds"], options["--batches"]);
}

}  // namespace
}  // namespace drumlin::raft::test

int main(int argc, char** argv) {
  return drumlin::raft::test::run_main({argv + 1, argv + argc});
}
