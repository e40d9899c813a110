"""A swarm of seeds holds, and was worth running: operations succeed, faults are felt, checkers check.

    tests/sim/swarm_test.py DRUMLIN_SIM [SEEDS]
"""

import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import probes  # noqa: E402

FAMILIES = ("buggify", "client_cut", "clock", "clog", "connection_loss", "corrupt_packet", "crash", "full_disk",
            "half_open", "halt", "latency", "lost_write", "one_way", "partial_io", "partition", "pause", "power",
            "power_all", "read_error", "refused_connect", "short_write", "slow_cpu", "slow_disk", "stalled_disk",
            "sync_error", "torn_write", "write_error")
CHECKERS = ("election", "vote", "completeness", "commit", "apply", "gate", "durability", "recovery", "floor",
            "linearizable", "listing", "bucket", "body", "answer", "acknowledge", "read", "digest", "progress",
            "log_time", "skew")

EXIT_INCONCLUSIVE = 14


def complaints(summary):
    """What is wrong with a summary of many seeds."""
    runs = summary["runs"]
    if summary["fail"]:
        yield f"{summary['fail']} of {runs} runs failed: {summary['failures']}"
    if summary["inconclusive"] > max(0, runs // 100):
        yield f"{summary['inconclusive']} of {runs} runs are inconclusive: {summary['failures']}"
    if summary["ops_succeeded"] < 0.6 * summary["ops"]:
        yield f"only {summary['ops_succeeded']} of {summary['ops']} operations succeeded"
    # A fifth of all seeds there could be; of so few, what two standard deviations below that is.
    least = 0.2 * runs - 2 * (0.2 * 0.8 * runs) ** 0.5
    for family in FAMILIES:
        felt = summary["faults"].get(family, {}).get("seeds_effective", 0)
        if felt < least:
            yield f"fault family {family} was felt in {felt} of {runs} seeds"
    for checker in CHECKERS:
        if not summary["checks"].get(checker):
            yield f"checker {checker} never ran"
    yield from probes.complaints(summary, probes.in_source(ROOT))


def main(binary, seeds):
    command = [binary, "swarm", "--seeds", f"1..{seeds}"]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = process.stdout.splitlines()
    for line in lines[:-1]:
        if json.loads(line)["outcome"] != "pass":
            print(line)
    summary = json.loads(lines[-1])
    print(json.dumps(summary, indent=1))
    assert summary["summary"] and summary["runs"] == seeds, "the last line is not the summary"
    problems = list(complaints(summary))
    for problem in problems:
        print("PROBLEM:", problem)
    # One inconclusive run makes an exit code of its own; how many there may be is said above.
    bad_exit = process.returncode not in (0, EXIT_INCONCLUSIVE)
    return 1 if problems or bad_exit else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200))
