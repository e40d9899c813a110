"""boto3, aws, s3cmd and rclone: put, get, list, sync, delete and odd names, by plain HTTP and by TLS, with
one node and with three whose connections are dealt out in turn.

    matrix_test.py [Http1|Tls1|Http3|Tls3][.test_name] ...
"""

import concurrent.futures
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import boto3
import botocore.config
from boto3_test import ODD_KEYS
from proxy import RoundRobin
from world import REGION, World

AWS = os.path.join(os.path.dirname(sys.executable), "aws")
MIB = 1 << 20

# Names that a file can have, bodies by name. Clients map them to keys and back.
TREE = {
    "plain": 0, "one": 1, "with space": 5, "plus+plus": 100, "per%20cent": 511, "tilde~": 512, "equals=and&amp": 513,
    "at@colon:semi;": 4096, "star*(x)'!": 65535, "ünïcödé": 65536, "日本語/キー": 65537, "emoji-\U0001f9ca": 10,
    "question?mark": 11, "hash#tag": 12, "comma,": 13, "dollar$": 14, "[brackets]{braces}": 15, "pipe|": 16,
    "caret^": 17, "grave`": 18, "quote\"s": 19, "<tag>": 20, "...dots": 21, ".hidden": 22, "dir.d/..twice": 23,
    "a/b/c/d/e": 24, "a/b.txt": 25, "a/b c/d": 26, "large": 7 * MIB, "medium": MIB + 1, "n" * 200: 27,
}
# What no file is called. Only clients that leave a key alone can be asked for them.
LITERAL_KEYS = ["a//b", "//", "/leading", "trailing/", ".", "..", "a/./b", "a/../b", "per%2Fcent", "a+b c"]


def body_of(name, size):
    return hashlib.shake_128(name.encode()).digest(size)


