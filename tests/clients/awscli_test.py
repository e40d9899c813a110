"""The aws command against one node: mb, cp, ls, sync, rm, rb, and s3api."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

from world import WorldTest

AWS = os.path.join(os.path.dirname(sys.executable), "aws")


class Cli(WorldTest):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="drumlin-awscli-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def aws(self, *arguments, fails=False, data=None):
        done = subprocess.run([sys.executable, AWS, *arguments], env=self.world.environment(), input=data,
                              capture_output=True, timeout=120, check=False)
        if fails:
            self.assertNotEqual(done.returncode, 0, done.stdout)
            return done.stderr.decode()
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def path(self, name, body=None):
        full = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if body is not None:
            with open(full, "wb") as f:
                f.write(body)
        return full

    # A start of aws takes a second or two: what boto3 tests as well, boto3 does here.

    def test_make_copy_list_remove(self):
        self.assertIn("make_bucket: first", self.aws("s3", "mb", "s3://first"))
        self.assertIn("first", self.aws("s3", "ls"))
        body = hashlib.shake_128(b"first").digest(3_000_000)
        self.aws("s3", "cp", self.path("up", body), "s3://first/dir/a file.bin")
        self.assertIn("PRE dir/", self.aws("s3", "ls", "s3://first"))
        self.aws("s3", "cp", "s3://first/dir/a file.bin", self.path("down"))
        with open(self.path("down"), "rb") as f:
            self.assertTrue(f.read() == body)
        self.assertIn("BucketNotEmpty", self.aws("s3", "rb", "s3://first", fails=True))
        self.aws("s3", "rm", "s3://first/dir/a file.bin")
        self.aws("s3", "rb", "s3://first")
        self.assertIn("NoSuchBucket", self.aws("s3", "ls", "s3://first", fails=True))

    def test_pipe_in_and_out(self):
        self.s3.create_bucket(Bucket="pipes")
        self.aws("s3", "cp", "-", "s3://pipes/k", data=b"through a pipe")
        self.assertEqual(self.aws("s3", "cp", "s3://pipes/k", "-"), "through a pipe")

    def test_a_tree_there_and_back(self):
        tree = {"tree/a": b"1", "tree/b/c": b"22", "tree/b/d e": b"", "tree/ü/f+g": b"4444"}
        for name, body in tree.items():
            self.path(name, body)
        self.s3.create_bucket(Bucket="trees")
        self.aws("s3", "sync", self.path("tree/"), "s3://trees/t")
        self.assertEqual(self.aws("s3", "sync", self.path("tree/"), "s3://trees/t"), "")  # nothing left to do
        self.aws("s3", "sync", "s3://trees/t", self.path("back/"))
        for name, body in tree.items():
            with open(self.path(name.replace("tree/", "back/", 1)), "rb") as f:
                self.assertEqual(f.read(), body)
        self.aws("s3", "rm", "--recursive", "s3://trees/t/b/")
        listed = self.aws("s3", "ls", "--recursive", "s3://trees").splitlines()
        self.assertEqual([line.split()[2:] for line in listed], [["1", "t/a"], ["4", "t/ü/f+g"]])

    def test_low_level(self):
        self.s3.create_bucket(Bucket="low-level")
        put = json.loads(self.aws("s3api", "put-object", "--bucket", "low-level", "--key", "k", "--body",
                                  self.path("k", b"moraine"), "--metadata", "ice=age"))
        self.assertEqual(put["ETag"], '"' + hashlib.md5(b"moraine").hexdigest() + '"')
        got = json.loads(self.aws("s3api", "get-object", "--bucket", "low-level", "--key", "k", self.path("got")))
        self.assertEqual((got["ContentLength"], got["Metadata"]), (7, {"ice": "age"}))
        with open(self.path("got"), "rb") as f:
            self.assertEqual(f.read(), b"moraine")
        listed = json.loads(self.aws("s3api", "list-objects-v2", "--bucket", "low-level"))
        self.assertEqual([(item["Key"], item["Size"]) for item in listed["Contents"]], [("k", 7)])
        self.assertIn("NoSuchTagSet",
                      self.aws("s3api", "get-bucket-tagging", "--bucket", "low-level", fails=True))
        self.assertIn("NotImplemented",
                      self.aws("s3api", "put-bucket-versioning", "--bucket", "low-level",
                               "--versioning-configuration", "Status=Enabled", fails=True))


if __name__ == "__main__":
    unittest.main()
