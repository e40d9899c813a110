// Access: who may do what, as the clients saw it.
//
//   access   a key that was revoked is refused by every node in all requests that begin a second after the
//            revocation was answered; a key that was made is known to every node a second after that
//            was answered, and good until somebody begins to revoke it
//   owner    nobody reads, writes, lists, makes or deletes what another user owns, nor learns which keys
//            there are
//
// Times are the world's: a node's clock may differ from it by less than what nodes keep in reserve
// (router/users.h).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "sim/check/verdict.h"

namespace drumlin::sim {

class AccessChecker {
 public:
  static constexpr Duration kKnownEverywhere = 1s;

  explicit AccessChecker(Verdict& verdict) : verdict_(verdict) {}

  // The life of a key, as its maker was told.
  void created(const std::string& key, Instant answered) { keys_[key].usable_from = answered; }
  void revoking(const std::string& key, Instant sent);
  void revoked(const std::string& key, Instant answered);

  // A request that was signed with the key began and was answered: `refused` is 403 for want of a
  // good key. Not for answers that say nothing about it (none, 503).
  void used(const std::string& key, Instant began, Instant ended, bool refused);

  // What an owner alone may do was asked for by another. `granted`: any answer that tells more than
  // that it is another's, or not there.
  void intruded(const std::string& what, bool granted, const std::string& answer);

 private:
  struct Life {
    std::optional<Instant> usable_from;
    std::optional<Instant> revoking_since;
    std::optional<Instant> revoked_at;
  };
  Verdict& verdict_;
  std::map<std::string, Life> keys_;
};

}  // namespace drumlin::sim
