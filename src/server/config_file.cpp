#include "server/config_file.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <charconv>
#include <functional>
#include <sstream>

namespace drumlin::server {
namespace {

Status bad(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

// A setting: its dotted name, how to take a value, how to show the present one.
struct Setting {
  std::string name;
  std::function<Status(std::string_view)> set;
  std::function<std::string()> show;
};

template <typename T>
Status parse_number(std::string_view text, T& out) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return bad(fmt::format("\"{}\" is not a number in range", text));
  }
  out = value;
  return {};
}

// A TOML string: what would end it or is no character of one is escaped.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto n = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (n < 0x20 || n == 0x7f) {
      out += fmt::format("\\u{:04X}", n);
    } else {
      out += c;
    }
  }
  return out + '"';
}

Setting text(std::string name, std::string& field, bool secret = false) {
  return {std::move(name),
          [&field](std::string_view v) {
            field = v;
            return Status();
          },
          [&field, secret] { return secret ? "\"...\"" : quoted(field); }};
}

template <typename T>
Setting number(std::string name, T& field) {
  return {std::move(name), [&field](std::string_view v) { return parse_number(v, field); },
          [&field] { return std::to_string(field); }};
}

Setting milliseconds(std::string name, Duration& field) {
  return {std::move(name),
          [&field](std::string_view v) {
            uint32_t ms = 0;
            DRUMLIN_TRY(parse_number(v, ms));
            field = std::chrono::milliseconds(ms);
            return Status();
          },
          [&field] { return std::to_string(to_ms(field)); }};
}

