// Workload: the clients of one run. Each is a fiber with its own machine and address; it takes its
// operations of the plan in order, and everything it is told goes into the History.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/credentials.h"
#include "sim/check/access.h"
#include "sim/check/history.h"
#include "sim/cluster/cluster.h"
#include "sim/plan/plan.h"
#include "sim/workload/s3_client.h"

namespace drumlin::sim {

struct OpCounts {
  uint64_t begun = 0;
  uint64_t answered = 0;   // with what was asked for, or a definite "no such ..." or conflict
  uint64_t succeeded = 0;  // of these, 2xx
  uint64_t unknown = 0;
};

class Workload {
 public:
  Workload(World& world, const Plan& plan, Cluster& cluster, History& history, Verdict& verdict);
  ~Workload();

  // Makes the plan's buckets. done() when they are there.
  void prepare();
  // Starts the clients. done() when each has gone through its operations.
  void start();
  // No client begins another operation.
  void stop() { stopped_ = true; }
  // Reads every key and bucket once more, through whichever node answers. done() when all were
  // answered, however often it took.
  void read_back();
  bool done() const { return busy_ == 0; }

  const OpCounts& counts() const { return counts_; }

 private:
  struct Client;
  struct Asked;
  void spawn(size_t client, std::string_view name, std::function<void(Client&)> body);
  void run(Client& client);
  S3Answer perform(Client& client, const Op& op, uint32_t node);
  S3Answer put(Client& client, const Op& op, const Endpoint& node);
  S3Answer get(Client& client, const Op& op, const Endpoint& node);
  S3Answer remove(Client& client, const Op& op, const Endpoint& node);
  S3Answer list(Client& client, const Op& op, const Endpoint& node);
  S3Answer list_v1(Client& client, const Op& op, const Endpoint& node);
  S3Answer bucket(Client& client, const Op& op, const Endpoint& node);
  // conditional.cpp. Under one id over several nodes, as an SDK retries: they choose the nodes after the
  // first.
  S3Answer write_if(Client& client, const Op& op, uint32_t node);
  S3Answer remove_many(Client& client, const Op& op, const Endpoint& node);
  struct Conditional;
  S3Answer send(Client& client, const Op& op, uint32_t node, const Conditional& write);
  Conditional conditional(Client& client, const Op& op) const;
  void note_conditional(const History::Start& start, const Op& op, const Conditional& write,
                        const S3Answer& answer);
  void check_answer(const Op& op, const S3Answer& answer);
  class ClockWatch;
  std::string key_of(uint32_t number) const;
  std::string object_target(const Op& op) const;
  void note_bucket(const History::Start& start, const Op& op, const S3Answer& answer);
  void check_body(const Asked& asked, const S3Answer& answer, const History::Value& value);
  void persist(Client& client, const Op& op);

  // access.cpp. Of a plan with users: bucket b is of user b mod users.
  struct User {
    auth::Credentials current;
    std::vector<auth::Credentials> retired;
    bool rotating = false;
  };
  uint32_t owner_of(uint32_t bucket) const;
  auth::Credentials credentials_of(uint32_t user) const;
  void prepare_users(Client& client);
  void sign_as_owner(Client& client, const Op& op);
  void note_key(const std::string& key, Instant began, const S3Answer& answer);
  S3Answer ask_api(Client& client, std::string_view method, const std::string& target,
                   std::string_view body = {});
  bool revoke(Client& client, const std::string& key, bool disable);
  void sweep_keys(Client& client, uint32_t user);
  std::optional<auth::Credentials> make_key(Client& client, uint32_t user);
  S3Answer rotate_key(Client& client, const Op& op, uint32_t node);
  S3Answer old_key(Client& client, const Op& op, const Endpoint& node);
  S3Answer intrude(Client& client, const Op& op, const Endpoint& node);
  S3Answer list_own(Client& client, const Op& op, const Endpoint& node);
  void judge_intrusion(const History::Start& start, const std::string& bucket,
                       const std::string& what, const S3Answer& answer);

  World& world_;
  const Plan& plan_;
  Cluster& cluster_;
  History& history_;
  Verdict& verdict_;
  AccessChecker access_;
  std::vector<User> users_;
  std::vector<std::unique_ptr<Client>> clients_;
  OpCounts counts_;
  std::map<std::string, std::string, std::less<>> etags_;  // "bucket/key": what was heard last
  size_t busy_ = 0;
  bool stopped_ = false;
};

}  // namespace drumlin::sim
