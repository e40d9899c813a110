"""tools/cluster.py, the second half of tools/run, with a stand-in for the daemon."""

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
import urllib.request

from tree import ROOT

import cluster

FAKE = os.path.join(ROOT, "tests", "tools", "fake_daemon.py")
PROGRAM = [sys.executable, os.path.join(ROOT, "tools", "cluster.py"), "--binary", FAKE]


def free_port(nodes):
    """A base port whose ports for `nodes` nodes nobody has at the moment."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            base = probe.getsockname()[1]
        try:
            for port in range(base, base + 10 * nodes):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except (OSError, OverflowError):
            continue


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def answers(url, ca=None):
    trust = ssl.create_default_context(cafile=ca) if ca else None
    try:
        with urllib.request.urlopen(url + "/health/ready", timeout=2, context=trust) as answer:
            return answer.status == 200
    except OSError:
        return False


class Program(unittest.TestCase):
    """The contract of tools/run's standard output and of its end."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="drumlin-run-test-")
        self.addCleanup(directory.cleanup)
        self.data = os.path.join(directory.name, "it's data")  # a name that must be quoted
        self.port = free_port(3)

    def run_nodes(self, *arguments):
        process = subprocess.Popen(PROGRAM + ["--data", self.data, "--port", str(self.port), *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def read_until_ready(self, process):
        lines = []
        while True:
            line = process.stdout.readline()
            self.assertTrue(line, "ended before READY: " + (process.stderr.read() if not line else ""))
            if line == "READY\n":
                return lines
            lines.append(line)

    def fails(self, text, *arguments):
        process = self.run_nodes(*arguments)
        out, error = process.communicate(timeout=30)
        self.assertEqual(out, "")
        self.assertIn(text, error)
        self.assertNotIn("Traceback", error)
        self.assertNotEqual(process.returncode, 0)

    def test_three_nodes_from_start_to_end(self):
        process = self.run_nodes("--nodes", "3", "--set", "timers.tick_ms=20", "--set", "log.level=debug")
        lines = self.read_until_ready(process)
        nodes, keys = [json.loads(line) for line in lines[:3]], json.loads(lines[3])
        self.assertEqual([n["id"] for n in nodes], [1, 2, 3])
        for i, node in enumerate(nodes):
            self.assertEqual(node["s3"], f"http://127.0.0.1:{self.port + 10 * i}")
            self.assertEqual(node["api"], f"http://127.0.0.1:{self.port + 10 * i + 1}")
            self.assertTrue(answers(node["api"]))
            os.kill(node["pid"], 0)
        self.assertEqual(set(keys), {"access_key", "secret_key"})
        self.assertIn(keys["access_key"], lines[4])

        with open(os.path.join(self.data, "node-2.toml"), "rb") as f:
            config = tomllib.load(f)
        self.assertEqual(config["node"], {"id": 2, "data": os.path.join(self.data, "node-2"), "listen": "127.0.0.1"})
        self.assertEqual(config["ports"], {"s3": self.port + 10, "api": self.port + 11, "peer": self.port + 12})
        self.assertEqual([n["id"] for n in config["cluster"]["nodes"]], [1, 2, 3])
        self.assertEqual(config["cluster"]["nodes"][2]["peer"], f"127.0.0.1:{self.port + 22}")
        self.assertEqual(config["timers"], {"tick_ms": 20})
        self.assertEqual(config["log"], {"level": "debug"})
        for secret in ("keys.json", "node-2.toml"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.data, secret)).st_mode), 0o600)

        # A killed node stays dead until its restart command runs; the end reaches the restarted one.
        os.kill(nodes[1]["pid"], signal.SIGKILL)
        self.assertTrue(eventually(lambda: not answers(nodes[1]["api"])))
        self.assertIn("node 2 ended", process.stderr.readline())
        self.assertFalse(answers(nodes[1]["api"]))
        subprocess.run(nodes[1]["restart"], shell=True, check=True, capture_output=True, timeout=10)
        self.assertTrue(eventually(lambda: answers(nodes[1]["api"])))
        self.assertIn("node 2 runs again", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=10), 0)
        for node in nodes:
            self.assertFalse(answers(node["api"]))

    def test_a_second_run_keeps_keys_and_takes_another_port(self):
        process = self.run_nodes()
        first = self.read_until_ready(process)
        process.terminate()
        self.assertEqual(process.wait(timeout=10), 0)
        self.port = free_port(1)
        process = self.run_nodes()
        second = self.read_until_ready(process)
        self.assertEqual(first[1], second[1])
        self.assertNotEqual(json.loads(first[0])["s3"], json.loads(second[0])["s3"])
        process.terminate()
        self.assertEqual(process.wait(timeout=10), 0)
        self.fails("was made for 1 node(s), not 3", "--nodes", "3")

    def test_tls_with_a_certificate_that_is_kept(self):
        process = self.run_nodes("--nodes", "2", "--tls")
        lines = self.read_until_ready(process)
        nodes = [json.loads(line) for line in lines[:2]]
        for i, node in enumerate(nodes):
            self.assertEqual(node["s3"], f"https://127.0.0.1:{self.port + 10 * i}")
            self.assertEqual(node["api"], f"https://127.0.0.1:{self.port + 10 * i + 1}")
            self.assertEqual(node["ca"], os.path.join(self.data, "tls.pem"))
            self.assertTrue(answers(node["api"], node["ca"]))
        self.assertFalse(answers(nodes[0]["api"]), "believed without the certificate")
        self.assertIn("AWS_CA_BUNDLE=", lines[3])
        key = os.path.join(self.data, "tls.key")
        with open(os.path.join(self.data, "node-2.toml"), "rb") as f:
            self.assertEqual(tomllib.load(f)["tls"], {"certificate": nodes[0]["ca"], "key": key})
        self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600)
        with open(key, "rb") as f:
            first = f.read()
        self.assertEqual(sorted(name for name in os.listdir(self.data) if name.startswith("tls")),
                         ["tls.key", "tls.pem"])
        process.terminate()
        self.assertEqual(process.wait(timeout=10), 0)
        self.port = free_port(3)
        process = self.run_nodes("--nodes", "2", "--tls")
        self.read_until_ready(process)
        with open(key, "rb") as f:
            self.assertEqual(f.read(), first)
        process.terminate()
        self.assertEqual(process.wait(timeout=10), 0)

    def test_nodes_end_with_a_launcher_that_is_killed(self):
        process = self.run_nodes()
        node = json.loads(self.read_until_ready(process)[0])
        process.kill()
        self.assertTrue(eventually(lambda: not answers(node["api"])))

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port + 12))
            taken.listen()
            self.fails(f"port {self.port + 12} (peer of node 2) cannot be used", "--nodes", "2")

    def test_the_same_directory_twice(self):
        self.read_until_ready(self.run_nodes())
        self.fails("is already running")

    def test_a_node_that_ends_shows_its_last_words(self):
        self.fails("the disk is on fire", "--set", "fake.fail=true")

    def test_interrupted_while_starting(self):
        process = self.run_nodes("--set", "fake.slow_s=60")
        self.assertTrue(eventually(lambda: os.path.exists(os.path.join(self.data, "node-1.pid"))))
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 130)

    def test_somebody_elses_directory(self):
        os.makedirs(self.data)
        with open(os.path.join(self.data, "thesis.txt"), "w", encoding="utf-8") as f:
            f.write("do not touch\n")
        self.fails("is not a directory of tools/run")
        self.assertEqual(os.listdir(self.data), ["thesis.txt"])

    def test_arguments(self):
        self.fails("--nodes must be 1 or more", "--nodes", "0")
        self.fails("leaves no room", "--nodes", "2", "--port", "65530")
        self.fails("--set wants", "--set", "nonsense")


class Library(unittest.TestCase):
    def test_a_stubborn_node_is_killed_in_the_end(self):
        self.addCleanup(setattr, cluster, "STOP_S", cluster.STOP_S)
        with tempfile.TemporaryDirectory(prefix="drumlin-run-test-") as data:
            c = cluster.Cluster(FAKE, os.path.join(data, "d"), 1, free_port(1), {"fake.stubborn": "true"})
            c.start()
            cluster.STOP_S = 0.2
            self.assertEqual(c.stop(), [1])
            self.assertIsNone(c.nodes[0].pid())


if __name__ == "__main__":
    unittest.main()
