#include "server/admin.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <exception>
#include <map>

#include "server/api_call.h"

namespace drumlin::server {
namespace {

namespace json = boost::json;

std::string text(const json::value& v) {
  return std::string(v.as_string());
}

void print_status(const json::object& status) {
  fmt::print("node {}   cluster {}   boot {}   incarnation {:016x}   {}\n",
             status.at("node").to_number<uint64_t>(), text(status.at("cluster")),
             status.at("boot").to_number<uint64_t>(),
             status.at("incarnation").to_number<uint64_t>(),
             status.at("admitted").as_bool() ? "member" : "not yet a member");
  fmt::print("\n{:>4}  {:<22} {:<22} {:<22} {}\n", "id", "peer", "s3", "api", "connected");
  for (const json::value& item : status.at("members").as_array()) {
    const json::object& m = item.as_object();
    fmt::print("{:>4}  {:<22} {:<22} {:<22} {}\n", m.at("id").to_number<uint64_t>(),
               text(m.at("peer")), text(m.at("s3")), text(m.at("api")),
               m.at("connected").as_bool() ? "yes" : "NO");
  }
  std::map<std::string, size_t> roles;
  size_t leaderless = 0;
  uint64_t lag = 0;
  for (const json::value& item : status.at("shards").as_array()) {
    const json::object& s = item.as_object();
    ++roles[text(s.at("role"))];
    if (s.at("leader").to_number<uint64_t>() == 0) ++leaderless;
    lag =
        std::max(lag, s.at("commit").to_number<uint64_t>() - s.at("applied").to_number<uint64_t>());
  }
  fmt::print("\nshards here: {}", status.at("shards").as_array().size());
  for (const auto& [role, count] : roles)
    fmt::print("   {} {}", count, role);
  fmt::print("\nwithout a leader: {}   largest apply lag: {}\n", leaderless, lag);
  const json::object& wal = status.at("wal").as_object();
  fmt::print("log: {} bytes kept, durable to LSN {}, {} bytes queued\n",
             wal.at("retained_bytes").to_number<uint64_t>(),
             wal.at("durable_lsn").to_number<uint64_t>(),
             wal.at("queued_bytes").to_number<uint64_t>());
}

}  // namespace

int run_admin_status(const Settings& settings, bool as_json) {
  return run_client([&](Runtime& runtime) {
    auto body = ask_api(runtime, settings, "GET", "/v1/status");
    if (!body.ok()) return complain_of(body.status());
    if (as_json) {
      std::fputs(body->c_str(), stdout);
      return 0;
    }
    json::error_code error;
    const json::value parsed = json::parse(*body, error);
    if (error || !parsed.is_object()) {
      std::fprintf(stderr, "drumlin: the node's answer is no JSON object\n");
      return 1;
    }
    try {
      print_status(parsed.as_object());
    } catch (const std::exception& e) {  // Boost.JSON: a field is missing or of another type
      std::fprintf(stderr, "drumlin: the node answers otherwise than this program expects: %s\n",
                   e.what());
      return 1;
    }
    return 0;
  });
}

}  // namespace drumlin::server
