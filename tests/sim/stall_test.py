"""A leader whose disk hangs gives way: within 3 s others lead what it led, and clients get their answers.

    stall_test.py SIMULATOR
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PLAN = os.path.join("scenarios", "plans", "stalled-leader.plan")
STALLED_NODE, STALL_S, WITHIN_S = 1, 10.0, 3.0


def at(line):
    return datetime.datetime.fromisoformat(line["ts"].replace("Z", "+00:00"))


def main(simulator):
    with tempfile.TemporaryDirectory() as directory:
        log = os.path.join(directory, "log")
        run = subprocess.run([simulator, "replay", PLAN, "--log", log], cwd=ROOT, check=True, text=True,
                             stdout=subprocess.PIPE)
        with open(log, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
    report = json.loads(run.stdout.splitlines()[-1])
    assert report["outcome"] == "pass", report
    hangs = next(line for line in lines if "the disk hangs" in line["msg"])
    assert hangs["node"] == STALLED_NODE, hangs
    goes_on = next(line for line in lines if "the disk goes on" in line["msg"])
    stalled = (at(goes_on) - at(hangs)).total_seconds()
    assert STALL_S - 1 < stalled < STALL_S, f"it hung for {stalled} s"

    lost = {line["shard"] for line in lines
            if line["msg"] == "no longer leader" and line["node"] == STALLED_NODE and at(line) == at(hangs)}
    assert lost, "the node led nothing when its disk hung"
    for shard in lost:
        after = [line for line in lines
                 if line["msg"] == "leader" and line.get("shard") == shard and at(line) > at(hangs)]
        took = (at(after[0]) - at(hangs)).total_seconds()
        print(f"shard {shard}: node {after[0]['node']} leads {took:.3f} s after it was seen that the disk hangs")
        assert after[0]["node"] != STALLED_NODE and took < WITHIN_S, after[0]
    unknown = report["ops_unknown"], report["ops"] - report["ops_succeeded"]
    assert unknown == (0, 0), f"{unknown} operations unknown, not done"


if __name__ == "__main__":
    main(*sys.argv[1:])
