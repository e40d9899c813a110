// kv: every engine against a std::map, under writes, flushes and restarts drawn by RapidCheck, with
// snapshots and cursors open across them.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <deque>
#include <tuple>

#include "engines.h"

namespace drumlin::kv::test {
namespace {

using Op = std::tuple<int, int, int>;  // kind and two operands, each in [0, 256)

std::string key_of(int n) {
  static constexpr char kBytes[] = {'\0', 'a', 'b', '\xff'};
  std::string out;
  for (int left = n % 80; left > 0; left /= 4)
    out.push_back(kBytes[left % 4]);
  return out;
}

std::string value_of(int a, int b) {
  return std::string(static_cast<size_t>(b % 7 == 0 ? b * 40 : b % 30), static_cast<char>(a)) +
         std::to_string(a);
}

std::optional<std::string> expected(const Model& model, const std::string& key) {
  const auto it = model.find(key);
  return it == model.end() ? std::nullopt : std::optional(it->second);
}

// A cursor, and where it should be.
struct Open {
  std::unique_ptr<Cursor> cursor;
  Model model;  // of the range
  Model::const_iterator at;
};

class Trial {
 public:
  explicit Trial(const char* engine) : engine_(engine) {}

  void step(const Op& op) {
    const auto [kind, a, b] = op;
    switch (kind % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 8:
        return put_one(a, b);
      case 4:
      case 5:
        return remove_one(a);
      case 6:
        return write_many(a, b);
      case 7:
        return flush(b);
      case 9:
        views_.emplace_back(engine_->snapshot(Access::kBlocking), model_);
        if (views_.size() > 6) views_.erase(views_.begin() + a % 6);
        return;
      case 10:
        return look_into_snapshot(a, b);
      case 11:
        return open_cursor(a, b);
      case 12:
      case 13:
        return move_cursor(a, b, /*seek=*/false);
      case 14:
        return move_cursor(a, b, /*seek=*/true);
      default: {
        const auto found = get(*engine_, key_of(a));
        RC_ASSERT(found.ok());
        RC_ASSERT(*found == expected(model_, key_of(a)));
      }
    }
  }

  void finish() {
    for (const auto& [view, model] : views_)
      RC_ASSERT(contents(*view) == model);
    for (Open& open : cursors_) {
      for (; open.at != open.model.end(); ++open.at) {
        if (blocked(open)) break;
        agree(open);
        open.cursor->next();
      }
    }
    RC_ASSERT(contents(*engine_) == model_);
  }

 private:
  void write(const Batch& batch) {
    Status status = engine_->write(batch, Access::kNonBlocking);
    if (status.is(Code::kWouldBlock)) status = engine_->write(batch, Access::kBlocking);
    RC_ASSERT(status.ok());
  }
  void put_one(int a, int b) {
    model_[key_of(a)] = value_of(a, b);
    write(put(key_of(a), value_of(a, b)));
  }
  void remove_one(int a) {
    model_.erase(key_of(a));
    write(removal(key_of(a)));
  }
  void write_many(int a, int b) {
    Batch batch;
    for (int i = 0; i < b % 20; ++i) {
      const std::string key = key_of(a + i * 11);
      if ((a + i) % 3 == 0) {
        model_.erase(key);
        batch.remove(key);
      } else {
        model_[key] = value_of(i, b);
        batch.put(key, value_of(i, b));
      }
    }
    write(batch);
  }
  void flush(int b) {
    if (b % 2 == 0) return;  // seldom, it takes its time
    RC_ASSERT(engine_->flush().ok());
    if (b % 8 != 1 || !engine_.persistent()) return;
    views_.clear();
    cursors_.clear();
    engine_.reopen();
  }
  void look_into_snapshot(int a, int b) {
    if (views_.empty()) return;
    const auto& [view, model] = views_[static_cast<size_t>(a) % views_.size()];
    const auto found = view->get(key_of(b));
    RC_ASSERT(found.ok());
    RC_ASSERT(*found == expected(model, key_of(b)));
    if (b % 4 == 0) RC_ASSERT(contents(*view) == model);
  }
  void open_cursor(int a, int b) {
    Open open;
    const std::string lower = key_of(a);
    const std::string upper = b % 4 == 0 ? std::string() : key_of(b);
    const bool of_snapshot = b % 3 == 0 && !views_.empty();
    const Model& model = of_snapshot ? views_.back().second : model_;
    for (auto it = model.lower_bound(lower); it != model.end(); ++it) {
      if (upper.empty() || it->first < upper) open.model.insert(*it);
    }
    open.cursor =
        of_snapshot ? views_.back().first->cursor(lower, upper) : engine_->cursor(lower, upper);
    cursors_.push_back(std::move(open));
    cursors_.back().at = cursors_.back().model.begin();
    if (!blocked(cursors_.back())) agree(cursors_.back());
    if (cursors_.size() > 6) cursors_.pop_front();
  }
  void move_cursor(int a, int b, bool seek) {
    if (cursors_.empty()) return;
    Open& open = cursors_[static_cast<size_t>(a) % cursors_.size()];
    if (seek) {
      open.cursor->seek(key_of(b));
      open.at = open.model.lower_bound(key_of(b));
    } else if (open.at != open.model.end() && !blocked(open)) {
      open.cursor->next();
      ++open.at;
    }
    if (!blocked(open)) agree(open);
  }
  // The cursor needs the disk: it has said so, and says nothing more.
  static bool blocked(const Open& open) {
    if (!open.cursor->status().is(Code::kWouldBlock)) return false;
    RC_ASSERT(!open.cursor->valid());
    return true;
  }
  static void agree(const Open& open) {
    RC_ASSERT(open.cursor->status().ok());
    RC_ASSERT(open.cursor->valid() == (open.at != open.model.end()));
    if (!open.cursor->valid()) return;
    RC_ASSERT(open.cursor->key() == open.at->first);
    RC_ASSERT(open.cursor->value() == open.at->second);
  }

