"""The log stays short, restarts find all, and a node that was away for long is brought up to date by snapshots."""

import glob
import hashlib
import json
import os
import signal
import subprocess
import time
import unittest

from world import BINARY, WorldTest

MIB = 1 << 20
PATIENCE_S = 60.0
# Four of each a megabyte of log: many files, flushes and cuts in a short time.
SETTINGS = {"cluster.shards": "8", "storage.wal_segment_bytes": str(MIB), "storage.kv_flush_wal_bytes": str(MIB),
            "storage.wal_retain_bytes": str(MIB), "storage.wal_max_bytes": str(2 * MIB)}


def body_of(key, round_):
    return hashlib.shake_128(f"{key}/{round_}".encode()).digest(64 * 1024)


class Log(WorldTest):
    SETTINGS = SETTINGS
    NODES = 3
    KEYS = [f"key-{i}" for i in range(200)]

    def put_all(self, s3, round_):
        for key in self.KEYS:
            s3.put_object(Bucket="log", Key=key, Body=body_of(key, round_))

    def expect_all(self, s3, round_):
        for key in self.KEYS:
            found = s3.get_object(Bucket="log", Key=key)["Body"].read()
            self.assertTrue(found == body_of(key, round_), key)

    @staticmethod
    def log_bytes(node):
        return sum(os.path.getsize(path) for path in glob.glob(os.path.join(node.data, "wal", "*.log")))

    def applied(self, node):
        run = subprocess.run([BINARY, "admin", "status", "--json", "--config", node.config], check=False,
                             capture_output=True, text=True, timeout=30)
        self.assertEqual(run.returncode, 0, run.stderr)
        return {shard["shard"]: shard["applied"] for shard in json.loads(run.stdout)["shards"]}

    def wait_for(self, what, true):
        end = time.monotonic() + PATIENCE_S
        while not true():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.2)

    def restart(self, node):
        subprocess.run(node.restart_command(), shell=True, check=True, timeout=10)
        self.world.cluster.wait_ready(nodes=[node])

    def test_a_node_that_was_away_for_long(self):
        s3 = self.world.s3(0)
        s3.create_bucket(Bucket="log")
        self.put_all(s3, 1)  # 12.5 MiB
        for node in self.world.nodes:
            self.wait_for(f"the log of node {node.id} stays long", lambda n=node: self.log_bytes(n) < 6 * MIB)
        print("logs after 12.5 MiB: "
              + ", ".join(f"{self.log_bytes(node) / MIB:.1f} MiB" for node in self.world.nodes), flush=True)

        away = self.world.nodes[2]
        away.kill()
        behind = self.world.nodes[:2]
        self.put_all(s3, 2)
        self.put_all(s3, 3)
        for node in behind:
            self.wait_for(f"the log of node {node.id} waits for the dead", lambda n=node: self.log_bytes(n) < 8 * MIB)
        begin = time.monotonic()
        self.restart(away)
        self.wait_for("the node does not catch up",
                      lambda: all(self.applied(away).get(shard) == index
                                  for shard, index in self.applied(self.world.nodes[0]).items()))
        print(f"caught up after {time.monotonic() - begin:.1f} s", flush=True)
        with open(away.log, encoding="utf-8") as log:
            self.assertIn("installed a snapshot", log.read())

        # What it has been given is all there is now: another node goes, and half of the majority is this one.
        self.world.nodes[0].kill()
        self.expect_all(self.world.s3(1, retries=10, timeout=5), 3)
        self.restart(self.world.nodes[0])
        for node in self.world.nodes:
            node.signal(9)
            self.assertTrue(node.wait_dead(10))
        for node in self.world.nodes:
            subprocess.run(node.restart_command(), shell=True, check=True, timeout=10)
        self.world.cluster.wait_ready()
        self.expect_all(self.world.s3(2, retries=10, timeout=5), 3)
        self.inspect(self.world.nodes[2])

    def inspect(self, node):
        """Of a node that has stopped in order every file is sound, and says what it holds."""
        node.signal(signal.SIGTERM)
        self.assertTrue(node.wait_dead(10))
        files = sorted(glob.glob(os.path.join(node.data, "wal", "*.log")))
        files += [os.path.join(node.data, name) for name in ("hardstate.a", "hardstate.b", "superblock")]
        run = subprocess.run([BINARY, "inspect", *files], check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        for text in ("mark: its log begins after index", "marker: all before it is durable", "vote for node",
                     "  node         3\n", "stopped in order"):
            self.assertIn(text, run.stdout)
        run = subprocess.run([BINARY, "inspect", __file__], check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 1)
        self.assertIn("neither a file of the log", run.stderr)


if __name__ == "__main__":
    unittest.main()
