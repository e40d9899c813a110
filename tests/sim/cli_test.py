"""drumlin-sim from outside: flags, exit codes, the report's fields, plans that run again."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

BINARY = os.environ["DRUMLIN_SIM_BINARY"]
SHORT = ["--duration", "3", "--set", "nodes=1", "--set", "shards=2", "--set", "ops=30"]


def sim(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, check=False)


def report(process):
    return json.loads(process.stdout.splitlines()[-1])


class Usage(unittest.TestCase):
    def test_wrong_use_is_2_and_says_why(self):
        for arguments, said in [
            ((), "subcommand"),
            (("fly",), "fly"),
            (("run",), "--seed or --plan"),
            (("run", "--seed", "x"), "--seed"),
            (("run", "--seed", "1", "--set", "wings=2"), "wings"),
            (("run", "--seed", "1", "--set", "nodes"), "KEY=VALUE"),
            (("run", "--seed", "1", "--scenario", "/nowhere"), "/nowhere"),
            (("run", "--plan", "/nowhere"), "/nowhere"),
            (("run", "--plan", "x", "--set", "nodes=1"), "--plan"),
            (("swarm",), "--seeds or --for"),
            (("swarm", "--seeds", "5..1"), "A..B"),
            (("swarm", "--seeds", "1..2", "--shard", "3/2"), "I/N"),
            (("swarm", "--for", "soon"), "60s"),
            (("replay",), "plan"),
            (("shrink", "x"), "shrink"),
            (("corpus",), "subcommand"),
            (("corpus", "verify", "/nowhere"), "/nowhere"),
            (("corpus", "verify", "scenarios"), "no plans"),
            (("corpus", "verify", "--jobs", "0"), "--jobs"),
            (("bench-bugs", "--source", "/tmp"), "--source"),
        ]:
            with self.subTest(arguments=arguments):
                process = sim(*arguments)
                self.assertEqual(process.returncode, 2, process)
                self.assertIn(said, process.stderr + process.stdout)

    def test_help_is_0(self):
        for arguments in (("--help",), ("run", "--help"), ("swarm", "--help")):
            process = sim(*arguments)
            self.assertEqual(process.returncode, 0)
            self.assertIn("--", process.stdout)


class Runs(unittest.TestCase):
    def test_the_report_has_its_fields(self):
        process = sim("run", "--seed", "1", *SHORT)
        self.assertEqual(process.returncode, 0, process)
        line = report(process)
        for field in ("seed", "outcome", "class", "trace_hash", "events", "ops", "faults", "simulated_s",
                      "wall_s", "replay"):
            self.assertIn(field, line)
        self.assertEqual((line["seed"], line["outcome"], line["class"]), (1, "pass", ""))
        self.assertTrue(0 < line["ops_succeeded"] <= line["ops_answered"] <= line["ops"] <= 30, line)

    def test_a_seed_its_plan_and_its_replay_command_are_the_same_run(self):
        with tempfile.TemporaryDirectory() as scratch:
            plan = os.path.join(scratch, "a plan")
            first = report(sim("run", "--seed", "5", *SHORT, "--emit-plan", plan))
            second = report(sim("replay", plan))
            third = report(sim("run", "--plan", plan))
            again = subprocess.run(first["replay"].replace("drumlin-sim", BINARY, 1), shell=True,
                                   capture_output=True, text=True, check=False)
            hashes = {r["trace_hash"] for r in (first, second, third, report(again))}
            self.assertEqual(len(hashes), 1, (first, second, third, again))

    def test_traces_and_logs_are_written(self):
        with tempfile.TemporaryDirectory() as scratch:
            trace, log = os.path.join(scratch, "trace"), os.path.join(scratch, "log")
            sim("run", "--seed", "2", *SHORT, "--trace", trace)
            sim("run", "--seed", "2", *SHORT, "--log", log)
            with open(trace, encoding="utf-8", errors="replace") as file:
                self.assertIn("disk.sync", file.read())
            with open(log, encoding="utf-8") as file:
                messages = [json.loads(line)["msg"] for line in file]
            self.assertIn("serving", messages)

    def test_a_run_without_time_is_told_apart(self):
        process = sim("run", "--seed", "1", "--duration", "3600", "--set", "ops=1000000", "--cpu-limit", "1")
        self.assertEqual(process.returncode, 15, process)
        self.assertTrue(report(process)["class"].startswith("resources/"))

    def test_a_swarm_ends_in_a_summary_and_shards_share_the_seeds(self):
        seen = []
        for part in ("1/2", "2/2"):
            process = sim("swarm", "--seeds", "1..4", "--shard", part, "--set", "fault_every_ms=0", *SHORT)
            lines = [json.loads(line) for line in process.stdout.splitlines()]
            self.assertEqual(process.returncode, 0, process)
            self.assertTrue(lines[-1]["summary"])
            seen += [line["seed"] for line in lines[:-1]]
        self.assertEqual(sorted(seen), [1, 2, 3, 4])

    def test_determinism_is_checked(self):
        process = sim("check-determinism", "--seed", "3", *SHORT)
        self.assertEqual(process.returncode, 0, process)
        self.assertTrue(report(process)["deterministic"])

    def test_the_first_event_that_differs_is_named(self):
        with tempfile.TemporaryDirectory() as scratch:
            # Another "build": one whose random streams are those of another seed.
            other = os.path.join(scratch, "other")
            with open(other, "w", encoding="utf-8") as file:
                file.write(f"""#!/bin/sh
sed 's/^seed .*/seed 4/' "$3" > {scratch}/plan
shift 3
exec {BINARY} run --plan {scratch}/plan "$@"
""")
            os.chmod(other, 0o755)
            process = sim("check-determinism", "--seed", "3", "--other", other, *SHORT)
            self.assertEqual(process.returncode, 13, process)
            self.assertFalse(report(process)["deterministic"])
            named = re.search(r"event \d+ differs:\n  one:   (.*)\n  other: (.*)\n", process.stderr)
            self.assertIsNotNone(named, process)
            self.assertNotEqual(named[1], named[2])


if __name__ == "__main__":
    sys.exit(unittest.main())
