// What a running node is made of, in the order in which it is built. Public for checkers and tests;
// everything else uses node.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/handler.h"
#include "http/server.h"
#include "kv/memory/memory.h"
#include "kv/rocksdb/rocksdb.h"
#include "node/identity.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/tls_identity.h"
#include "placement/planner.h"
#include "replica/replica_set.h"
#include "router/router.h"
#include "rpc/peer.h"
#include "rpc/server.h"
#include "s3/handler.h"
#include "segment/kv/kv_body_store.h"
#include "wal/hardstate.h"
#include "wal/superblock.h"
#include "wal/wal.h"

namespace drumlin::node {

struct Node::Parts {
  Parts(Runtime& runtime, Config config, Hooks hooks);
  ~Parts();

  Status bind();
  Status open_disk(Cancellation& stop);
  Status open_kv();
  void start();
  void start_listeners();
  Status stop_in_order();
  void await_fibers();
  s3::Settings s3_settings() const;
  api::Sources api_sources();

  Runtime& runtime;
  Config config;
  Hooks hooks;
  observe::Log log;
  observe::Metrics metrics;
  observe::Observer observer;
  placement::ShardTable table;

  std::unique_ptr<TlsIdentity> tls;  // null: plain HTTP
  std::unique_ptr<Listener> s3_listener;
  std::unique_ptr<Listener> api_listener;
  std::unique_ptr<Listener> peer_listener;

  std::unique_ptr<wal::HardStateStore> hard_states;
  std::unique_ptr<kv::Kv> kv;
  segment::KvBodyStore bodies;
  std::unique_ptr<wal::Wal> wal;
  std::unique_ptr<wal::SuperblockStore> superblock;

  rpc::Identity identity;
  std::unique_ptr<Membership> membership;
  std::vector<std::unique_ptr<rpc::Peer>> peers;
  std::unique_ptr<replica::Services> services;
  std::unique_ptr<replica::ReplicaSet> replicas;
  std::unique_ptr<rpc::Server> peer_server;
  std::unique_ptr<router::Router> router;
  std::unique_ptr<s3::S3Handler> s3;
  std::unique_ptr<api::Handler> api;
  std::unique_ptr<http::Server> s3_server;
  std::unique_ptr<http::Server> api_server;

  Cancellation failed;  // this node must stop: `fatal` says why
  Status fatal;
};

}  // namespace drumlin::node
