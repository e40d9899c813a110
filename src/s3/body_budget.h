// BodyBudget: the memory of a node for bodies, received and sent, and for listings. Each user has at
// most a share of it, so that nobody can hold all of it by being slow.
//
// Who waits for his own share stands in a queue of his own and in nobody's way. Whoever has room in his
// share waits for the whole in order of arrival, so a large body is not starved by small ones; and what he
// waits for counts in his share already. The fibers of one reactor.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "runtime/sync.h"

namespace drumlin::s3 {

class BodyBudget {
 private:
  struct Share;

 public:
  // Some of it, given back on destruction. Must not outlive the budget.
  class Bytes {
   public:
    Bytes() = default;
    Bytes(Bytes&& other) noexcept
        : share_(std::move(other.share_)), n_(std::exchange(other.n_, 0)) {}
    Bytes& operator=(Bytes&& other) noexcept {
      std::swap(share_, other.share_);
      std::swap(n_, other.n_);
      return *this;
    }
    ~Bytes() { shrink(0); }
    size_t count() const { return n_; }
    // Gives back what is beyond n.
    void shrink(size_t n);

   private:
    friend class BodyBudget;
    Bytes(std::shared_ptr<Share> share, size_t n) : share_(std::move(share)), n_(n) {}
    std::shared_ptr<Share> share_;
    size_t n_ = 0;
  };

  // A share larger than the whole is the whole.
  BodyBudget(Scheduler& scheduler, Clock& clock, size_t total, size_t share);
  ~BodyBudget();
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  // Waits for n bytes of the user's share, then of the whole. kTimeout; kInvalidArgument if n exceeds
  // share(): it could never be. Yields.
  Result<Bytes> acquire(uint64_t user, size_t n, Instant deadline);

  size_t total() const { return whole_.total(); }
  size_t share() const { return share_; }          // the most that one user has at once
  size_t users() const { return shares_.size(); }  // that have or want some

 private:
  std::shared_ptr<Share> share_of(uint64_t user);
  Scheduler& scheduler_;
  Clock& clock_;
  Semaphore whole_;
  const size_t share_;
  std::map<uint64_t, std::weak_ptr<Share>> shares_;
};

}  // namespace drumlin::s3
