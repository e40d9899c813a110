// Commands: a small language to drive a Cluster, one command a line. Transcripts are written in it
// by people, schedules by the campaign; so a schedule that fails can be pasted into a transcript.
//
//   tick N [TIMES]              campaign N: ticks until it does not follow any more
//   elect N VOTER...            lets their leases run out and N campaign until it leads, delivering
//                               nothing but what is said about votes
//   propose N DATA              propose N bytes=COUNT
//   read N ID                   asks for a read index
//   persist N [state|log] [COUNT]   lets writes complete, in order; all of them by default
//   fetch N [fail]              answers what it wants read back from its disk
//   apply N                     applies what is committed
//   crash N [state=K] [log=K] [part=K]   of what was under way the oldest K reach the disk, of the
//   last
//                               append only the first `part` entries
//   restart N                   slow N, fast N: stabilize leaves its disk alone, or not
//   deliver A->B [#K]           all that is under way, or the K-th of it (the first is #1)
//   drop A->B [#K]              duplicate A->B [#K]: once more, after all others
//   send A->B after=I count=K   what the leader A might send: K entries of its log after the I-th
//   cut A B, isolate N, heal    what is sent across a cut is lost
//   stabilize [N...]            completes and delivers all, among these nodes
//   status [N...]  log N  progress N  network
//   quietly COMMAND             only if it fails is there something to read
#pragma once

#include <string>

#include "cluster.h"

namespace drumlin::raft::test {

// "cluster N [KEY=VALUE...]": with cache-bytes, append-bytes, inflight-bytes, inflight-messages,
// uncommitted-bytes, ticks=MIN..MAX of an election. Throws std::invalid_argument.
Cluster::Options parse_cluster(const std::string& line);

// What happened, a line each. Throws std::invalid_argument, and Violation from the watchers.
std::string run_command(Cluster& cluster, const std::string& line);

}  // namespace drumlin::raft::test
