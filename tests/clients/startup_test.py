"""Nodes that must not start: each ends by itself, quickly, with a reason that names the cause."""

import os
import shutil
import socket
import subprocess
import unittest

from world import BINARY, World

import cluster


class Startup(unittest.TestCase):
    def refuses(self, node, *parts, timeout=30):
        """The node, started by hand, ends with an error that names each of `parts` (or one of a tuple)."""
        try:
            done = subprocess.run(node.command(), capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            self.fail(f"it went on running; so far it said: {error.stderr}")
        self.assertGreater(done.returncode, 0, f"ended by a signal or in peace: {done.stderr}")
        for part in parts:
            choices = part if isinstance(part, tuple) else (part,)
            self.assertTrue(any(choice in done.stderr for choice in choices), f"{choices} not in: {done.stderr}")

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.node = self.world.nodes[0]
        self.node.write_config()

    def edit(self, node, old, new):
        with open(node.config, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        with open(node.config, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))

    def test_each_port_in_use(self):
        for name in ("s3_port", "api_port", "peer_port"):
            with self.subTest(name), socket.socket() as taken:
                taken.bind(("127.0.0.1", getattr(self.node, name)))
                taken.listen()
                self.refuses(self.node, str(getattr(self.node, name)), ("in use", "address"))

    def test_data_where_no_directory_can_be(self):
        with open(self.node.data, "w", encoding="utf-8") as f:
            f.write("a file\n")
        self.refuses(self.node, self.node.data)

    def test_a_configuration_that_is_missing_or_wrong(self):
        self.edit(self.node, "[log]", "[lgo]")
        self.refuses(self.node, "lgo")
        with open(self.node.config, "w", encoding="utf-8") as f:
            f.write("[node\n")
        self.refuses(self.node, os.path.basename(self.node.config) + ":1")
        os.remove(self.node.config)
        self.refuses(self.node, self.node.config)

    def test_a_second_process_on_the_same_data(self):
        self.world.cluster.start()
        other = cluster.Node(self.world.cluster, 1)
        other.config += ".second"
        shutil.copy(self.node.config, other.config)
        for name in ("s3", "api", "peer"):
            self.edit(other, f"{name} = {getattr(self.node, name + '_port')}\n",
                      f"{name} = {getattr(self.node, name + '_port') + 5}\n")
        self.refuses(other, ("in use", "lock", "another process"))
        self.assertTrue(self.node.ready())

    def test_data_of_another_node(self):
        self.world.cluster.start()
        self.world.cluster.stop()
        self.edit(self.node, "id = 1\n", "id = 2\n")
        self.edit(self.node, "{id = 1,", "{id = 2,")
        self.refuses(self.node, ("node 1", "another node", "different node", "another cluster", "not this"))

    def test_data_of_another_cluster(self):
        self.world.cluster.start()
        self.world.cluster.stop()
        self.edit(self.node, self.world.cluster.keys["cluster_secret"], "5" * 64)
        self.refuses(self.node, ("cluster",))

    def test_help_and_version(self):
        for word in ("--help", "--version"):
            done = subprocess.run([BINARY, word], capture_output=True, text=True, timeout=10, check=False)
            self.assertEqual(done.returncode, 0)
            self.assertIn("rumlin", done.stdout)
        done = subprocess.run([BINARY, "no-such-command"], capture_output=True, text=True, timeout=10, check=False)
        self.assertGreater(done.returncode, 0)
        self.assertNotEqual(done.stderr + done.stdout, "")


if __name__ == "__main__":
    unittest.main()
