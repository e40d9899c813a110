#include "machine.h"

namespace drumlin::wal::test {

namespace {

Scheduler& shared_scheduler() {
  static Scheduler scheduler;
  return scheduler;
}

}  // namespace

Machine::Machine(std::shared_ptr<FakeDisk> disk)
    : disk_(std::move(disk)),
      scheduler_(shared_scheduler()),
      log_(clock_, NodeId(1), observe::Level::kDebug,
           [this](observe::Level, std::string_view line) { lines_.emplace_back(line); }) {
  disk_->stop_at = UINT64_MAX;
  disk_->operations = 0;
  disk_->yield = [this] {
    if (scheduler_.current() != nullptr) scheduler_.yield();
  };
  disk_->power_cut = [this] { die(); };
}

Machine::~Machine() {
  scheduler_.kill(domain_);
}

void Machine::secure_random(std::span<char> into) {
  for (char& c : into)
    c = static_cast<char>(++next_random_);
}

void Machine::die() {
  scheduler_.doom(domain_);
  scheduler_.suspend();
  DRUMLIN_UNREACHABLE("a dead fiber went on");
}

void Machine::halt(std::string_view reason) {
  halted_ = reason;
  die();
}

bool Machine::run(std::function<void()> body) {
  bool ended = false;
  scheduler_.spawn(domain_, "test", [&ended, body = std::move(body)] {
    body();
    ended = true;
  });
  clock_.run(scheduler_);
  if (!ended) scheduler_.kill(domain_);
  return ended;
}

}  // namespace drumlin::wal::test
