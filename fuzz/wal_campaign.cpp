// wal_campaign: lives of a write-ahead log, each ended by a power cut anywhere, a kill, an orderly
// close or a turned bit. Whatever sectors of whatever was not synced are lost, kept or garbage: the
// next life finds a prefix of what was appended, all that was acknowledged in it, and reads it back.
#include "fuzz/campaign.h"
#include "tests/wal/machine.h"
#include "wal/wal.h"

#include <rapidcheck.h>

#include <map>
#include <ostream>
#include <utility>

namespace drumlin::wal::test {
namespace {

struct Op {
  uint32_t kind = 0;
  uint32_t group = 0;
  uint32_t n = 0;
  uint32_t size = 0;
};
void showValue(const Op& op, std::ostream& out) {
  out << "{" << op.kind << "," << op.group << "," << op.n << "," << op.size << "}";
}

enum class Ending : uint32_t { kPowerCut, kTornSectors, kKill, kClose, kCloseAndTurnABit };

struct Life {
  uint32_t knobs = 0;
  std::vector<Op> ops;
  uint32_t stop = 0;  // the disk operation in which the power fails; 0: none
  Ending ending = Ending::kPowerCut;
  uint64_t fates = 0;
};
void showValue(const Life& life, std::ostream& out) {
  out << "\nlife knobs=" << life.knobs << " stop=" << life.stop
      << " ending=" << static_cast<uint32_t>(life.ending) << " fates=" << life.fates << " ops=";
  for (const Op& op : life.ops)
    showValue(op, out);
}

struct Totals {
  uint64_t lives = 0;
  uint64_t records = 0;
  uint64_t acknowledged = 0;
  uint64_t lost = 0;     // appended, not acknowledged, and gone
  uint64_t damaged = 0;  // turned bits that were noticed
};

// The groups' logs as Wal::append defines them.
class Model {
 public:
  void add(const Record& record) {
    Log& log = logs_[record.group];
    const LogIndex next = log.first + log.records.size();
    if (record.index < log.first || record.index > next) {
      log = Log{record.index, {}};
    } else {
      log.records.resize(record.index - log.first);
    }
    log.records.push_back(record);
  }
  struct Log {
    LogIndex first{1};
    std::vector<Record> records;
    LogIndex last() const { return first + records.size() - 1; }
  };
  const std::map<GroupId, Log>& logs() const { return logs_; }
  LogIndex last(GroupId group) const {
    const auto it = logs_.find(group);
    return it == logs_.end() ? LogIndex() : it->second.last();
  }

 private:
  std::map<GroupId, Log> logs_;
};

class Trial {
 public:
  explicit Trial(Totals& totals) : totals_(totals) {}

  // Empty, or what was wrong.
  std::string live(const Life& life) {
    ++totals_.lives;
    ++epoch_;
    Machine machine(image_);
    if (life.stop > 0) machine.disk().stop_at = life.stop - 1;
    const bool lived = machine.run([&] { run(machine, life); });
    if (wrong_.empty() && !lived && !machine.halted().empty()) wrong_ = machine.halted();
    if (wrong_.empty()) end(machine, life, lived);
    log_.reset();
    return wrong_;
  }
  bool over() const { return over_; }

 private:
  void run(Machine& machine, const Life& life) {
    Wal::Options options;
    options.epoch = epoch_;
    options.segment_bytes = std::array<uint64_t, 4>{300, 700, 2500, 1 << 20}[life.knobs % 4];
    options.max_batch_bytes = life.knobs / 4 % 2 == 0 ? 4 << 20 : 150;
    options.idle_marker = life.knobs / 8 % 2 == 0 ? Duration::max() : Duration(1ms);
    std::vector<Record> found;
    auto opened =
        Wal::open(machine, machine.observer(), options, [&](const Record& record, const Location&) {
          found.push_back(record);
          return Status();
        });
    if (!opened.ok()) {
      if (!bent_ || !opened.is(Code::kCorrupt)) wrong_ = opened.status().to_string();
      ++totals_.damaged;
      over_ = true;
      return;
    }
    log_ = std::move(*opened);
    if (found.size() < acknowledged_) return fail("acknowledged records are gone");
    if (found.size() > appended_.size() ||
        !std::equal(found.begin(), found.end(), appended_.begin())) {
      return fail("a record that was not appended");
    }
    totals_.lost += appended_.size() - found.size();
    appended_ = std::move(found);
    acknowledged_ = appended_.size();
    bent_ = false;
    model_ = {};
    for (const Record& record : appended_)
      model_.add(record);
    read_all();
    for (size_t i = 0; i < life.ops.size() && wrong_.empty(); ++i)
      step(machine, life.ops[i]);
    if (wrong_.empty() && life.ending >= Ending::kClose) {
      if (!log_->close().ok()) return fail("close");
      acknowledge(appended_.size());
    }
  }

  void step(Machine& machine, const Op& op) {
    switch (op.kind % 8) {
      case 0:
        machine.sleep_for(2ms).ignore();
        return;
      case 1:
        return read_all();
      case 2:
        return wait();
      default:
        append(op);
        if (op.kind % 2 == 0) wait();
    }
  }

  void append(const Op& op) {
    const GroupId group(op.group % 3);
    LogIndex index = model_.last(group) + 1;
    // Over some of its last records; or, seldom, from further on.
    if (op.n % 4 == 1)
      index = LogIndex(index.value() - std::min<uint64_t>(op.n / 4, index.value() - 1));
    if (op.n % 16 == 7) index = index + 3;
    std::vector<Record> records;
    for (uint32_t i = 0; i <= op.n % 3; ++i) {
      std::string data(op.size % 7 == 0 ? op.size * 8 : op.size % 60, static_cast<char>(++fill_));
      records.push_back(
          {group, static_cast<uint8_t>(op.size), Term(epoch_), index + i, Blob(std::move(data))});
      model_.add(records.back());
    }
    appended_.insert(appended_.end(), records.begin(), records.end());
    totals_.records += records.size();
    lsn_ = log_->append(std::move(records));
  }

