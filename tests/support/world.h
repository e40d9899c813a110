// A world in memory for tests: virtual time, byte pipes, one node. Reads return what
// one write put in, or less (Pipe::max_read), so a test decides how bytes arrive.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "observe/observer.h"
#include "runtime/runtime.h"

namespace drumlin::test {

class CrankedClock : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override { return WallTime(784111777s + now_.time_since_epoch()); }
  void arm(Timer& timer, Instant at) override {
    if (at == kNever) {
      timer.disarm();
    } else {
      heap_.arm(timer, std::max(at, now_));
    }
  }
  // Jumps from timer to timer until nothing is left to do.
  void run(Scheduler& scheduler) {
    scheduler.run_ready();
    while (!heap_.empty()) {
      now_ = heap_.top().at();
      heap_.pop().fire();
      scheduler.run_ready();
    }
  }
  double seconds() const { return to_seconds(now_.time_since_epoch()); }

 private:
  Instant now_{};
  TimerHeap heap_;
};

// One direction of a connection.
struct Pipe {
  Pipe(Scheduler& scheduler, Clock& clock) : readers(scheduler, clock), writers(scheduler, clock) {}
  std::deque<std::string> packets;
  size_t bytes = 0;
  size_t capacity = 64 * 1024;
  size_t max_read = SIZE_MAX;
  bool ended = false;  // nothing more comes
  bool reset = false;  // nobody reads
  WaitQueue readers;
  WaitQueue writers;
};

class PipeStream final : public Stream {
 public:
  PipeStream(Clock& clock, std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : clock_(clock), in_(std::move(in)), out_(std::move(out)) {}
  ~PipeStream() override { close(); }

  Result<size_t> read_some(std::span<char> into) override {
    DRUMLIN_CHECK(!into.empty());
    for (;;) {
      if (closed_) return Status(Code::kCancelled, "closed");
      if (in_->reset) return Status(Code::kClosed, "reset");
      if (!in_->packets.empty()) break;
      if (in_->ended) return size_t{0};
      if (clock_.now() >= read_deadline_) return Status(Code::kTimeout, "read");
      (void)in_->readers.wait(read_deadline_);
    }
    std::string& packet = in_->packets.front();
    const size_t n = std::min({into.size(), packet.size(), in_->max_read});
    std::memcpy(into.data(), packet.data(), n);
    packet.erase(0, n);
    if (packet.empty()) in_->packets.pop_front();
    in_->bytes -= n;
    in_->writers.notify_all();
    return n;
  }

  Result<size_t> write_some(std::span<const std::string_view> pieces) override {
    DRUMLIN_CHECK(!pieces.empty());
    for (;;) {
      if (closed_) return Status(Code::kCancelled, "closed");
      if (out_->reset || out_->ended) return Status(Code::kClosed, "reset");
      if (out_->bytes < out_->capacity) break;
      if (clock_.now() >= write_deadline_) return Status(Code::kTimeout, "write");
      (void)out_->writers.wait(write_deadline_);
    }
    std::string packet;
    for (std::string_view piece : pieces) {
      DRUMLIN_CHECK(!piece.empty());
      packet.append(piece.substr(0, out_->capacity - out_->bytes - packet.size()));
    }
    const size_t n = packet.size();
    out_->bytes += n;
    out_->packets.push_back(std::move(packet));
    out_->readers.notify_all();
    return n;
  }

  void set_read_deadline(Instant deadline) override {
    read_deadline_ = deadline;
    in_->readers.notify_all();
  }
  void set_write_deadline(Instant deadline) override {
    write_deadline_ = deadline;
    out_->writers.notify_all();
  }
  void shutdown_write() override {
    out_->ended = true;
    out_->readers.notify_all();
  }
  void close() override {
    if (closed_) return;
    closed_ = true;
    shutdown_write();
    if (!in_->packets.empty()) {  // as TCP does: closing on unread data resets
      out_->reset = true;
    }
    in_->reset = true;
    in_->readers.notify_all();
    in_->writers.notify_all();
    out_->writers.notify_all();
  }
  Endpoint peer() const override { return {"10.0.0.9", 999}; }

  Pipe& in() { return *in_; }
  Pipe& out() { return *out_; }

 private:
  Clock& clock_;
  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  Instant read_deadline_ = kNever;
  Instant write_deadline_ = kNever;
  bool closed_ = false;
};

class World final : public Runtime, public Network {
 public:
  explicit World(uint64_t seed = 1, Scheduler::Options options = {})
      : scheduler_(options), rng_(seed), log_(clock_, NodeId(1), observe::Level::kError, {}) {}
  ~World() override { scheduler_.kill(domain_); }

