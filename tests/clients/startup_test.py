"""Nodes that must not start: each ends by itself, quickly, with a reason that names the cause.

Exit code 2: the configuration is wrong; 1: it cannot be served here. What was stored is still there.
"""

import os
import resource
import shutil
import signal
import socket
import subprocess
import unittest

from world import BINARY, World

import cluster

NOBODY = 65534


class Refusals(unittest.TestCase):
    NODES = 1

    def setUp(self):
        self.world = World(self.NODES)
        self.addCleanup(self.world.close)
        self.node = self.world.nodes[-1]
        for node in self.world.nodes:
            node.write_config()

    def refuses(self, node, code, *parts, timeout=30, **options):
        """The node, started by hand, ends with an error that names each of `parts` (or one of a tuple)."""
        try:
            done = subprocess.run(node.command(), capture_output=True, text=True, timeout=timeout, check=False,
                                  **options)
        except subprocess.TimeoutExpired as error:
            self.fail(f"it went on running; so far it said: {error.stderr}")
        self.assertEqual(done.returncode, code, done.stderr)
        reason = done.stderr.splitlines()[-1]
        self.assertRegex(reason, "^drumlin: ")
        for part in parts:
            choices = part if isinstance(part, tuple) else (part,)
            self.assertTrue(any(choice in reason for choice in choices), f"{choices} not in: {reason}")

    def edit(self, node, old, new):
        with open(node.config, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        with open(node.config, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))

    def refuses_edited(self, old, new, code, *parts):
        """With the one change; the configuration is as before afterwards."""
        with self.subTest(new):
            self.edit(self.node, old, new)
            self.refuses(self.node, code, *parts)
            self.node.write_config()

    def put(self, key, node=0):
        self.world.s3(node).put_object(Bucket="kept", Key=key, Body=key.encode())

    def kept(self, *keys, node=0):
        for key in keys:
            self.assertEqual(self.world.s3(node).get_object(Bucket="kept", Key=key)["Body"].read(), key.encode())


