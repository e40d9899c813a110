# What nodes say to each other about the shards they share. Frame kinds: see wire.h.
@0xb7d1f0a2c3e45869;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("drumlin::replica::wire");

struct Entry {
  term @0 :UInt64;
  kind @1 :UInt8;
  data @2 :Data;
}

# One message of the Raft core of one group. Fields that a type does not use are zero and cost little.
struct RaftMessage {
  group @0 :UInt32;
  type @1 :UInt8;
  reject @2 :Bool;
  term @3 :UInt64;
  index @4 :UInt64;
  logTerm @5 :UInt64;
  commit @6 :UInt64;
  hintIndex @7 :UInt64;
  hintTerm @8 :UInt64;
  round @9 :UInt64;
  entries @10 :List(Entry);    # consecutive, the first at index + 1
}

# Everything that one turn of a node's reactor has for one peer on one lane: the messages of many
# groups share a frame.
struct RaftBatch {
  messages @0 :List(RaftMessage);
}

struct ProposeRequest {
  shard @0 :UInt32;
  command @1 :Data;
  timeoutMs @2 :UInt32;        # how long the asker will wait, from now
}

struct QueryRequest {
  shard @0 :UInt32;
  query @1 :Data;
  wantBody @2 :Bool;
  hasFirst @3 :Bool;           # a range as in RFC 9110: first-last, first-, -suffix
  first @4 :UInt64;
  hasLast @5 :Bool;
  last @6 :UInt64;
  timeoutMs @7 :UInt32;
  maxBody @8 :UInt64;          # bytes: a longer body, or part of it, is left out
}

struct QueryReply {
  reply @0 :Data;
  body @1 :Data;
  first @2 :UInt64;            # where in the object the body begins
  unsatisfiable @3 :Bool;      # the range begins past the end of the object
  bodyLeftOut @4 :Bool;        # it is longer than maxBody
}

struct Row {
  key @0 :Data;                # behind shard and generation, which are the receiver's
  value @1 :Data;
}

# A piece of the state of a shard, from its leader to a replica that is too far behind for the log.
struct SnapshotPart {
  shard @0 :UInt32;
  term @1 :UInt64;             # the leader's
  index @2 :UInt64;            # the last entry in it...
  indexTerm @3 :UInt64;        # ...and that one's term
  transfer @4 :UInt64;         # parts of one transfer belong together
  offset @5 :UInt64;           # rows in the parts before this one
  rows @6 :List(Row);          # in key order
  last @7 :Bool;
  hash @8 :UInt64;             # of the last part: of all rows
}

struct SnapshotReply {
  received @0 :UInt64;         # rows of this transfer that have arrived, from the first on
  installed @1 :UInt64;        # the receiver has all up to this entry for good; 0: not yet
}
