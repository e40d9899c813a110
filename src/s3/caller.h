// Callers: finds out who a request is from and what that one may use. Every operation comes through
// admit() before it runs, and every call of the store carries what admit() said. Internal to the room.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/principal.h"
#include "http/message.h"
#include "router/users.h"
#include "s3/operations.h"

namespace drumlin::s3 {

class Callers {
 public:
  // `users` may be null: then there is root alone. References outlive it.
  Callers(const Settings& settings, router::UserStore* users)
      : settings_(settings), users_(users) {}

  // Of an access key that may be used now, and whose it is. Nothing: there is none, or `failed` says
  // why that is not known. Yields, at most until `deadline`.
  std::optional<std::string> secret_of(std::string_view access_key, Instant deadline,
                                       auth::Principal& principal, Status& failed);

  // AccessDenied, unless `principal` may use the bucket that the target names (if it does) and that
  // has the owner that the request expects (if it does). Yields if the store must be asked.
  Outcome<Caller> admit(auth::Principal principal, Operation operation, const Target& target,
                        const http::Headers& headers, router::Store& store, Instant deadline);

 private:
  Check narrow(Caller& caller, std::string_view expected_owner, Instant deadline);
  const Settings& settings_;
  router::UserStore* users_;
};

}  // namespace drumlin::s3