class Matrix:
    """The tests; the classes below say over what."""

    TLS = False
    NODES = 1

    @classmethod
    def setUpClass(cls):
        cls.world = World(cls.NODES, tls=cls.TLS)
        cls.world.__enter__()
        cls.addClassCleanup(cls.world.close)
        cls.proxy = RoundRobin([node.s3_port for node in cls.world.nodes])
        cls.addClassCleanup(cls.proxy.close)
        cls.host = f"127.0.0.1:{cls.proxy.port}"
        cls.url = f"{cls.world.cluster.scheme}://{cls.host}"

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="drumlin-matrix-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.bucket = self.id().rsplit(".", 1)[-1].replace("_", "-")
        self.s3 = self.client()
        self.s3.create_bucket(Bucket=self.bucket)
        before = list(self.proxy.counts)
        self.addCleanup(lambda: self.assertTrue(
            all(now > then for now, then in zip(self.proxy.counts, before)), "a node was never asked"))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            type(self).world.failed = True
        return result

    # -- tools

    def client(self, **config):
        keys = self.world.cluster.keys
        return boto3.session.Session().client(
            "s3", endpoint_url=self.url, region_name=REGION, aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"], verify=self.world.cluster.ca,
            config=botocore.config.Config(s3={"addressing_style": "path"}, max_pool_connections=20, **config))

    def command(self, *words, data=None, env=None, fails=False):
        done = subprocess.run(words, input=data, env=env, capture_output=True, timeout=120, check=False,
                              cwd=self.directory)
        said = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode != 0, fails, f"{words}: {said}")
        return said if fails else done.stdout.decode()

    def aws(self, *words, **options):
        env = {**self.world.environment(), "AWS_ENDPOINT_URL": self.url}
        return self.command(sys.executable, AWS, *words, env=env, **options)

    def s3cmd(self, *words, **options):
        keys, path = self.world.cluster.keys, os.path.join(self.directory, "s3cfg")
        if not os.path.exists(path):
            with open(path, "w", encoding="utf-8") as f:
                f.write(f"[default]\naccess_key = {keys['access_key']}\nsecret_key = {keys['secret_key']}\n"
                        f"host_base = {self.host}\nhost_bucket = {self.host}\nbucket_location = {REGION}\n"
                        f"use_https = {self.TLS}\nca_certs_file = {self.world.cluster.ca or ''}\n"
                        "progress_meter = False\n")
        env = {"PATH": os.environ["PATH"], "HOME": self.directory, "LC_ALL": "C.UTF-8"}
        return self.command("s3cmd", "--config", path, *words, env=env, **options)

    def rclone(self, *words, **options):
        keys = self.world.cluster.keys
        env = {"PATH": os.environ["PATH"], "HOME": self.directory,
               "RCLONE_CONFIG": os.path.join(self.directory, "rclone.conf"), "RCLONE_CONFIG_D_TYPE": "s3",
               "RCLONE_CONFIG_D_PROVIDER": "Other", "RCLONE_CONFIG_D_ENDPOINT": self.url,
               "RCLONE_CONFIG_D_REGION": REGION, "RCLONE_CONFIG_D_ACCESS_KEY_ID": keys["access_key"],
               "RCLONE_CONFIG_D_SECRET_ACCESS_KEY": keys["secret_key"], "RCLONE_RETRIES": "1",
               "RCLONE_CA_CERT": self.world.cluster.ca or ""}
        return self.command("rclone", "--log-level", "INFO", *words, env=env, **options)

    def path(self, name, body=None):
        full = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if body is not None:
            with open(full, "wb") as f:
                f.write(body)
        return full

    def tree(self):
        """The directory of TREE."""
        for name, size in TREE.items():
            self.path("up/" + name, body_of(name, size))
        return os.path.join(self.directory, "up")

    def same_tree(self, below):
        found = {}
        for directory, _, names in os.walk(below):
            for name in names:
                full = os.path.join(directory, name)
                with open(full, "rb") as f:
                    found[os.path.relpath(full, below)] = f.read()
        self.assertEqual(sorted(found), sorted(TREE))
        for name, body in found.items():
            self.assertTrue(body == body_of(name, TREE[name]), name)

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def same_keys(self, prefix, names):
        self.assertEqual(self.keys(prefix), sorted((prefix + name for name in names), key=str.encode))

    def get(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    # -- boto3

    def test_boto3_odd_keys(self):
        """From several threads: a connection each, so a node each."""
        def put_and_get(key):
            body = body_of(key, 1000)
            etag = '"' + hashlib.md5(body).hexdigest() + '"'
            self.assertEqual(self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)["ETag"], etag)
            got = self.s3.get_object(Bucket=self.bucket, Key=key)
            self.assertEqual((got["Body"].read(), got["ETag"]), (body, etag), key)
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key=key)["ContentLength"], 1000)

        keys = sorted({*ODD_KEYS, *LITERAL_KEYS, *TREE}, key=str.encode)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for future in [pool.submit(put_and_get, key) for key in keys]:
                future.result()
            self.assertEqual(self.keys(), keys)
            names = [item["Key"] for item in self.s3.list_objects(Bucket=self.bucket)["Contents"]]
            self.assertEqual(names, keys)
            for future in [pool.submit(self.s3.delete_object, Bucket=self.bucket, Key=key) for key in keys]:
                future.result()
        self.assertEqual(self.keys(), [])

    def test_boto3_sizes(self):
        sizes = (0, 1, 511, 512, 4096, 16383, 16384, 16385, 65536, MIB, 5 * MIB + 3, 8 * MIB - 1)

        def put_and_get(size):
            body = body_of("size", size)
            self.s3.put_object(Bucket=self.bucket, Key=str(size), Body=body)
            self.assertTrue(self.get(str(size)) == body, size)
            last = self.s3.get_object(Bucket=self.bucket, Key=str(size), Range="bytes=-7") if size else None
            self.assertEqual(last["Body"].read() if last else b"", body[-7:])

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for future in [pool.submit(put_and_get, size) for size in sizes]:
                future.result()

    def test_boto3_delete_objects(self):
        clients = [self.s3] + [self.client() for _ in self.world.nodes]
        for i, key in enumerate(ODD_KEYS[:20]):
            clients[i % len(clients)].put_object(Bucket=self.bucket, Key=key, Body=b"x")
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": k} for k in ODD_KEYS[:20]]})
        self.assertEqual(sorted(item["Key"] for item in answer["Deleted"]), sorted(ODD_KEYS[:20]))
        self.assertEqual(self.keys(), [])

    # -- aws

    def test_aws_sync(self):
        up, where = self.tree(), f"s3://{self.bucket}/t"
        self.assertEqual(len(self.aws("s3", "sync", "--no-progress", up, where).splitlines()), len(TREE))
        self.same_keys("t/", TREE)
        self.assertEqual(self.aws("s3", "sync", up, where), "", "a second time there is nothing to do")
        self.aws("s3", "sync", where, "down")
        self.same_tree(self.path("down"))
        self.assertEqual(self.aws("s3", "sync", where, "down"), "")
        listed = self.aws("s3", "ls", "--recursive", where + "/").splitlines()
        self.assertEqual(sorted(line[31:] for line in listed), sorted("t/" + name for name in TREE))
        shutil.rmtree(os.path.join(up, "a"))
        self.path("up/one", b"changed")
        done = self.aws("s3", "sync", "--delete", "--no-progress", up, where).splitlines()
        self.assertEqual(len(done), 4, done)
        self.assertEqual(self.get("t/one"), b"changed")
        self.aws("s3", "rm", "--recursive", "--quiet", where)
        self.assertEqual(self.keys(), [])

    def test_aws_literal_keys(self):
        for key in ("a//b", "..", "trailing/", "a/../b"):
            file = self.path("body", body_of(key, 100))
            self.aws("s3api", "put-object", "--bucket", self.bucket, "--key", key, "--body", file)
            self.assertEqual(self.get(key), body_of(key, 100))
        self.aws("s3api", "get-object", "--bucket", self.bucket, "--key", "a/../b", "back")
        with open(self.path("back"), "rb") as f:
            self.assertEqual(f.read(), body_of("a/../b", 100))

    # -- s3cmd

    def test_s3cmd_put_get_list_delete(self):
        made = self.bucket + "-made"
        self.s3cmd("mb", f"s3://{made}")
        self.assertIn(f"s3://{made}\n", self.s3cmd("ls"))
        self.s3cmd("rb", f"s3://{made}")
        for key in ("plain", "with space", "plus+%20=@~*(x)'", "ü/日本語", "a//b", "..", "a/../b"):
            file = self.path("body", body_of(key, 70000))
            self.s3cmd("put", file, f"s3://{self.bucket}/{key}")
            self.assertEqual(self.get(key), body_of(key, 70000), key)
            self.s3cmd("get", "--force", f"s3://{self.bucket}/{key}", "back")
            with open(self.path("back"), "rb") as f:
                self.assertEqual(f.read(), body_of(key, 70000), key)
        listed = self.s3cmd("ls", "--recursive", f"s3://{self.bucket}")
        self.assertEqual(len(listed.splitlines()), 7)
        self.assertIn(f"s3://{self.bucket}/ü/日本語\n", listed)
        self.assertIn("DIR", self.s3cmd("ls", f"s3://{self.bucket}"))
        self.assertIn("70000", self.s3cmd("info", f"s3://{self.bucket}/plain"))

    def test_s3cmd_delete(self):
        for key in ("one", "b/two", "b/three +%"):
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x")
        self.s3cmd("ls", f"s3://{self.bucket}")
        self.s3cmd("del", f"s3://{self.bucket}/one")
        self.assertEqual(self.keys(), ["b/three +%", "b/two"])
        self.s3cmd("del", "--recursive", "--force", f"s3://{self.bucket}/b/")
        self.assertEqual(self.keys(), [])

    def test_s3cmd_sync(self):
        up, where = self.tree(), f"s3://{self.bucket}/t/"
        self.s3cmd("sync", up + "/", where)
        self.same_keys("t/", TREE)
        self.assertNotIn("upload:", self.s3cmd("sync", up + "/", where), "a second time there is nothing to do")
        down = self.path("down/")
        self.s3cmd("sync", where, down)
        self.same_tree(down)
        self.assertNotIn("download:", self.s3cmd("sync", where, down))

    # -- rclone

    def test_rclone_sync(self):
        up, where = self.tree(), f"d:{self.bucket}/t"
        self.rclone("sync", up, where)
        self.same_keys("t/", TREE)
        before = {item["Key"]: item["LastModified"] for item in self.listed()}
        self.rclone("sync", up, where)
        self.assertEqual({item["Key"]: item["LastModified"] for item in self.listed()}, before, "nothing to do")
        self.rclone("check", up, where)
        self.rclone("sync", where, "down")
        self.same_tree(self.path("down"))
        self.assertEqual(sorted(self.rclone("lsf", "--recursive", "--files-only", where).splitlines()), sorted(TREE))
        shutil.rmtree(os.path.join(up, "a"))
        self.path("up/one", b"changed")
        self.rclone("sync", up, where)
        self.assertEqual(self.get("t/one"), b"changed")
        self.same_keys("t/", [name for name in TREE if not name.startswith("a/")])
        self.rclone("delete", where)
        self.assertEqual(self.keys(), [])

    def listed(self):
        return self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]

    def test_rclone_put_get_list_delete(self):
        made = self.bucket + "-made"
        self.rclone("mkdir", f"d:{made}")
        self.assertIn(made, self.rclone("lsd", "d:"))
        self.rclone("rmdir", f"d:{made}")
        for key in ("plain", "with space", "plus+%20=@~*(x)'", "ü/日本語"):
            body = body_of(key, 300_000)
            self.rclone("copyto", self.path("body", body), f"d:{self.bucket}/{key}")
            self.assertEqual(self.get(key), body, key)
            self.rclone("copyto", f"d:{self.bucket}/{key}", "back")
            with open(self.path("back"), "rb") as f:
                self.assertEqual(f.read(), body, key)
            self.rclone("deletefile", f"d:{self.bucket}/{key}")
        self.assertEqual(self.keys(), [])
        self.rclone("rcat", f"d:{self.bucket}/piped", data=b"through a pipe")
        self.assertEqual(self.get("piped"), b"through a pipe")
        self.rclone("purge", f"d:{self.bucket}")
        self.assertNotIn(self.bucket, [b["Name"] for b in self.s3.list_buckets()["Buckets"]])


class Http1(Matrix, unittest.TestCase):
    pass


class Tls1(Matrix, unittest.TestCase):
    TLS = True


class Http3(Matrix, unittest.TestCase):
    NODES = 3


class Tls3(Matrix, unittest.TestCase):
    TLS = True
    NODES = 3


if __name__ == "__main__":
    unittest.main()
