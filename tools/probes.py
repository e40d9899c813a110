#!/usr/bin/env python3
"""Which rare branches a campaign of seeds reached, how often, and which never.

    tools/probes.py [--seeds A..B] [--summary FILE] [--all]

Runs `drumlin-sim swarm` (the release build), or reads a swarm's output from FILE ("-": standard input); its last
line is the summary. The names are those in the source: `probe("wal.torn_tail_cut")` in a rare branch, and the
points `buggify("wal.early_rotation")` inside nodes, which are reached when they strike. Prints a table of all, the
rarest first. Exit 1 if a seed failed, if a probe was reached that the source does not have, or if one was never
reached that every swarm of 200 seeds reaches: all but those in RARE. With --all those, too.
"""

import argparse
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cxx  # noqa: E402

BINARY = os.path.join("build", "release", "bin", "drumlin-sim")
_PROBE = re.compile(r'\b(?:probe|reached)\(\s*(?:\w+,\s*)?"([a-z0-9_.]+)"')
_POINT = re.compile(r'\bbuggify(?:_delay)?\(\s*"([a-z0-9_.]+)"')

# Fewer than one seed in eight reaches these, so a small swarm may miss them; a thousand have reached all.
RARE = {
    "bucket.decided_elsewhere", "buggify.replica.fetch_fails",
    "buggify.replica.late_query", "buggify.replica.slow_fetch",
    "buggify.replica.slow_install", "buggify.replica.small_snapshot_parts",
    "buggify.router.early_sweep", "buggify.rpc.short_write_timeout", "buggify.rpc.small_queue",
    "buggify.superblock.pause_between_halves", "raft.pending_append_cut", "replica.append_dropped",
    "replica.snapshot_adopted",
    "replica.proposal_superseded", "replica.query_too_late", "replica.uncommitted_full",
    "s3.request_too_skewed", "superblock.repaired", "wal.read_before_written", "wal.unfinished_file_removed",
}


def in_source(root):
    """The names of all probes and points of the product and its simulator."""
    names = set()
    for path in cxx.files(root, cxx.SUFFIXES, ("src", "sim")):
        text = cxx.read(root, path)
        names |= set(_PROBE.findall(text))
        names |= {"buggify." + name for name in _POINT.findall(text)}
    return names


def table(summary, names):
    runs = summary["runs"]
    rows = []
    for name in names | set(summary["probes"]):
        got = summary["probes"].get(name, {"seeds": 0, "times": 0})
        rows.append((got["seeds"], got["times"], name))
    yield f"{'probe':<42} {'of ' + str(runs) + ' seeds':>14} {'times':>10}"
    for seeds, times, name in sorted(rows):
        yield f"{name:<42} {seeds if seeds else 'never':>14} {times:>10}"


def complaints(summary, names, everything=False):
    reached = summary["probes"]
    for name in sorted(set(reached) - names):
        yield f"probe {name} is not in the source"
    for name in sorted(names - set(reached)):
        if everything or name not in RARE:
            yield f"probe {name} was never reached"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1..200", help="A..B (1..200)")
    parser.add_argument("--summary", metavar="FILE", help="a swarm's output, instead of running one")
    parser.add_argument("--all", action="store_true", help="none may be missing")
    options = parser.parse_args()
    root = cxx.repository()
    if options.summary == "-":
        lines = sys.stdin.read().splitlines()
    elif options.summary:
        with open(options.summary, encoding="utf-8") as f:
            lines = f.read().splitlines()
    else:
        run = subprocess.run([os.path.join(root, BINARY), "swarm", "--seeds", options.seeds], cwd=root,
                             stdout=subprocess.PIPE, text=True, check=False)
        lines = run.stdout.splitlines()
    summary = json.loads(lines[-1]) if lines else {}
    if not summary.get("summary"):
        sys.exit("tools/probes.py: the last line is no summary of a swarm")
    names = in_source(root)
    print("\n".join(table(summary, names)))
    found = list(complaints(summary, names, options.all))
    if summary["fail"]:
        found.append(f"{summary['fail']} seeds failed: {summary['failures']}")
    for line in found:
        print("PROBLEM:", line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