  Scheduler& scheduler() override { return scheduler_; }
  Domain& domain() override { return domain_; }
  CrankedClock& clock() override { return clock_; }
  Network& network() override { return *this; }
  Disk& disk() override { DRUMLIN_UNREACHABLE("no disk here"); }
  const Rng& random() override { return rng_; }
  void secure_random(std::span<char> into) override { std::fill(into.begin(), into.end(), 'x'); }
  void offload(std::function<void()> job) override {
    ++jobs;
    if (job_time > Duration::zero()) (void)sleep_for(job_time);
    job();
  }
  [[noreturn]] void halt(std::string_view reason) override { DRUMLIN_UNREACHABLE(reason); }
  std::string boot_id() override { return "boot"; }
  observe::Observer observer() { return {log_, metrics_}; }

  Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) override {
    auto listener = std::make_unique<QueueListener>(*this, endpoint);
    listeners_[endpoint] = listener.get();
    return std::unique_ptr<Listener>(std::move(listener));
  }
  Result<std::unique_ptr<Stream>> connect(const Endpoint& endpoint, Instant) override {
    ++connects;
    const auto it = listeners_.find(endpoint);
    if (it == listeners_.end()) return Status(Code::kUnavailable, "connection refused");
    auto there = std::make_shared<Pipe>(scheduler_, clock_);
    auto back = std::make_shared<Pipe>(scheduler_, clock_);
    there->max_read = server_max_read;
    there->capacity = back->capacity = capacity;
    it->second->arrive(std::make_unique<PipeStream>(clock_, there, back));
    return std::unique_ptr<Stream>(std::make_unique<PipeStream>(clock_, back, there));
  }

  // Runs `body` as a fiber, and everything else, until nothing is left to do.
  void run(std::function<void()> body) {
    bool ended = false;
    spawn("test", [&] {
      body();
      ended = true;
    });
    clock_.run(scheduler_);
    DRUMLIN_CHECK(ended, "the test's fiber is stuck");
  }

  size_t server_max_read = SIZE_MAX;  // of connections made from now on
  size_t capacity = 64 * 1024;
  size_t connects = 0;
  size_t jobs = 0;                       // offloaded
  Duration job_time = Duration::zero();  // of each

 private:
  class QueueListener final : public Listener {
   public:
    QueueListener(World& world, Endpoint endpoint)
        : world_(world), endpoint_(std::move(endpoint)), arrived_(world.scheduler_, world.clock_) {}
    ~QueueListener() override { close(); }
    Result<std::unique_ptr<Stream>> accept() override {
      while (waiting_.empty() && !closed_)
        (void)arrived_.wait();
      if (closed_) return Status(Code::kCancelled, "closed");
      auto stream = std::move(waiting_.front());
      waiting_.pop_front();
      return stream;
    }
    void close() override {
      closed_ = true;
      world_.listeners_.erase(endpoint_);
      arrived_.notify_all();
    }
    Endpoint local() const override { return endpoint_; }
    void arrive(std::unique_ptr<Stream> stream) {
      waiting_.push_back(std::move(stream));
      arrived_.notify_one();
    }

   private:
    World& world_;
    Endpoint endpoint_;
    std::deque<std::unique_ptr<Stream>> waiting_;
    bool closed_ = false;
    WaitQueue arrived_;
  };

  Scheduler scheduler_;
  CrankedClock clock_;
  Domain domain_{"node"};
  Rng rng_;
  observe::Metrics metrics_;
  observe::Log log_;
  std::map<Endpoint, QueueListener*> listeners_;
};

// Everything until the other side ends or resets, or falls silent for `patience`.
inline std::string read_all(Stream& stream, Clock& clock, Duration patience = 200s) {
  std::string out;
  char block[4096];
  for (;;) {
    stream.set_read_deadline(after(clock, patience));
    const auto n = stream.read_some(block);
    if (!n.ok() || *n == 0) return out;
    out.append(block, *n);
  }
}

}  // namespace drumlin::test