std::vector<Setting> settings_of(Settings& s) {
  node::Config& c = s.config;
  std::vector<Setting> out;
  out.push_back({"node.id",
                 [&c](std::string_view v) {
                   uint64_t id = 0;
                   DRUMLIN_TRY(parse_number(v, id));
                   c.id = NodeId(id);
                   return Status();
                 },
                 [&c] { return c.id.to_string(); }});
  out.push_back(text("node.data", s.data_dir));
  out.push_back(text("node.listen", c.listen));
  out.push_back(text("node.region", c.region));
  out.push_back(number("ports.s3", c.s3_port));
  out.push_back(number("ports.api", c.api_port));
  out.push_back(number("ports.peer", c.peer_port));
  out.push_back(text("cluster.name", c.cluster_name));
  out.push_back(text("cluster.secret", c.cluster_secret, /*secret=*/true));
  out.push_back(number("cluster.shards", c.shards));
  out.push_back(text("tls.certificate", c.tls_certificate));
  out.push_back(text("tls.key", c.tls_key));
  out.push_back(text("auth.access_key", c.access_key));
  out.push_back(text("auth.secret_key", c.secret_key, /*secret=*/true));
  out.push_back(text("storage.kv", c.kv_engine));
  out.push_back(number("storage.kv_cache_bytes", c.kv_cache_bytes));
  out.push_back(number("storage.kv_write_buffer_bytes", c.kv_write_buffer_bytes));
  out.push_back(number("storage.kv_max_open_files", c.kv_max_open_files));
  out.push_back(number("storage.kv_flush_wal_bytes", c.kv_flush_wal_bytes));
  out.push_back(number("storage.wal_retain_bytes", c.wal_retain_bytes));
  out.push_back(number("storage.wal_max_bytes", c.wal_max_bytes));
  out.push_back(number("storage.wal_segment_bytes", c.wal_segment_bytes));
  out.push_back(number("storage.wal_grow_bytes", c.wal_grow_bytes));
  out.push_back(number("limits.body_bytes_in_flight", c.limits.body_bytes_in_flight));
  out.push_back(number("limits.body_bytes_per_user", c.limits.body_bytes_per_user));
  out.push_back(number("limits.max_connections", c.limits.max_connections));
  out.push_back(number("limits.max_api_connections", c.limits.max_api_connections));
  out.push_back(number("limits.max_requests", c.limits.max_requests));
  out.push_back(number("limits.refused_connections", c.limits.refused_connections));
  out.push_back(number("limits.buckets_per_user", c.limits.buckets_per_user));
  out.push_back(number("limits.remembered_buckets", c.limits.remembered_buckets));
  out.push_back(number("limits.wal_queue_bytes", c.limits.wal_queue_bytes));
  out.push_back(number("limits.log_cache_bytes", c.limits.log_cache_bytes));
  out.push_back(number("limits.uncommitted_bytes", c.limits.uncommitted_bytes));
  out.push_back(number("limits.uncommitted_bytes_total", c.limits.uncommitted_bytes_total));
  out.push_back(number("limits.append_bytes", c.limits.append_bytes));
  out.push_back(number("limits.append_inflight_bytes", c.limits.append_inflight_bytes));
  out.push_back(number("limits.append_inflight_messages", c.limits.append_inflight_messages));
  out.push_back(number("limits.peer_queue_bytes", c.limits.peer_queue_bytes));
  out.push_back(number("limits.snapshot_bytes_per_s", c.limits.snapshot_bytes_per_s));
  out.push_back(number("limits.peer_requests", c.limits.peer_requests));
  out.push_back(number("limits.peer_request_bytes", c.limits.peer_request_bytes));
  out.push_back(number("limits.peer_reply_bytes", c.limits.peer_reply_bytes));
  out.push_back(number("limits.peer_small_replies", c.limits.peer_small_replies));
  out.push_back(number("limits.peer_handshakes", c.limits.peer_handshakes));
  out.push_back(milliseconds("limits.peer_hello_timeout_ms", c.limits.peer_hello_timeout));
  out.push_back(milliseconds("limits.peer_handshake_timeout_ms", c.limits.peer_handshake_timeout));
  out.push_back(milliseconds("limits.request_timeout_ms", c.limits.request_timeout));
  out.push_back(number("limits.head_bytes", c.limits.head_bytes));
  out.push_back(number("limits.max_headers", c.limits.max_headers));
  out.push_back(milliseconds("limits.head_timeout_ms", c.limits.head_timeout));
  out.push_back(milliseconds("limits.idle_timeout_ms", c.limits.idle_timeout));
  out.push_back(milliseconds("limits.stall_timeout_ms", c.limits.stall_timeout));
  out.push_back(number("limits.min_bytes_per_s", c.limits.min_bytes_per_s));
  out.push_back(number("limits.drain_bytes", c.limits.drain_bytes));
  out.push_back(milliseconds("limits.linger_timeout_ms", c.limits.linger_timeout));
  out.push_back(number("limits.linger_bytes", c.limits.linger_bytes));
  out.push_back(milliseconds("limits.stop_timeout_ms", c.limits.stop_timeout));
  out.push_back(milliseconds("timers.tick_ms", c.timers.tick));
  out.push_back(number("timers.heartbeat_ticks", c.timers.heartbeat_ticks));
  out.push_back(number("timers.election_ticks_min", c.timers.election_ticks_min));
  out.push_back(number("timers.election_ticks_max", c.timers.election_ticks_max));
  out.push_back(number("timers.disk_stall_ticks", c.timers.disk_stall_ticks));
  out.push_back(text("log.level", c.log_level));
  out.push_back(number("log.lines_per_s", c.log_lines_per_s));
  return out;
}

Result<Endpoint> endpoint_field(const toml::table& table, std::string_view key, bool required) {
  const auto value = table[key].value<std::string>();
  if (!value) {
    if (required) return Status(bad(fmt::format("cluster.nodes: every node needs \"{}\"", key)));
    return Endpoint{};
  }
  return Endpoint::parse(*value);
}

Status apply_nodes(const toml::array& nodes, Settings& settings) {
  settings.config.members.clear();
  for (const toml::node& item : nodes) {
    const toml::table* table = item.as_table();
    if (table == nullptr) return bad("cluster.nodes: must be a list of tables");
    for (const auto& [key, unused] : *table) {
      if (key != "id" && key != "peer" && key != "s3" && key != "api") {
        return bad(fmt::format("cluster.nodes: unknown key \"{}\"", key.str()));
      }
    }
    node::Member member;
    const auto id = (*table)["id"].value<int64_t>();
    if (!id || *id < 1) return bad("cluster.nodes: every node needs an id of 1 or more");
    member.id = NodeId(static_cast<uint64_t>(*id));
    DRUMLIN_ASSIGN(member.peer, endpoint_field(*table, "peer", true));
    DRUMLIN_ASSIGN(member.s3, endpoint_field(*table, "s3", false));
    DRUMLIN_ASSIGN(member.api, endpoint_field(*table, "api", false));
    settings.config.members.push_back(std::move(member));
  }
  return {};
}