class Startup(Refusals):
    def test_each_port_in_use(self):
        for name in ("s3_port", "api_port", "peer_port"):
            with self.subTest(name), socket.socket() as taken:
                taken.bind(("127.0.0.1", getattr(self.node, name)))
                taken.listen()
                self.refuses(self.node, 1, "ports." + name[:-5], str(getattr(self.node, name)), "in use")

    def test_data_where_no_directory_can_be(self):
        with open(self.node.data, "w", encoding="utf-8") as f:
            f.write("a file\n")
        self.refuses(self.node, 1, self.node.data, "directory")
        with open(self.node.data, encoding="utf-8") as f:
            self.assertEqual(f.read(), "a file\n")

    def test_data_that_may_not_be_read(self):
        os.mkdir(self.node.data, 0o000)
        options = {}
        if os.geteuid() == 0:  # whom nothing is forbidden
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chmod(self.world.directory, 0o755)
            os.chmod(os.path.dirname(self.node.config), 0o755)
            try:
                subprocess.run([BINARY, "--version"], capture_output=True, check=True, **options)
            except PermissionError:
                self.skipTest(f"only root may run {BINARY}")
            self.refuses(self.node, 1, self.node.config, "ermission denied", **options)
            os.chmod(self.node.config, 0o644)
        self.refuses(self.node, 1, self.node.data, "ermission denied", **options)
        os.chmod(self.node.data, 0o700)

    def test_a_configuration_that_is_wrong(self):
        name = os.path.basename(self.node.config)
        for old, new, *parts in (
                ("[log]", "[lgo]", name + ":", "lgo"), ("level =", "levle =", name + ":", "log.levle"),
                ("{id = 1, peer", "{id = 1, pear", name + ":", "pear"), ("[node]", "[node", name + ":2"),
                ("id = 1\n", "id = 0\n", "node.id"), ("id = 1\n", 'id = "one"\n', name + ":", "node.id"),
                ("id = 1\n", "id = 2\n", "cluster.nodes", "2"), ("shards = 32", "shards = 0", "cluster.shards"),
                ("shards = 32", "shards = 3.5", name + ":", "cluster.shards"),
                ('level = "info"', 'level = "loud"', "log.level", "loud"),
                (f"s3 = {self.node.s3_port}\n", "s3 = 70000\n", name + ":", "ports.s3"),
                (f"s3 = {self.node.s3_port}\n", f"s3 = {self.node.api_port}\n", "ports.s3", "differ"),
                ("secret_key = ", "# ", "auth.secret_key"),
                ('secret_key = "', 'secret_key = "short" # ', "8 characters"),
                ('listen = "127.0.0.1"', 'listen = "0.0.0.0"\n[storage]\nkv = "paper"', "storage.kv", "paper")):
            self.refuses_edited(old, new, 2, *parts)
        os.remove(self.node.config)
        self.refuses(self.node, 1, self.node.config)
        self.assertFalse(os.path.exists(self.node.data), "made although nothing was right")

    def test_few_open_files(self):
        def at_most(files):
            return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.refuses(self.node, 1, "ulimit -n", "400 files", preexec_fn=at_most(400))
        daemon = subprocess.Popen(self.node.command(), stderr=subprocess.PIPE, text=True, preexec_fn=at_most(2000))
        self.addCleanup(daemon.stderr.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        self.assertRegex(daemon.stderr.readline(), "2000 files.*: 400 S3 connections at most")
        while '"msg":"serving"' not in (line := daemon.stderr.readline()):
            self.assertNotEqual(line, "", "it ended")
        daemon.terminate()
        daemon.stderr.read()
        self.assertEqual(daemon.wait(30), 0)

    def test_addresses_that_are_not_here(self):
        for address in ("192.0.2.1", "localhost"):
            self.refuses_edited('listen = "127.0.0.1"', f'listen = "{address}"', 1, "ports.", address)

    def test_the_environment(self):
        env = {**os.environ, "DRUMLIN_CLUSTER_SHARDS": "many"}
        self.refuses(self.node, 2, "DRUMLIN_CLUSTER_SHARDS", "many", env=env)
        env = {**os.environ, "DRUMLIN_PORT": "tcp://10.0.0.1:9000", "DRUMLIN_LOG_LEVEL": "loud"}
        done = subprocess.run(self.node.command(), capture_output=True, text=True, timeout=30, check=False, env=env)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "^drumlin: warning: .*DRUMLIN_PORT .*\ndrumlin: log.level.*loud")

    def test_a_second_process_on_the_same_data(self):
        self.world.cluster.start()
        other = cluster.Node(self.world.cluster, 1)
        other.config += ".second"
        shutil.copy(self.node.config, other.config)
        for name in ("s3", "api", "peer"):
            self.edit(other, f"{name} = {getattr(self.node, name + '_port')}\n",
                      f"{name} = {getattr(self.node, name + '_port') + 5}\n")
        self.refuses(other, 1, self.node.data, "in use")
        self.assertTrue(self.node.ready())

    def test_data_of_another_node_or_cluster(self):
        self.world.cluster.start()
        self.world.s3().create_bucket(Bucket="kept")
        self.put("k")
        self.world.cluster.stop()
        secret = self.world.cluster.keys["cluster_secret"]
        for old, new, *parts in (
                ("id = 1", "id = 2", "belongs to node 1", "this is node 2"),
                (f'secret = "{secret}"', f'secret = "{"5" * 64}"', "another cluster", "cluster.secret"),
                ("[cluster]\n", '[cluster]\nname = "other"\n', "another cluster", "cluster.name"),
                ("shards = 32", "shards = 16", "cluster.shards"),
                ("nodes = [\n", 'nodes = [\n{id = 2, peer = "127.0.0.1:9"},\n', "cluster.nodes"),
                ("[log]", '[storage]\nkv = "memory"\n[log]', "storage.kv", "rocksdb")):
            self.refuses_edited(old, new, 1, self.node.data, *parts)
        self.world.cluster.start()
        self.kept("k")

    def test_a_dead_node_is_reported(self):
        self.world.cluster.start()
        self.node.kill()
        with self.assertRaisesRegex(cluster.ClusterError, "node 1 was killed by signal 9"):
            self.world.cluster.wait_ready(timeout=30)

    def test_help_and_version(self):
        for word in ("--help", "--version"):
            done = subprocess.run([BINARY, word], capture_output=True, text=True, timeout=10, check=False)
            self.assertEqual(done.returncode, 0)
            self.assertIn("rumlin", done.stdout)
        done = subprocess.run([BINARY, "no-such-command"], capture_output=True, text=True, timeout=10, check=False)
        self.assertGreater(done.returncode, 0)
        self.assertNotEqual(done.stderr + done.stdout, "")


