"""tools/bench end to end, a second or less of each thing: it runs, says what it must, hides no error.

How fast anything was is printed and not judged.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from world import BENCH_CLIENT, BINARY, ROOT, free_port

PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")


class Bench(unittest.TestCase):
    def bench(self, *arguments, nodes=1, code=0):
        """Runs it; its report."""
        with tempfile.TemporaryDirectory() as scratch:
            report = os.path.join(scratch, "report.json")
            done = subprocess.run(
                [sys.executable, os.path.join(ROOT, "tools", "bench"), *arguments, "--data", scratch,
                 "--no-build", "--allow-memory", "--binary", BINARY, "--client", BENCH_CLIENT,
                 "--port", str(free_port(nodes)),
                 "--set", "cluster.shards=16", "--json", report],
                capture_output=True, text=True, timeout=200)
            print(done.stdout, done.stderr, flush=True)
            self.assertEqual(done.returncode, code, done.stderr)
            self.output = done.stdout + done.stderr
            self.assertEqual([name for name in os.listdir(scratch) if name != "report.json"], [])
            with open(report, encoding="utf-8") as f:
                return json.load(f)

    def check_cells(self, cells, nodes):
        self.assertEqual([c["op"] for c in cells], ["put", "get", "list"])
        for cell in cells:
            self.assertEqual(cell["errors"], {})
            self.assertEqual(cell["nodes"], nodes)
            self.assertGreater(cell["answers"], 0)
            times = [cell["latency_us"][p] for p in PERCENTILES]
            self.assertEqual(times, sorted(times))
            self.assertGreater(times[0], 0)
            self.assertGreater(cell["client_cpu_us_per_op"], 0)

    def test_load_on_one_node_and_on_three(self):
        for nodes in (1, 3):
            report = self.bench("load", "--nodes", str(nodes), "--bytes", "4k", "--connections", "4", "--seconds",
                                "1", "--warm-up", "0.2", "--payload", "signed", nodes=nodes)
            self.check_cells(report["load"], nodes)
        self.assertGreater(report["machine"]["cpus"], 0)

    def test_idle(self):
        report = self.bench("idle", "--settle", "0.5", "--idle-seconds", "2", nodes=3)
        self.assertEqual([node["node"] for node in report["idle"]], [1, 2, 3])
        self.assertGreater(sum(node["frames_per_second"] for node in report["idle"]), 0)

    def test_failover(self):
        report = self.bench("failover", "--kills", "2", "--between", "0.3", nodes=3)["failover"]
        self.assertEqual(report["kills"], 2)
        self.assertEqual(report["ledger"]["lost"], 0)
        self.assertGreater(report["ledger"]["acknowledged"], 0)

    def test_two_servers_in_turns(self):
        report = self.bench("against", BINARY, "--op", "put", "--bytes", "1k", "--connections", "2", "--rounds", "2",
                            "--nodes", "1", "--seconds", "0.5", "--warm-up", "0.1")
        self.assertEqual([cell["server"] for cell in report["against"]], ["old", "new", "new", "old"])
        self.assertIn("medians", self.output)

    def test_errors_are_told(self):
        report = self.bench("load", "--nodes", "1", "--op", "put", "--bytes", "9m", "--connections", "1",
                            "--seconds", "0.5", "--warm-up", "0")
        self.assertEqual(list(report["load"][0]["errors"]), ["400 EntityTooLarge"])
        self.assertEqual(report["load"][0]["answers"], 0)
        self.assertIn("400 EntityTooLarge", self.output)
        self.bench("load", "--nodes", "1", "--op", "get", "--bytes", "9m", "--connections", "1", code=1)
        self.assertIn("requests of the preparation failed: 400 EntityTooLarge", self.output)


if __name__ == "__main__":
    unittest.main()
