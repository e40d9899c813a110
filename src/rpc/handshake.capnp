# The first three messages of every connection between two nodes; see handshake.h for their order.
@0xd2a5c8f31b7e4690;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("drumlin::rpc::wire");

struct Hello {
  versionMin @0 :UInt16;     # oldest and newest protocol version that the dialer speaks
  versionMax @1 :UInt16;
  clusterId @2 :Data;        # 16 bytes
  from @3 :UInt64;
  to @4 :UInt64;             # whom the dialer believes to have reached
  incarnation @5 :UInt64;    # of the dialer's disk, drawn when it was formatted
  boot @6 :UInt64;           # the dialer's boot counter
  lane @7 :UInt8;
  nonce @8 :Data;            # 16 bytes
}

struct Refusal {
  code @0 :UInt8;            # drumlin::Code
  message @1 :Text;
}

struct Welcome {
  union {
    refused @0 :Refusal;
    ok :group {
      version @1 :UInt16;
      incarnation @2 :UInt64;
      boot @3 :UInt64;
      nonce @4 :Data;        # 16 bytes
      proof @5 :Data;        # the acceptor knows the secret
    }
  }
}

struct Proof {
  union {
    refused @0 :Refusal;     # the dialer does not want this acceptor
    proof @1 :Data;          # the dialer knows the secret, and has recorded the acceptor's disk
  }
}

struct Ready {
  union {
    refused @0 :Refusal;
    ok @1 :Void;             # the acceptor has recorded the dialer's disk
  }
}