std::string value_text(const toml::node& value) {
  if (const auto* s = value.as_string()) return s->get();
  std::ostringstream out;
  if (const auto* i = value.as_integer()) out << i->get();
  if (const auto* b = value.as_boolean()) out << (b->get() ? "true" : "false");
  if (const auto* f = value.as_floating_point()) out << f->get();
  return out.str();
}

Status apply_entry(const std::string& name, const toml::node& value, Settings& settings) {
  if (name == "cluster.nodes") {
    if (const toml::array* nodes = value.as_array()) return apply_nodes(*nodes, settings);
    return bad("cluster.nodes: must be a list of tables");
  }
  if (value.is_table()) return bad(fmt::format("unknown section \"{}\"", name));
  if (value.is_array() || value.is_date() || value.is_time() || value.is_date_time()) {
    return bad(fmt::format("{}: must be one text or number", name));
  }
  return apply_setting(name, value_text(value), settings);
}

bool is_section(std::string_view name, Settings& settings) {
  for (const Setting& setting : settings_of(settings)) {
    if (setting.name.starts_with(name) && setting.name[name.size()] == '.') return true;
  }
  return false;
}

}  // namespace

Status apply_toml(std::string_view text_, std::string_view file_name, Settings& settings) {
  toml::table root;
  try {
    root = toml::parse(text_, file_name);
  } catch (const toml::parse_error& e) {
    return bad(fmt::format("{}:{}: {}", file_name, e.source().begin.line, e.description()));
  }
  for (const auto& [section, content] : root) {
    const toml::table* table = content.as_table();
    const auto line = content.source().begin.line;
    if (table == nullptr) {
      return bad(
          fmt::format("{}:{}: \"{}\" belongs into a [section]", file_name, line, section.str()));
    }
    if (!is_section(section.str(), settings)) {
      return bad(fmt::format("{}:{}: unknown section \"{}\"", file_name, line, section.str()));
    }
    for (const auto& [key, value] : *table) {
      const std::string name = fmt::format("{}.{}", section.str(), key.str());
      const Status applied = apply_entry(name, value, settings);
      if (!applied.ok()) {
        return bad(
            fmt::format("{}:{}: {}", file_name, value.source().begin.line, applied.message()));
      }
    }
  }
  return {};
}

Status apply_setting(std::string_view name, std::string_view value, Settings& settings) {
  for (const Setting& setting : settings_of(settings)) {
    if (setting.name != name) continue;
    const Status set = setting.set(value);
    return set.ok() ? set : bad(fmt::format("{}: {}", name, set.message()));
  }
  return bad(fmt::format("unknown setting \"{}\"", name));
}

Status apply_environment(const std::map<std::string, std::string>& environment, Settings& settings,
                         std::vector<std::string>& unknown) {
  constexpr std::string_view kPrefix = "DRUMLIN_";
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(kPrefix)) continue;
    bool known = false;
    for (const Setting& setting : settings_of(settings)) {
      std::string expected(kPrefix);
      for (char ch : setting.name) {
        expected += ch == '.' ? '_' : static_cast<char>(ch >= 'a' && ch <= 'z' ? ch - 32 : ch);
      }
      if (expected != variable) continue;
      known = true;
      const Status set = setting.set(value);
      if (!set.ok()) return bad(fmt::format("{}: {}", variable, set.message()));
    }
    if (!known) unknown.push_back(variable);
  }
  return {};
}

std::map<std::string, std::string> describe(const Settings& settings) {
  Settings copy = settings;
  std::map<std::string, std::string> out;
  for (const Setting& setting : settings_of(copy))
    out[setting.name] = setting.show();
  return out;
}

}  // namespace drumlin::server
