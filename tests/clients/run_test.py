"""tools/run without the build: what it prints, Ctrl-C, nodes that die and are started again, a second run."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

import boto3
from world import BINARY, ROOT, cluster, free_port

WAIT_S = 60


class Run:
    """One tools/run in a session of its own, read up to READY."""

    def __init__(self, data, port, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "tools", "cluster.py"), "--binary", BINARY, "--data", data,
             "--port", str(port), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        watchdog = threading.Timer(WAIT_S, self.process.kill)
        watchdog.start()
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if lines[-1] == "READY":
                break
        watchdog.cancel()
        if not lines or lines[-1] != "READY":
            raise AssertionError(f"no READY: {lines} {self.process.communicate()[1]}")
        self.nodes = [json.loads(line) for line in lines[:-3]]
        self.keys = json.loads(lines[-3])
        self.example = lines[-2]

    def s3(self, node=0):
        return boto3.session.Session().client(
            "s3", verify=self.nodes[node].get("ca"), endpoint_url=self.nodes[node]["s3"], region_name="us-east-1",
            aws_access_key_id=self.keys["access_key"], aws_secret_access_key=self.keys["secret_key"])

    def end(self, number=signal.SIGINT):
        """Exit code and standard error."""
        self.process.send_signal(number)
        errors = self.process.communicate(timeout=WAIT_S)[1]
        return self.process.returncode, errors


def processes_of(data):
    """Pids of everything that runs with a configuration under `data`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(data.encode() + b"/node-") for word in words):
            found.append(int(pid))
    return found


class RunTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="drumlin-run-")
        self.addCleanup(directory.cleanup)
        self.data = os.path.join(directory.name, "data")
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in processes_of(self.data)])

    def run_it(self, nodes, *arguments):
        run = Run(self.data, free_port(nodes), "--nodes", str(nodes), "--set", "cluster.shards=32", *arguments)
        self.addCleanup(run.process.stdout.close)
        self.addCleanup(run.process.stderr.close)
        self.addCleanup(run.process.wait)
        self.addCleanup(run.process.kill)
        fields = ["api"] + (["ca"] if "--tls" in arguments else []) + ["data", "id", "pid", "restart", "s3"]
        self.assertEqual([sorted(node) for node in run.nodes], [fields] * nodes)
        self.assertEqual(sorted(node["pid"] for node in run.nodes), sorted(processes_of(self.data)))
        self.assertTrue(run.example.startswith("example: "))
        return run

    def aws_example(self, run):
        words = shlex.split(run.example.removeprefix("example: "))
        at = words.index("aws")
        words[at:at + 1] = [sys.executable, os.path.join(os.path.dirname(sys.executable), "aws")]
        done = subprocess.run(["env", *words], capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "make_bucket: example\n"), done.stderr)

    def test_the_example_and_a_second_run(self):
        run = self.run_it(1)
        self.aws_example(run)
        run.s3().put_object(Bucket="example", Key="k", Body=b"kept")
        code, errors = run.end()
        self.assertEqual((code, processes_of(self.data)), (0, []), errors)

        again = self.run_it(1)
        self.assertEqual(again.keys, run.keys)
        self.assertEqual(again.s3().get_object(Bucket="example", Key="k")["Body"].read(), b"kept")
        self.assertEqual(again.end(signal.SIGTERM)[0], 0)
        with self.assertRaisesRegex(cluster.ClusterError, "made for 1 node"):
            cluster.Cluster(BINARY, self.data, nodes=3)

    def test_tls(self):
        run = self.run_it(1, "--tls")
        self.assertTrue(run.nodes[0]["s3"].startswith("https://") and run.nodes[0]["api"].startswith("https://"))
        self.aws_example(run)
        self.assertEqual(run.end()[0], 0)
        again = self.run_it(1, "--tls")
        with open(run.nodes[0]["ca"], encoding="utf-8") as f:
            kept = f.read()
        again.s3().put_object(Bucket="example", Key="k", Body=b"kept")
        node = again.nodes[0]
        os.kill(node["pid"], signal.SIGKILL)
        again.process.stderr.readline()
        subprocess.run(node["restart"], shell=True, check=True, timeout=WAIT_S)
        self.assertIn("runs again", again.process.stderr.readline())
        self.assertEqual(again.s3().get_object(Bucket="example", Key="k")["Body"].read(), b"kept")
        with open(node["ca"], encoding="utf-8") as f:
            self.assertEqual(f.read(), kept)
        self.assertEqual(again.end()[0], 0)

    def test_a_killed_node_stays_dead_until_it_is_started_again(self):
        run = self.run_it(3)
        run.s3().create_bucket(Bucket="shared")
        for node in run.nodes[1:]:
            restart = shlex.split(node["restart"])
            refused = subprocess.run(restart, capture_output=True, text=True, timeout=WAIT_S, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"node-{node['id']} is running (pid {node['pid']})", refused.stderr)
            os.kill(node["pid"], signal.SIGKILL)
            said = run.process.stderr.readline()
            self.assertIn(f"node {node['id']} ended and stays dead; again with: {node['restart']}", said)
            self.assertNotIn(node["pid"], processes_of(self.data))
            self.assertEqual(len(processes_of(self.data)), 2)
            run.s3().put_object(Bucket="shared", Key=f"without-{node['id']}", Body=b"x")
            subprocess.run(node["restart"], shell=True, check=True, timeout=WAIT_S)
            self.assertIn(f"node {node['id']} runs again", run.process.stderr.readline())
            self.assertEqual(len(processes_of(self.data)), 3)
            run.s3(node["id"] - 1).get_object(Bucket="shared", Key=f"without-{node['id']}")
        code, errors = run.end()
        self.assertEqual((code, processes_of(self.data)), (0, []), errors)

    def test_what_it_refuses(self):
        def refused(*arguments):
            done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "cluster.py"), "--binary", BINARY,
                                   "--data", self.data, *arguments],
                                  capture_output=True, text=True, timeout=WAIT_S, check=False)
            self.assertIn(done.returncode, (1, 2))
            self.assertEqual(done.stdout, "")
            return done.stderr

        self.assertIn("--nodes must be 1 or more", refused("--nodes", "0"))
        self.assertIn("--port 65535 leaves no room", refused("--port", "65535"))
        self.assertIn("SECTION.KEY=VALUE", refused("--set", "shards"))
        self.assertIn("log.levle", refused("--port", str(free_port()), "--set", "log.levle=info"))
        self.assertEqual(processes_of(self.data), [])
        run = self.run_it(1)
        self.assertIn("is already running", refused())
        port = run.nodes[0]["s3"].rsplit(":", 1)[1]
        other = os.path.join(os.path.dirname(self.data), "other")
        self.assertIn(f"port {port} (s3 of node 1) cannot be used", refused("--data", other, "--port", port))
        self.assertEqual(run.end()[0], 0)


if __name__ == "__main__":
    unittest.main()