  void wait() {
    const size_t count = appended_.size();
    if (lsn_ == Lsn()) return;
    if (!log_->wait_durable(lsn_, kNever).ok()) return fail("wait");
    if (log_->durable() < lsn_) return fail("durable() is behind wait_durable()");
    acknowledge(count);
  }

  void acknowledge(size_t count) {
    totals_.acknowledged += count - acknowledged_;
    acknowledged_ = count;
  }

  void read_all() {
    for (const auto& [group, log] : model_.logs()) {
      if (log_->last_index(group) != log.last()) return fail("last index of a group");
      auto records = log_->read(group, log.first, log.last(), SIZE_MAX / 2);
      if (!records.ok()) return fail(records.status().to_string());
      if (*records != log.records) return fail("other records are read than were appended");
    }
  }

  void end(Machine& machine, const Life& life, bool lived) {
    Rng rng(life.fates);
    const auto choose = [&](size_t n) { return rng.below(n); };
    switch (life.ending) {
      case Ending::kPowerCut:
        image_ = machine.disk().crash(choose);
        return;
      case Ending::kTornSectors:
        image_ = machine.disk().crash_by_sectors(choose);
        return;
      case Ending::kCloseAndTurnABit:
        image_ = machine.disk().image();
        if (lived) turn_a_bit(rng);
        return;
      default:
        image_ = machine.disk().image();
    }
  }

  // After an orderly close all of the log is known to be durable: damage is damage.
  void turn_a_bit(Rng& rng) {
    std::vector<std::string*> files;
    for (auto& [name, bytes] : image_.files) {
      if (!bytes.empty()) files.push_back(&bytes);
    }
    if (files.empty()) return;
    std::string& bytes = *rng.pick(files);
    char& byte = bytes[rng.below(bytes.size())];
    byte = static_cast<char>(byte ^ (1 << rng.below(8)));
    bent_ = true;
  }

  void fail(std::string why) { wrong_ = std::move(why); }

  Totals& totals_;
  Image image_;
  uint64_t epoch_ = 0;
  std::vector<Record> appended_;  // what a start may find, in order
  size_t acknowledged_ = 0;       // so many of them it must find
  Model model_;
  std::unique_ptr<Wal> log_;
  Lsn lsn_;
  unsigned char fill_ = 0;
  bool bent_ = false;
  bool over_ = false;  // the log is refused, as it should
  std::string wrong_;
};

rc::Gen<std::vector<Life>> any_lives() {
  using rc::gen::inRange;
  const auto op =
      rc::gen::noShrink(rc::gen::build<Op>(rc::gen::set(&Op::kind, inRange<uint32_t>(0, 256)),
                                           rc::gen::set(&Op::group, inRange<uint32_t>(0, 256)),
                                           rc::gen::set(&Op::n, inRange<uint32_t>(0, 256)),
                                           rc::gen::set(&Op::size, inRange<uint32_t>(0, 256))));
  const auto stop = rc::gen::weightedOneOf<uint32_t>(
      {{1, rc::gen::just(0U)}, {3, inRange<uint32_t>(1, 40)}, {1, inRange<uint32_t>(40, 200)}});
  const auto life = rc::gen::build<Life>(
      rc::gen::set(&Life::knobs, inRange<uint32_t>(0, 16)),
      rc::gen::set(&Life::ops, rc::gen::container<std::vector<Op>>(op)),
      rc::gen::set(&Life::stop, rc::gen::resize(100, stop)),
      rc::gen::set(&Life::ending, rc::gen::noShrink(rc::gen::element(
                                      Ending::kPowerCut, Ending::kPowerCut, Ending::kTornSectors,
                                      Ending::kTornSectors, Ending::kKill, Ending::kClose,
                                      Ending::kCloseAndTurnABit))),
      rc::gen::set(&Life::fates,
                   rc::gen::noShrink(rc::gen::resize(100, inRange<uint64_t>(0, 1u << 30)))));
  return rc::gen::scale(0.4, rc::gen::container<std::vector<Life>>(rc::gen::scale(2.5, life)));
}

}  // namespace
}  // namespace drumlin::wal::test

int main(int argc, char** argv) {
  using namespace drumlin::wal::test;  // NOLINT(google-build-using-namespace)
  Totals totals;
  drumlin::fuzz::Campaign campaign;
  campaign.name = "wal_campaign";
  campaign.checks_throw = false;
  campaign.property = [&] {
    const std::vector<Life> lives = *any_lives();
    Trial trial(totals);
    for (size_t i = 0; i < lives.size() && !trial.over(); ++i) {
      const std::string wrong = trial.live(lives[i]);
      if (!wrong.empty()) RC_FAIL("life " + std::to_string(i + 1) + ": " + wrong);
    }
  };
  campaign.totals = [&] {
    return std::to_string(totals.lives) + " lives, " + std::to_string(totals.records) +
           " records, " + std::to_string(totals.acknowledged) + " acknowledged, " +
           std::to_string(totals.lost) + " others lost, " + std::to_string(totals.damaged) +
           " turned bits noticed";
  };
  return drumlin::fuzz::run_campaign(campaign, {argv + 1, argv + argc});
}
