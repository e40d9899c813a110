// kv_campaign: the engines of kv side by side against a std::map. Batches, gets, cursors and
// snapshots that stay open over later writes, flushes, restarts in order and by a crash: all engines
// say the same, and what a crash leaves is a prefix of the batches that reaches the last flush.
#include "fuzz/campaign.h"
#include "tests/kv/engines.h"

#include <rapidcheck.h>

#include <deque>
#include <ostream>
#include <utility>

namespace drumlin::kv::test {
namespace {

struct Op {
  uint32_t kind = 0;
  uint32_t a = 0;
  uint32_t b = 0;
};
void showValue(const Op& op, std::ostream& out) {
  out << "{" << op.kind << "," << op.a << "," << op.b << "}";
}

struct Totals {
  uint64_t operations = 0;
  uint64_t batches = 0;
  uint64_t compared = 0;  // entries under cursors
  uint64_t restarts = 0;
  uint64_t lost = 0;  // batches, by crashes
};

// Bytes that sort oddly, and prefixes of each other.
std::string key_of(uint32_t n) {
  static constexpr char kBytes[] = {'\0', '/', 'a', '\x7f', '\x80', '\xff'};
  std::string out = "k";
  for (uint32_t left = n % 400; left > 0; left /= 6)
    out.push_back(kBytes[left % 6]);
  return out;
}
std::string value_of(uint32_t a, uint32_t b) {
  const size_t n = b % 11 == 0 ? (b % 64) * 512 : b % 40;
  return std::string(n, static_cast<char>(a)) + std::to_string(b);
}

constexpr const char* kNumber = "number";  // of the last batch, in every batch

class Trial {
 public:
  explicit Trial(Totals& totals) : totals_(totals) {
    engines_.emplace_back("memory");
    engines_.emplace_back("rocksdb");
    states_.emplace_back();
  }

  void step(const Op& op) {
    ++totals_.operations;
    switch (op.kind % 16) {
      case 0:
        return restart(op.b % 2 == 0);
      case 1:
        return flush();
      case 2:
        return open_snapshot(op.a);
      case 3:
      case 4:
        return open_cursors(op.a, op.b);
      case 5:
      case 6:
      case 7:
        return move_cursors(op.a, op.b);
      case 8:
      case 9:
        return look(op.a);
      default:
        return write(op);
    }
  }

  void finish() {
    for (const Snapshot& snapshot : snapshots_)
      RC_ASSERT(contents(*snapshot.view) == snapshot.model);
    for (Engine& engine : engines_)
      RC_ASSERT(contents(*engine) == model());
  }

 private:
  struct Snapshot {
    std::unique_ptr<View> view;
    Model model;
  };
  struct Open {
    std::unique_ptr<Cursor> cursor;
    Model model;  // of the range
    Model::const_iterator at;
  };
  const Model& model() const { return states_.back(); }

  void write(const Op& op) {
    Model next = model();
    Batch batch;
    const auto put = [&](const std::string& key, std::string value) {
      next[key] = value;
      batch.put(key, std::move(value));
    };
    for (uint32_t i = 0; i <= op.b % 12; ++i) {
      const std::string key = key_of(op.a + i * 37);
      if ((op.kind + i) % 3 == 0) {
        next.erase(key);
        batch.remove(key);
      } else {
        put(key, value_of(op.a + i, op.b));
      }
    }
    put(kNumber, std::to_string(states_.size()));
    for (Engine& engine : engines_) {
      Status status = engine->write(batch, Access::kNonBlocking);
      if (status.is(Code::kWouldBlock)) status = engine->write(batch, Access::kBlocking);
      RC_ASSERT(status.ok());
    }
    states_.push_back(std::move(next));
    ++totals_.batches;
  }

  void flush() {
    for (Engine& engine : engines_)
      RC_ASSERT(engine->flush().ok());
    flushed_ = states_.size() - 1;
  }

  // In order, after a flush; or as a crash of the process does it. The engine in memory goes with its
  // process: what the other one has kept is written to it anew.
  void restart(bool in_order) {
    ++totals_.restarts;
    if (in_order) flush();
    snapshots_.clear();
    cursors_.clear();
    Engine& disk = engines_.back();
    disk.reopen();
    const Model left = contents(*disk);
    const auto number = left.find(kNumber);
    const size_t reached = number == left.end() ? 0 : std::stoul(number->second);
    RC_ASSERT(reached >= flushed_);
    RC_ASSERT(reached < states_.size());
    RC_ASSERT(left == states_[reached]);
    totals_.lost += states_.size() - 1 - reached;
    states_.resize(reached + 1);
    flushed_ = reached;
    engines_.front().reopen();
    Batch all;
    for (const auto& [key, value] : left)
      all.put(key, value);
    RC_ASSERT(engines_.front()->write(all, Access::kBlocking).ok());
  }

