"""kill -9 of nodes while clients write: nothing acknowledged is lost, and writing goes on.

Times until writes succeed again are printed, not held to a limit: this runs on busy machines. A test
fails when they do not succeed within PATIENCE_S.
"""

import hashlib
import signal
import subprocess
import threading
import time
import unittest

from botocore.exceptions import BotoCoreError, ClientError

from world import World

PATIENCE_S = 30.0
BUCKET = "ledger"


def body_of(key):
    """Every key's own bytes, some inline and some not."""
    return hashlib.shake_128(key.encode()).digest(100_000 if key.endswith("7") else 300)


class Writer(threading.Thread):
    """Puts one new key after another, and a counter that only grows; notes what was acknowledged."""

    def __init__(self, world, name):
        super().__init__(daemon=True)
        self.world, self.name = world, name
        self.acknowledged = []  # (time, key)
        self.counter = 0  # the last acknowledged value
        self.proposed = 0  # the last value that may have been written
        self.refused = 0
        self.unexpected = []
        self.targets = list(range(len(world.nodes)))  # nodes that are not known to be dead
        self.ended = threading.Event()
        self.clients = [world.s3(node, retries=1, timeout=3) for node in range(len(world.nodes))]

    def run(self):
        number = 0
        while not self.ended.is_set():
            number += 1
            key = f"{self.name}/{number}"
            self.proposed = number
            client = self.clients[self.targets[number % len(self.targets)]]
            try:
                client.put_object(Bucket=BUCKET, Key=key, Body=body_of(key))
                self.acknowledged.append((time.monotonic(), key))
                client.put_object(Bucket=BUCKET, Key=f"{self.name}/counter", Body=str(number).encode())
                self.counter = number
            except ClientError as error:
                self.refused += 1
                if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    self.unexpected.append(repr(error))
                time.sleep(0.02)
            except BotoCoreError:
                self.refused += 1
                time.sleep(0.02)

    def stop(self):
        self.ended.set()
        self.join(timeout=60)

    def wait_for_write_after(self, instant):
        while not self.acknowledged or self.acknowledged[-1][0] < instant:
            if time.monotonic() > instant + PATIENCE_S:
                raise AssertionError(f"{self.name}: no write succeeded within {PATIENCE_S:.0f} s")
            time.sleep(0.005)
        return next(at for at, _ in self.acknowledged if at >= instant) - instant


class Failover(unittest.TestCase):
    def setUp(self):
        self.world = World(nodes=3)
        self.world.failed = True  # until the test has come to its end
        self.addCleanup(self.world.close)
        self.world.__enter__()
        self.world.s3().create_bucket(Bucket=BUCKET)
        self.writers = [Writer(self.world, f"writer{i}") for i in range(3)]
        for writer in self.writers:
            writer.start()
            self.addCleanup(writer.ended.set)

    def let_them_write(self, seconds):
        now = time.monotonic()
        for writer in self.writers:
            writer.wait_for_write_after(now)
        time.sleep(seconds)

    def restart(self, nodes):
        for node in nodes:
            subprocess.run(node.restart_command(), shell=True, check=True, timeout=10)
        self.world.cluster.wait_ready(nodes=nodes)

    def verify(self):
        for writer in self.writers:
            writer.stop()
            self.assertEqual(writer.unexpected, [])
        self.world.cluster.wait_ready()
        acknowledged = [key for writer in self.writers for _, key in writer.acknowledged]
        for number in range(3):
            s3 = self.world.s3(number)
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
            listed = {item["Key"] for page in pages for item in page.get("Contents", [])}
            self.assertEqual(sorted(set(acknowledged) - listed), [], f"lost from the listing of node {number + 1}")
            for key in acknowledged[number::3]:
                self.assertTrue(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body_of(key), key)
            for writer in self.writers:
                value = int(s3.get_object(Bucket=BUCKET, Key=f"{writer.name}/counter")["Body"].read())
                self.assertGreaterEqual(value, writer.counter, "an acknowledged overwrite is gone")
                self.assertLessEqual(value, writer.proposed)
        refused = sum(writer.refused for writer in self.writers)
        print(f"{len(acknowledged)} writes acknowledged and found again, {refused} refused or unanswered", flush=True)
        self.assertGreater(len(acknowledged), 30)
        self.world.failed = False

    def test_each_node_is_killed_in_turn(self):
        for node in self.world.nodes:
            self.let_them_write(1.0)
            for writer in self.writers:
                writer.targets = [n.id - 1 for n in self.world.nodes if n is not node]
            killed = time.monotonic()
            node.kill()
            gaps = [writer.wait_for_write_after(killed) for writer in self.writers]
            self.let_them_write(0.5)
            slowest = self.longest_pause_after(killed)
            print(f"node {node.id} killed: first write after {min(gaps):.2f} s, of every writer after "
                  f"{max(gaps):.2f} s, longest pause of a writer {slowest:.2f} s", flush=True)
            self.restart([node])
            for writer in self.writers:
                writer.targets = [0, 1, 2]
        self.verify()

    def longest_pause_after(self, instant):
        """A writer meets shards one after the other: the pause that counts may come late."""
        longest = 0.0
        for writer in self.writers:
            times = [instant] + [at for at, _ in writer.acknowledged if at >= instant]
            longest = max([longest] + [b - a for a, b in zip(times, times[1:])])
        return longest

    def test_all_nodes_are_killed_at_once(self):
        for _ in range(2):
            self.let_them_write(1.0)
            for node in self.world.nodes:
                node.signal(9)
            for node in self.world.nodes:
                self.assertTrue(node.wait_dead(10))
            begin = time.monotonic()
            self.restart(self.world.nodes)
            ready = time.monotonic() - begin
            gaps = [writer.wait_for_write_after(begin) for writer in self.writers]
            print(f"all killed: ready after {ready:.2f} s, every writer writes after {max(gaps):.2f} s", flush=True)
        self.verify()

    def test_all_nodes_are_told_to_stop_at_once(self):
        self.let_them_write(1.0)
        begin = time.monotonic()
        for node in self.world.nodes:
            node.signal(signal.SIGTERM)
        for node in self.world.nodes:
            self.assertTrue(node.wait_dead(9.0), f"node {node.id} waits for requests to time out")
            self.assertEqual(node.child.returncode, 0)
        print(f"all stopped after {time.monotonic() - begin:.2f} s", flush=True)
        self.restart(self.world.nodes)
        self.verify()

    def test_without_a_majority_nothing_is_acknowledged(self):
        self.let_them_write(0.5)
        for writer in self.writers:
            writer.targets = [0]
        for node in self.world.nodes[1:]:
            node.kill()
        time.sleep(4.0)  # what was on its way has been answered or given up
        before = [len(writer.acknowledged) for writer in self.writers]
        time.sleep(2.0)
        self.assertEqual([len(writer.acknowledged) for writer in self.writers], before)
        begin = time.monotonic()
        self.restart(self.world.nodes[1:])
        gaps = [writer.wait_for_write_after(begin) for writer in self.writers]
        print(f"majority back: every writer writes after {max(gaps):.2f} s", flush=True)
        self.verify()


if __name__ == "__main__":
    unittest.main()