class ThreeNodes(Refusals):
    """The other two go on, and refuse what is not the third."""

    NODES = 3

    def setUp(self):
        super().setUp()
        self.world.cluster.start()
        self.world.s3().create_bucket(Bucket="kept")
        self.put("before")

    def others_go_on(self):
        for node in (0, 1):
            self.put(f"beside-{node}", node)
            self.kept("before", f"beside-{node}", node=node)

    def comes_back(self):
        subprocess.run(self.node.restart_command(), shell=True, check=True, timeout=10)
        self.world.cluster.wait_ready()
        self.kept("before", "beside-0", "beside-1", node=2)

    def test_a_wiped_disk(self):
        self.node.kill()
        os.rename(self.node.data, self.node.data + ".lost")
        for _ in range(2):  # also when it has a superblock of its own by now
            self.refuses(self.node, 1, "refuse", "node 3", "wiped")
            self.others_go_on()
        # The first to refuse it ended it, each time: the other may not have come to it.
        self.assertTrue(any("wiped" in node.log_tail(1000) for node in self.world.nodes[:2]))
        shutil.rmtree(self.node.data)
        os.rename(self.node.data + ".lost", self.node.data)
        self.comes_back()

    def test_another_secret_on_a_fresh_disk(self):
        self.node.kill()
        os.rename(self.node.data, self.node.data + ".kept")
        self.refuses_edited(self.world.cluster.keys["cluster_secret"], "5" * 64, 1, "refuse", "secret")
        self.others_go_on()
        shutil.rmtree(self.node.data)
        os.rename(self.node.data + ".kept", self.node.data)
        self.comes_back()

    def test_two_nodes_with_one_id(self):
        second = cluster.Node(self.world.cluster, 3)
        second.config += ".second"
        shutil.copy(self.node.config, second.config)
        second.data = os.path.join(self.world.directory, "second")
        self.edit(second, f'data = "{self.node.data}"', f'data = "{second.data}"')
        for name in ("s3", "api", "peer"):
            self.edit(second, f"{name} = {getattr(self.node, name + '_port')}\n",
                      f"{name} = {getattr(self.node, name + '_port') + 5}\n")
        self.refuses(second, 1, "refuse", "two nodes have the id 3")
        self.others_go_on()
        self.assertIsNotNone(self.node.pid())
        self.put("with-the-true-one", 2)
        self.kept("with-the-true-one")

    def test_the_same_id_twice_in_the_file(self):
        self.refuses_edited("{id = 2,", "{id = 3,", 2, "id 3 appears twice")

    def test_data_of_its_neighbour(self):
        old, new = (f'data = "{node.data}"' for node in (self.node, self.world.nodes[1]))
        self.node.kill()
        self.refuses_edited(old, new, 1, self.world.nodes[1].data, "in use")
        self.others_go_on()
        self.world.nodes[1].signal(signal.SIGTERM)
        self.assertTrue(self.world.nodes[1].wait_dead(10))
        self.refuses_edited(old, new, 1, "belongs to node 2", "this is node 3")
        subprocess.run(self.world.nodes[1].restart_command(), shell=True, check=True, timeout=10)
        self.comes_back()


if __name__ == "__main__":
    unittest.main()