  void look(uint32_t a) {
    const std::string key = key_of(a);
    for (Engine& engine : engines_)
      same(get(*engine, key), model(), key);
    for (const Snapshot& snapshot : snapshots_)
      same(snapshot.view->get(key), snapshot.model, key);
  }
  static void same(const Result<std::optional<std::string>>& found, const Model& model,
                   const std::string& key) {
    RC_ASSERT(found.ok());
    const auto it = model.find(key);
    RC_ASSERT(found->has_value() == (it != model.end()));
    if (found->has_value()) RC_ASSERT(**found == it->second);
  }

  void open_snapshot(uint32_t a) {
    Engine& engine = engines_[a % engines_.size()];
    snapshots_.push_back({engine->snapshot(Access::kBlocking), model()});
    if (snapshots_.size() > 5) snapshots_.pop_front();
  }

  void open_cursors(uint32_t a, uint32_t b) {
    const std::string lower = a % 5 == 0 ? "" : key_of(a);
    const std::string upper = b % 3 == 0 ? "" : key_of(b);
    for (Engine& engine : engines_)
      open_cursor(*engine.operator->(), model(), lower, upper);
    if (!snapshots_.empty()) {
      const Snapshot& snapshot = snapshots_[b % snapshots_.size()];
      open_cursor(*snapshot.view, snapshot.model, lower, upper);
    }
  }
  void open_cursor(const View& view, const Model& model, const std::string& lower,
                   const std::string& upper) {
    Open open;
    for (auto it = model.lower_bound(lower); it != model.end(); ++it) {
      if (upper.empty() || it->first < upper) open.model.insert(*it);
    }
    open.cursor = view.cursor(lower, upper);
    cursors_.push_back(std::move(open));
    cursors_.back().at = cursors_.back().model.begin();
    agree(cursors_.back());
    if (cursors_.size() > 8) cursors_.pop_front();
  }

  void move_cursors(uint32_t a, uint32_t b) {
    for (Open& open : cursors_) {
      if (a % 3 == 0) {
        open.cursor->seek(key_of(b));
        open.at = open.model.lower_bound(key_of(b));
        agree(open);
      }
      for (uint32_t i = 0; i < b % 6 && open.at != open.model.end() && open.cursor->valid(); ++i) {
        open.cursor->next();
        ++open.at;
        agree(open);
      }
    }
  }
  // A cursor that needs the disk and may not wait says so, and nothing else until it is moved.
  void agree(const Open& open) {
    if (open.cursor->status().is(Code::kWouldBlock)) {
      RC_ASSERT(!open.cursor->valid());
      return;
    }
    RC_ASSERT(open.cursor->status().ok());
    RC_ASSERT(open.cursor->valid() == (open.at != open.model.end()));
    if (!open.cursor->valid()) return;
    RC_ASSERT(open.cursor->key() == open.at->first);
    RC_ASSERT(open.cursor->value() == open.at->second);
    ++totals_.compared;
  }

  Totals& totals_;
  std::deque<Engine> engines_;
  std::vector<Model> states_;  // after each batch
  size_t flushed_ = 0;         // so many batches are durable
  std::deque<Snapshot> snapshots_;
  std::deque<Open> cursors_;
};

rc::Gen<std::vector<Op>> any_ops() {
  const auto number = rc::gen::resize(100, rc::gen::inRange<uint32_t>(0, 1000));
  return rc::gen::scale(4, rc::gen::container<std::vector<Op>>(rc::gen::noShrink(rc::gen::build<Op>(
                               rc::gen::set(&Op::kind, number), rc::gen::set(&Op::a, number),
                               rc::gen::set(&Op::b, number)))));
}

}  // namespace
}  // namespace drumlin::kv::test

int main(int argc, char** argv) {
  using namespace drumlin::kv::test;  // NOLINT(google-build-using-namespace)
  Totals totals;
  drumlin::fuzz::Campaign campaign;
  campaign.name = "kv_campaign";
  campaign.cases = 25;
  campaign.property = [&] {
    const std::vector<Op> ops = *any_ops();
    Trial trial(totals);
    for (const Op& op : ops)
      trial.step(op);
    trial.finish();
  };
  campaign.totals = [&] {
    return std::to_string(totals.operations) + " operations, " + std::to_string(totals.batches) +
           " batches, " + std::to_string(totals.compared) + " entries compared, " +
           std::to_string(totals.restarts) + " restarts, " + std::to_string(totals.lost) +
           " batches lost";
  };
  return drumlin::fuzz::run_campaign(campaign, {argv + 1, argv + argc});
}
