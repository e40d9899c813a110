#include "s3/body_budget.h"

#include <algorithm>

#include "base/check.h"

namespace drumlin::s3 {

// Lives for as long as its user has or wants some.
struct BodyBudget::Share {
  Share(BodyBudget& of, uint64_t whose)
      : budget(of), user(whose), bytes(of.scheduler_, of.clock_, of.share_) {}
  ~Share() { budget.shares_.erase(user); }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

  BodyBudget& budget;
  const uint64_t user;
  Semaphore bytes;
};

void BodyBudget::Bytes::shrink(size_t n) {
  if (n >= n_) return;
  const size_t back = n_ - n;
  n_ = n;
  share_->budget.whole_.release(back);
  share_->bytes.release(back);
}

BodyBudget::BodyBudget(Scheduler& scheduler, Clock& clock, size_t total, size_t share)
    : scheduler_(scheduler),
      clock_(clock),
      whole_(scheduler, clock, total),
      share_(std::min(share, total)) {}

BodyBudget::~BodyBudget() {
  DRUMLIN_CHECK(shares_.empty(), "bodies outlive their budget");
}

std::shared_ptr<BodyBudget::Share> BodyBudget::share_of(uint64_t user) {
  std::weak_ptr<Share>& known = shares_[user];
  if (auto share = known.lock()) return share;
  auto share = std::make_shared<Share>(*this, user);
  known = share;
  return share;
}

Result<BodyBudget::Bytes> BodyBudget::acquire(uint64_t user, size_t n, Instant deadline) {
  const std::shared_ptr<Share> share = share_of(user);
  DRUMLIN_TRY(share->bytes.acquire(n, deadline));
  struct OfShare {
    ~OfShare() {
      if (n > 0) share.bytes.release(n);
    }
    Share& share;
    size_t n;
  } of_share{*share, n};
  DRUMLIN_TRY(whole_.acquire(n, deadline));
  of_share.n = 0;
  return Bytes(share, n);
}

}  // namespace drumlin::s3
