// GET /v1/status: the node and its shards as JSON.
#pragma once

#include <string>

#include "node/node.h"

namespace drumlin::node {

// {"node","cluster","admitted","boot","incarnation","members":[{"id","peer","s3","api","connected"}],
//  "wal":{"durable_lsn","bytes","queued_bytes"},
//  "shards":[{"shard","role","leader","term","commit","applied","durable","last"}]}. Does not yield.
std::string status_json(const Node::Parts& parts);

}  // namespace drumlin::node
