#include "sim/runtime/world.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sim/runtime/process.h"

namespace drumlin::sim {
namespace {

class Action final : public Event {
 public:
  Action(World& world, std::function<void()> action)
      : Event(nullptr), world_(world), action_(std::move(action)) {}
  void fire() override {
    world_.event(nullptr, "action");
    action_();
  }
  bool owned_by_heap() const override { return true; }

 private:
  World& world_;
  std::function<void()> action_;
};

// FiberKilled on the reactor's own stack: the process halted in a handler of its own.
void fire(Event& event) {
  try {
    event.fire();
  } catch (const FiberKilled&) {
    return;
  }
}

}  // namespace

World::World(uint64_t seed, Options options)
    : seed_(seed),
      options_(std::move(options)),
      scheduler_(options_.fibers),
      trace_(options_.trace),
      chaos_(seed),
      network_(*this, options_.network) {}

World::~World() {
  running_ = true;  // nobody is told
  for (auto& [id, machine] : machines_) {
    if (machine->running()) doomed_.push_back(machine->release());
  }
  for (auto& client : clients_)
    doomed_.push_back(std::move(client));
  for (auto& process : doomed_) {
    process->die(Exit::kKilled);
    scheduler_.kill(process->domain());
  }
  doomed_.clear();
  while (!heap_.empty()) {
    auto& event = static_cast<Event&>(heap_.pop());
    if (event.owned_by_heap()) delete &event;
  }
}

Machine& World::add_machine(NodeId id) {
  DRUMLIN_CHECK(id.value() >= 1 && id.value() <= 254, "id ", id);
  DRUMLIN_CHECK(!machines_.contains(id), "node ", id, " is there already");
  const std::string n = id.to_string();
  Host& host = network_.add_host("10.0.0." + n, static_cast<uint32_t>(id.value()), "node " + n);
  auto machine = std::make_unique<Machine>(*this, id, host, options_.disk);
  return *(machines_[id] = std::move(machine));
}

Machine& World::machine(NodeId id) {
  const auto it = machines_.find(id);
  DRUMLIN_CHECK(it != machines_.end(), "no node ", id);
  return *it->second;
}

Runtime& World::client_runtime(std::string name) {
  const size_t n = clients_.size() + 1;
  DRUMLIN_CHECK_LE(n, size_t{254});
  Host& host = network_.add_host("10.0.1." + std::to_string(n), static_cast<uint32_t>(1000 + n),
                                 std::move(name));
  host.up = true;
  clients_.push_back(
      std::make_unique<Process>(*this, host, nullptr, "client " + std::to_string(n)));
  return *clients_.back();
}

void World::set_client_clock(Runtime& client, Duration offset) {
  static_cast<Process&>(client).host().wall_offset = offset;
}

void World::at(Instant when, std::function<void()> action) {
  arm(*new Action(*this, std::move(action)), when);
}

bool World::paused(Host& host) {
  if (host.paused_until <= now_) return false;
  if (!host.pause_felt && host.pause_fault_until > now_) {
    host.pause_felt = true;
    counters_.effective("pause");
  }
  return true;
}

// The event's work takes the processor; what is due meanwhile waits.
void World::spend(Host& host) {
  if (!std::exchange(host.cost_felt, true)) counters_.effective("slow_cpu");
  host.paused_until = std::max(host.paused_until, now_) + host.event_cost;
}

void World::step() {
  auto& event = static_cast<Event&>(heap_.pop());
  now_ = event.at();
  if (event.host() != nullptr && paused(*event.host())) {
    heap_.arm(event, event.host()->paused_until);
    return;
  }
  ++events_;
  if (event.host() != nullptr && event.host()->event_cost > Duration(0)) spend(*event.host());
  if (event.owned_by_heap()) {
    const std::unique_ptr<Event> owned(&event);
    fire(event);
  } else {
    fire(event);
  }
}

void World::settle() {
  do {
    bury();
  } while (scheduler_.run_one());
}

void World::bury() {
  while (!doomed_.empty()) {
    auto process = std::move(doomed_.front());
    doomed_.erase(doomed_.begin());
    scheduler_.kill(process->domain());
    Machine* const machine = process->machine();
    const Exit how = process->how();
    event(&process->host(), "exit", static_cast<uint64_t>(how));
    process.reset();
    if (machine != nullptr) machine->buried(how);
  }
}

void World::doom(Process& process) {
  scheduler_.doom(process.domain());
  if (process.machine() == nullptr || !process.machine()->owns(process)) return;
  doomed_.push_back(process.machine()->release());
  if (running_) return;
  running_ = true;
  bury();
  running_ = false;
}

void World::run_until(Instant until) {
  (void)run_until([] { return false; }, until);
}

bool World::run_until(const std::function<bool()>& done, Instant limit) {
  DRUMLIN_CHECK(!running_, "the world runs already");
  running_ = true;
  settle();
  bool satisfied = done();
  while (!satisfied && !heap_.empty() && heap_.top().at() <= limit) {
    step();
    settle();
    satisfied = done();
  }
  if (!satisfied && limit > now_ && limit != kNever) now_ = limit;
  running_ = false;
  return satisfied;
}

}  // namespace drumlin::sim
