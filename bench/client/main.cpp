// drumlin-bench: the load generator behind tools/bench. One measurement a call, one JSON line out.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <map>

#include "bench/client/ledger.h"
#include "bench/client/load.h"
#include "bench/client/report.h"

namespace drumlin::bench {
namespace {

constexpr Duration kLongest = 10min;  // signatures made at the start are good for 15
constexpr size_t kFillers = 16;

struct Settings {
  std::vector<std::string> endpoints;
  std::string operation = "put";
  std::string bucket = "bench";
  std::string region = "us-east-1";
  size_t object_bytes = 4096;
  size_t connections = 64;
  size_t keys = 4096;
  double warm_up_s = 2;
  double seconds = 10;
  Payload payload = Payload::kUnsigned;
  bool fill = true;
  std::vector<int> pids;
};

int complain(const std::string& what) {
  std::cerr << "drumlin-bench: " << what << '\n';
  return 1;
}

Duration seconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

Result<std::vector<Address>> addresses(const std::vector<std::string>& texts) {
  std::vector<Address> out;
  for (const std::string& text : texts) {
    DRUMLIN_ASSIGN(out.emplace_back(), Address::parse(text));
  }
  return out;
}

// Every request once; anything but the answer that is wanted is an error.
Status send_once(const std::vector<Address>& endpoints, const std::vector<Prepared>& requests,
                 std::string_view tolerated) {
  LoadOptions options;
  options.endpoints = endpoints;
  options.workers = std::min(kFillers, requests.size());
  options.each_once = true;
  DRUMLIN_ASSIGN(const LoadResult result, run_load(options, requests));
  for (const auto& [what, n] : result.errors) {
    if (what == tolerated) continue;
    return {Code::kUnavailable, std::to_string(n) + " requests of the preparation failed: " + what};
  }
  return {};
}

Result<LoadResult> measure(const Settings& settings, const auth::Credentials& credentials,
                           const std::vector<Address>& endpoints) {
  const RequestMaker maker(credentials, settings.region, endpoints[0].text(), wall_now());
  const Keyspace keys(settings.bucket, settings.keys, settings.object_bytes);
  DRUMLIN_TRY(send_once(endpoints, {keys.create_bucket(maker)}, "409 BucketAlreadyOwnedByYou"));
  if (settings.operation != "put" && settings.fill) {
    DRUMLIN_TRY(send_once(endpoints, keys.puts(maker, Payload::kUnsigned), ""));
  }
  LoadOptions options;
  options.endpoints = endpoints;
  options.workers = settings.connections;
  options.warm_up = seconds(settings.warm_up_s);
  options.measured = seconds(settings.seconds);
  options.server_pids = settings.pids;
  if (settings.operation == "put") return run_load(options, keys.puts(maker, settings.payload));
  if (settings.operation == "get") return run_load(options, keys.gets(maker));
  return run_load(options, keys.lists(maker));
}

int run(const Settings& settings, const auth::Credentials& credentials) {
  if (seconds(settings.warm_up_s + settings.seconds) > kLongest) {
    return complain("longer than 10 minutes: the signatures would expire");
  }
  const auto endpoints = addresses(settings.endpoints);
  if (!endpoints.ok()) return complain(endpoints.status().message());
  const auto result = measure(settings, credentials, *endpoints);
  if (!result.ok()) return complain(result.status().to_string());
  const Cell cell{settings.operation, settings.object_bytes, settings.connections,
                  endpoints->size(), settings.payload};
  std::cout << report(cell, *result) << std::endl;
  return 0;
}

void add_run_options(CLI::App& app, Settings& s) {
  app.add_option("--endpoints", s.endpoints, "S3 addresses A.B.C.D:PORT, used in turn")
      ->required()
      ->delimiter(',');
  app.add_option("--op", s.operation, "what to measure")
      ->check(CLI::IsMember({"put", "get", "list"}))
      ->capture_default_str();
  app.add_option("--bytes", s.object_bytes, "size of each object")->capture_default_str();
  app.add_option("--connections", s.connections, "requests under way at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--keys", s.keys, "keys that are written or read in turn")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--bucket", s.bucket, "made if missing")->capture_default_str();
  app.add_option("--region", s.region, "of the signatures")->capture_default_str();
  app.add_option("--warm-up", s.warm_up_s, "seconds before anything counts")->capture_default_str();
  app.add_option("--seconds", s.seconds, "seconds that count")->capture_default_str();
  app.add_option("--pids", s.pids, "server processes whose CPU time is reported")->delimiter(',');
  app.add_option("--payload", s.payload,
                 "x-amz-content-sha256 of a PUT: digest or UNSIGNED-PAYLOAD")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Payload>{
          {"signed", Payload::kSigned}, {"unsigned", Payload::kUnsigned}}))
      ->capture_default_str();
  app.add_flag("!--no-fill", s.fill, "get, list: the keys are there already");
}

int main_of(int argc, char** argv) {
  CLI::App app(
      "A closed-loop S3 load generator. Keys come from AWS_ACCESS_KEY_ID and "
      "AWS_SECRET_ACCESS_KEY; see tools/bench for whole runs.",
      "drumlin-bench");
  app.require_subcommand(1);
  Settings settings;
  CLI::App& run_command = *app.add_subcommand("run", "one measurement, one JSON line");
  add_run_options(run_command, settings);
  CLI::App& ledger_command = *app.add_subcommand(
      "ledger", "writes that must not be lost, told on standard input when to look");
  LedgerOptions ledger;
  std::vector<std::string> ledger_endpoints;
  ledger_command.add_option("--endpoints", ledger_endpoints, "S3 addresses A.B.C.D:PORT")
      ->required()
      ->delimiter(',');
  ledger_command.add_option("--keys", ledger.keys, "one writer each")->capture_default_str();
  ledger_command.add_option("--buckets", ledger.buckets, "over which keys are spread")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const char* access = std::getenv("AWS_ACCESS_KEY_ID");
  const char* secret = std::getenv("AWS_SECRET_ACCESS_KEY");
  if (access == nullptr || secret == nullptr) {
    return complain("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
  }
  const auth::Credentials credentials{access, secret};
  if (run_command.parsed()) return run(settings, credentials);
  const auto endpoints = addresses(ledger_endpoints);
  if (!endpoints.ok()) return complain(endpoints.status().message());
  ledger.endpoints = *endpoints;
  ledger.credentials = credentials;
  ledger.region = settings.region;
  return run_ledger(ledger);
}

}  // namespace
}  // namespace drumlin::bench

int main(int argc, char** argv) {
  return drumlin::bench::main_of(argc, argv);
}