  Engine engine_;
  Model model_;
  std::vector<std::pair<std::unique_ptr<View>, Model>> views_;
  std::deque<Open> cursors_;
};

class Differential : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Engines, Differential, testing::Values("memory", "rocksdb"),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(Differential, LikeAMap) {
  const auto byte = rc::gen::resize(100, rc::gen::inRange(0, 256));
  const auto ops =
      rc::gen::scale(8.0, rc::gen::container<std::vector<Op>>(rc::gen::tuple(byte, byte, byte)));
  EXPECT_TRUE(rc::check(std::string(GetParam()) + " is like a map", [&] {
    Trial trial(GetParam());
    for (const Op& op : *ops)
      trial.step(op);
    trial.finish();
  }));
}

// States by number, each written with its number: what is left after a crash is one of them, and
// not older than the last flush.
TEST_P(Differential, ACrashLeavesAPrefix) {
  if (!Engine(GetParam()).persistent()) GTEST_SKIP() << "a crash leaves nothing of this engine";
  const auto byte = rc::gen::resize(100, rc::gen::inRange(0, 256));
  const auto ops =
      rc::gen::scale(8.0, rc::gen::container<std::vector<Op>>(rc::gen::tuple(byte, byte, byte)));
  size_t lost_something = 0;
  size_t flushed_by_itself = 0;
  EXPECT_TRUE(rc::check(std::string(GetParam()) + " loses a suffix", [&] {
    Engine engine(GetParam());
    std::vector<Model> states{{}};
    size_t flushed = 0;
    for (const auto& [kind, a, b] : *ops) {
      if (kind % 32 == 0) {
        RC_ASSERT(engine->flush().ok());
        flushed = states.size() - 1;
        continue;
      }
      Model next = states.back();
      Batch batch;
      next["number"] = std::to_string(states.size());
      batch.put("number", next["number"]);
      next[key_of(a)] = value_of(a, b);
      batch.put(key_of(a), value_of(a, b));
      next.erase(key_of(b));
      batch.remove(key_of(b));
      RC_ASSERT(engine->write(batch, Access::kBlocking).ok());
      states.push_back(std::move(next));
    }
    engine.reopen();
    const Model left = contents(*engine);
    const auto number = left.find("number");
    const size_t reached = number == left.end() ? 0 : std::stoul(number->second);
    RC_ASSERT(reached >= flushed);
    RC_ASSERT(reached < states.size());
    RC_ASSERT(left == states[reached]);
    if (reached + 1 < states.size()) ++lost_something;
    if (reached > flushed) ++flushed_by_itself;
  }));
  EXPECT_GT(lost_something, 0u);
  EXPECT_GT(flushed_by_itself, 0u);
}

}  // namespace
}  // namespace drumlin::kv::test
