#include "node/node.h"

#include <fmt/format.h>

#include "node/parts.h"
#include "node/status.h"

namespace drumlin::node {
namespace {

rpc::Identity identity_of(const Config& config, const wal::Superblock& block) {
  rpc::Identity identity;
  identity.cluster_id = config.cluster_id();
  identity.node = config.id;
  identity.incarnation = block.incarnation;
  identity.boot = block.boot_counter;
  identity.secret = config.cluster_secret;
  return identity;
}

replica::Options replica_options(const Config& config) {
  replica::Options out;
  out.self = config.id;
  out.tick = config.timers.tick;
  out.heartbeat_ticks = config.timers.heartbeat_ticks;
  out.election_ticks_min = config.timers.election_ticks_min;
  out.election_ticks_max = config.timers.election_ticks_max;
  out.disk_stall_ticks = config.timers.disk_stall_ticks;
  out.log_cache_bytes = config.limits.log_cache_bytes;
  out.uncommitted_bytes = config.limits.uncommitted_bytes;
  out.uncommitted_bytes_total = config.limits.uncommitted_bytes_total;
  out.append_bytes = config.limits.append_bytes;
  out.append_inflight_bytes = config.limits.append_inflight_bytes;
  out.append_inflight_messages = config.limits.append_inflight_messages;
  out.request_timeout = config.limits.request_timeout;
  out.kv_flush_wal_bytes = config.kv_flush_wal_bytes;
  out.wal_retain_bytes = config.wal_retain_bytes;
  out.wal_max_bytes = config.wal_max_bytes;
  out.snapshot_bytes_per_s = config.limits.snapshot_bytes_per_s;
  return out;
}

observe::Level level_of(const Config& config) {
  observe::Level level = observe::Level::kInfo;
  DRUMLIN_CHECK(observe::parse_level(config.log_level, level));
  return level;
}

// How long a stop waits for requests under way, and then for their answers: errors by now.
constexpr Duration kAnswerTime = 500ms;

}  // namespace

Node::Parts::Parts(Runtime& r, Config c, Hooks h)
    : runtime(r),
      config(std::move(c)),
      hooks(std::move(h)),
      log(r.clock(), config.id, level_of(config), hooks.log, config.log_lines_per_s),
      observer{log, metrics, hooks.trace} {}

Node::Parts::~Parts() = default;

Node::Node(Runtime& runtime, Config config, Hooks hooks)
    : parts_(std::make_unique<Parts>(runtime, std::move(config), std::move(hooks))) {}

Node::~Node() = default;

// Before anything on the disk is touched: a port in use, or a bad certificate, must not cost a boot
// count.
Status Node::Parts::bind() {
  const auto listen = [&](const char* setting, uint16_t port, std::unique_ptr<Listener>& out) {
    auto listener = runtime.network().listen({config.listen, port});
    if (!listener.ok()) {
      return listener.status().with_context(
          fmt::format("{} = {} on {}", setting, port, config.listen));
    }
    out = std::move(*listener);
    return Status();
  };
  if (!config.tls_certificate.empty()) {
    tls = std::make_unique<TlsIdentity>(runtime, observer, config, hooks.read_file);
    DRUMLIN_TRY(tls->load());
  }
  DRUMLIN_TRY(listen("ports.s3", config.s3_port, s3_listener));
  DRUMLIN_TRY(listen("ports.api", config.api_port, api_listener));
  if (tls != nullptr) {
    s3_listener = tls->wrap(std::move(s3_listener));
    api_listener = tls->wrap(std::move(api_listener));
  }
  return listen("ports.peer", config.peer_port, peer_listener);
}

Status Node::Parts::open_kv() {
  if (config.kv_engine == "memory") {
    kv = kv::make_memory();
    return {};
  }
  Result<std::unique_ptr<kv::Kv>> opened = Status(Code::kCancelled);
  kv::RocksOptions options;
  options.path = config.kv_path;
  options.cache_bytes = config.kv_cache_bytes;
  options.write_buffer_bytes = config.kv_write_buffer_bytes;
  options.max_open_files = config.kv_max_open_files;
  runtime.offload([&] {
    opened = hooks.open_rocksdb ? hooks.open_rocksdb(options) : kv::open_rocksdb(options);
  });
  if (!opened.ok()) return opened.status().with_context("key-value store in " + config.kv_path);
  kv = std::move(*opened);
  return {};
}

Status Node::Parts::open_disk(Cancellation& stop) {
  DRUMLIN_ASSIGN(const Disk0 found, inspect_disk(runtime, config));
  table = planned_table(config);
  replica::ReplicaSet::Voters voters;
  std::vector<GroupId> held;
  for (size_t shard = 0; shard < table.shards(); ++shard) {
    const auto& nodes = table.replicas[shard];
    if (std::find(nodes.begin(), nodes.end(), config.id) == nodes.end()) continue;
    voters.emplace(GroupId(shard), nodes);
    held.push_back(GroupId(shard));
  }

  wal::HardStateStore::Options slots;
  slots.must_exist = !found.fresh;
  DRUMLIN_ASSIGN(hard_states, wal::HardStateStore::open(runtime, observer, slots,
                                                        static_cast<uint32_t>(table.shards())));
  DRUMLIN_TRY(open_kv());

  replica::RecoveredLogs logs(held, config.limits.log_cache_bytes);
  wal::Wal::Options log_options;
  log_options.segment_bytes = config.wal_segment_bytes;
  log_options.grow_bytes = config.wal_grow_bytes;
  log_options.queue_bytes = config.limits.wal_queue_bytes;
  log_options.epoch = found.block.boot_counter + 1;
  log_options.must_exist = !found.fresh;
  const Instant began = runtime.clock().now();
  const auto visit = [&](const wal::Record& record, const wal::Location&) -> Status {
    if (found.fresh) {
      return {Code::kCorrupt, "there is a log, but no superblock: refusing to start as a new node"};
    }
    if (stop.cancelled()) return {Code::kCancelled, "stopped while reading the log"};
    if ((logs.records() + 1) % 1'000'000 == 0) {
      observer.log.info("wal", "reading the log", {{"records", logs.records() + 1}});
    }
    return logs.visit(record);
  };
  DRUMLIN_ASSIGN(wal, wal::Wal::open(runtime, observer, log_options, visit));
  DRUMLIN_TRY(logs.finish());
  observer.log.info("wal", "log read",
                    {{"records", logs.records()},
                     {"bytes", wal->bytes_appended()},
                     {"ms", to_ms(runtime.clock().now() - began)}});

  DRUMLIN_ASSIGN(superblock, enter_disk(runtime, observer, found));
  identity = identity_of(config, superblock->get());
  services = std::make_unique<replica::Services>(replica::Services{
      runtime, observer, *wal, *hard_states, *kv, bodies, hooks.replicas, replica_options(config)});

  membership = std::make_unique<Membership>(runtime, observer, config, *superblock,
                                            Membership::Events{[this] { replicas->admit(); },
                                                               [this](const Status& why) {
                                                                 if (fatal.ok()) fatal = why;
                                                                 failed.cancel();
                                                               }});
  rpc::PeerOptions peer_options;
  peer_options.queue_bytes = config.limits.peer_queue_bytes;
  peer_options.requests = config.limits.peer_requests;
  peer_options.request_bytes = config.limits.peer_request_bytes;
  peer_options.handshake_timeout = config.limits.peer_handshake_timeout;
  std::map<NodeId, rpc::Peer*> others;
  for (const Member& member : config.members) {
    if (member.id == config.id) continue;
    auto peer = std::make_unique<rpc::Peer>(runtime, observer, identity, *membership, member.id,
                                            member.peer, peer_options);
    others.emplace(member.id, peer.get());
    peers.push_back(std::move(peer));
  }
  replicas = std::make_unique<replica::ReplicaSet>(*services, std::move(voters), others);
  DRUMLIN_TRY(replicas->open(logs));
  router = std::make_unique<router::Router>(
      runtime, observer, router::Origin{config.id, identity.boot}, table, *replicas, others,
      router::Settings{config.limits.buckets_per_user, config.limits.remembered_buckets});
  return {};
}

void Node::Parts::start_listeners() {
  s3 = std::make_unique<s3::S3Handler>(runtime, observer, *router, s3_settings(), &router->users());
  api = std::make_unique<api::Handler>(
      observer, api_sources(),
      std::make_unique<api::UsersApi>(runtime, observer, router->users(), config.access_key,
                                      config.limits.request_timeout));
  http::Limits limits;
  limits.max_connections = config.limits.max_connections;
  limits.max_refusing = config.limits.refused_connections;
  limits.head_bytes = config.limits.head_bytes;
  limits.max_headers = config.limits.max_headers;
  limits.head_timeout = config.limits.head_timeout;
  limits.idle_timeout = config.limits.idle_timeout;
  limits.stall_timeout = config.limits.stall_timeout;
  limits.min_bytes_per_s = config.limits.min_bytes_per_s;
  limits.drain_bytes = config.limits.drain_bytes;
  limits.linger_timeout = config.limits.linger_timeout;
  limits.linger_bytes = config.limits.linger_bytes;
  s3_server = std::make_unique<http::Server>(
      runtime, observer, std::move(s3_listener), limits,
      [this](http::Exchange& exchange) { s3->handle(exchange); },
      [this](int status, std::string_view reason, http::ResponseHead& head, std::string& body) {
        s3->http_error(status, reason, head, body);
      });
  limits.max_connections = config.limits.max_api_connections;
  api_server = std::make_unique<http::Server>(
      runtime, observer, std::move(api_listener), limits,
      [this](http::Exchange& exchange) { api->handle(exchange); }, api::Handler::error);
  api_server->start();
  s3_server->start();
}

s3::Settings Node::Parts::s3_settings() const {
  s3::Settings out;
  out.access_key = config.access_key;
  out.secret_key = config.secret_key;
  out.region = config.region;
  out.body_bytes_in_flight = config.limits.body_bytes_in_flight;
  out.body_bytes_per_user = config.limits.user_body_bytes();
  out.max_requests = config.limits.max_requests;
  out.request_timeout = config.limits.request_timeout;
  return out;
}

api::Sources Node::Parts::api_sources() {
  api::Sources out;
  out.access_key = config.access_key;
  out.secret_key = config.secret_key;
  out.status_json = [this] { return node::status_json(*this); };
  out.ready = [this](std::string& why_not) {
    if (!membership->admitted()) {
      why_not = "waiting until every other node has recorded this node's disk";
    } else if (!replicas->ready()) {
      why_not = "some shards of this node have no leader yet";
    }
    return why_not.empty();
  };
  return out;
}

void Node::Parts::start() {
  replicas->start();
  if (membership->admitted()) replicas->admit();
  rpc::ServerOptions server_options;
  server_options.peer_requests = config.limits.peer_requests;
  server_options.peer_request_bytes = config.limits.peer_request_bytes;
  server_options.max_reply_bytes_per_connection = config.limits.peer_reply_bytes;
  server_options.max_small_replies_per_connection = config.limits.peer_small_replies;
  server_options.max_handshakes = config.limits.peer_handshakes;
  server_options.hello_timeout = config.limits.peer_hello_timeout;
  server_options.handshake_timeout = config.limits.peer_handshake_timeout;
  peer_server = std::make_unique<rpc::Server>(runtime, observer, identity, *membership, *replicas,
                                              std::move(peer_listener), server_options);
  peer_server->start();
  for (auto& peer : peers)
    peer->start();
  membership->admit_if_complete();
  router->start();
  start_listeners();
  observer.log.info("node", "serving",
                    {{"s3", Endpoint{config.listen, config.s3_port}.to_string()},
                     {"api", Endpoint{config.listen, config.api_port}.to_string()},
                     {"peer", Endpoint{config.listen, config.peer_port}.to_string()},
                     {"tls", tls != nullptr},
                     {"shards", table.shards()},
                     {"nodes", config.members.size()},
                     {"boot", identity.boot},
                     {"incarnation", identity.incarnation}});
}

Status Node::Parts::stop_in_order() {
  observer.log.info("node", "stopping");
  s3_server->stop();
  api_server->stop();
  const Instant limit = after(runtime.clock(), config.limits.stop_timeout);
  if (!s3_server->settle(limit).ok() || !api_server->settle(limit).ok()) {
    observer.log.warn("node", "requests were cut off",
                      {{"after_ms", to_ms(config.limits.stop_timeout)}});
  }
  // A request that is left waits for a majority that may have stopped before us: this ends it.
  router->stop();
  peer_server->stop();
  for (auto& peer : peers)
    peer->stop();
  replicas->stop();
  const Instant answered = after(runtime.clock(), kAnswerTime);
  s3_server->drain(answered).ignore();
  api_server->drain(answered).ignore();
  DRUMLIN_TRY(hard_states->close());
  DRUMLIN_TRY(wal->close());
  Status flushed;
  runtime.offload([&] { flushed = kv->flush(); });
  DRUMLIN_TRY(flushed);
  DRUMLIN_TRY(superblock->change([](wal::Superblock& block) { block.clean = true; }));
  observer.log.info("node", "stopped");
  return {};
}

// Until nobody else runs: what they use lives in Parts.
void Node::Parts::await_fibers() {
  while (runtime.domain().fibers() > 1)
    (void)runtime.sleep_for(1ms);
}

Status Node::run(Cancellation& stop) {
  Parts& p = *parts_;
  DRUMLIN_TRY(p.bind());
  Status opened = p.open_disk(stop);
  if (!opened.ok()) return opened;
  p.start();
  // Two reasons to end, one fiber to wait: the failure is passed on.
  WaitQueue ended(p.runtime.scheduler(), p.runtime.clock());
  p.runtime.spawn("watch for failure", [&] {
    WaitQueue nobody(p.runtime.scheduler(), p.runtime.clock());
    (void)nobody.wait(kNever, &p.failed);
    ended.notify_all();
  });
  (void)ended.wait(kNever, &stop);
  const Status fatal = p.fatal;
  p.failed.cancel();
  Status stopped = p.stop_in_order();
  p.await_fibers();
  return fatal.ok() ? stopped : fatal;
}

void Node::reload() {
  if (parts_->tls == nullptr) {
    parts_->log.info("tls", "asked to reload, but there is no certificate to reload");
  } else {
    parts_->tls->reload();
  }
}

}  // namespace drumlin::node
